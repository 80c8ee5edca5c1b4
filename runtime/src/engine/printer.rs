//! What clauses emit, as output: text for people or JSON lines, in the order in which it was emitted.

use std::io::{self, Write};

use reel_compiler::ir::{Output, OutputKind};
use reel_lang::hir::MapId;
use reel_lang::span::SourceMap;
use reel_lang::ty::Ty;
use reel_lang::value::Value;

use super::clock::Clock;
use crate::cli::Format;
use crate::output::frame::{Frame, Size};
use crate::output::map::{Cut, Table};
use crate::output::printf::{self, Piece};
use crate::output::text::{self, Names};
use crate::output::{json, strftime};

/// What the engine must do itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    None,
    Exit(u8),
    PrintMap(MapId, Cut),
    ClearMap(MapId),
    ZeroMap(MapId),
}

/// Writes output.
pub struct Printer {
    out: Box<dyn Write>,
    /// Where `errorf` and `warnf` go in text.
    errors: Box<dyn Write>,
    format: Format,
    names: Box<dyn Names>,
    /// The messages' time, where that is not now.
    clock: Option<Clock>,
    /// How wide lines of maps may be.
    columns: usize,
    frame: Option<Frame>,
}

/// The outputs of one half of a program, with their format strings cut into pieces.
pub struct Outputs {
    outputs: Vec<Output>,
    formats: Vec<Vec<Piece>>,
    /// Where each is written.
    places: Vec<String>,
}

impl Outputs {
    /// Cuts every format string.
    pub fn of(outputs: &[Output], sources: &SourceMap) -> Self {
        let formats =
            outputs.iter().map(|output| format_of(&output.kind).map_or_else(Vec::new, printf::parse)).collect();
        let places = outputs.iter().map(|output| sources.place(output.span)).collect();
        Outputs { outputs: outputs.to_vec(), formats, places }
    }
}

impl Printer {
    /// Prints in a format.
    pub fn new(out: Box<dyn Write>, errors: Box<dyn Write>, format: Format, names: Box<dyn Names>) -> Self {
        Printer { out, errors, format, names, clock: None, columns: usize::MAX, frame: None }
    }

    /// Sets the time that `time()` prints: that of messages of the past.
    pub fn at(&mut self, clock: Clock) {
        self.clock = Some(clock);
    }

    /// Makes lines fit a terminal, and where nothing else writes to it maps are drawn in place.
    pub fn on_terminal(&mut self, size: Size, is_ours_alone: bool) {
        if self.format == Format::Text {
            self.columns = size.columns;
            self.frame = is_ours_alone.then(|| Frame::new(size));
        }
    }

    /// How many probes were attached, before anything else.
    ///
    /// # Errors
    /// The output's.
    pub fn attached(&mut self, count: usize) -> io::Result<()> {
        match self.format {
            Format::Json => self.write(&json::attached(count)),
            Format::Text => {
                let word = if count == 1 { "probe" } else { "probes" };
                self.write(&format!("Attached {count} {word}\n"))
            }
        }
    }

    /// One emission.
    ///
    /// # Errors
    /// The output's.
    pub fn emit(&mut self, outputs: &Outputs, index: usize, args: Vec<Value>) -> io::Result<Effect> {
        let Some(output) = outputs.outputs.get(index) else { return Ok(Effect::None) };
        let pieces = outputs.formats.get(index).map_or(&[][..], Vec::as_slice);
        let place = outputs.places.get(index).map_or("", String::as_str);
        let typed = |args: Vec<Value>| output.args.iter().map(|arg| arg.ty.clone()).zip(args).collect::<Vec<_>>();
        match &output.kind {
            OutputKind::Exit => return Ok(Effect::Exit(args.first().and_then(Value::as_int).unwrap_or(0) as u8)),
            OutputKind::PrintMap(map) => return Ok(Effect::PrintMap(*map, cut(&args))),
            OutputKind::ClearMap(map) => return Ok(Effect::ClearMap(*map)),
            OutputKind::ZeroMap(map) => return Ok(Effect::ZeroMap(*map)),
            OutputKind::PrintValue => {
                for (ty, value) in typed(args) {
                    self.value(&ty, &value)?;
                }
            }
            OutputKind::Time(format) => {
                let text = match &self.clock {
                    Some(clock) => clock.date(format, i64::try_from(clock.now_ns).unwrap_or(i64::MAX)),
                    None => strftime::now(format),
                };
                self.tagged("time", &text)?;
            }
            OutputKind::Printf(_) => {
                let text = printf::format(pieces, &typed(args), &*self.names);
                self.tagged("printf", &text)?;
            }
            OutputKind::Errorf(_) => self.complain("errorf", &format!("ERROR: {place}"), pieces, &typed(args))?,
            OutputKind::Warnf(_) => self.complain("warnf", &format!("WARNING: {place}"), pieces, &typed(args))?,
            OutputKind::Call(name) => {
                let shown: Vec<String> =
                    typed(args).iter().map(|(ty, value)| text::text(ty, value, &*self.names)).collect();
                self.tagged(name, &format!("{}\n", shown.join(" ")))?;
            }
        }
        Ok(Effect::None)
    }

    /// A map as it is printed.
    pub fn map_text(&self, mut table: Table<'_>, cut: Cut) -> String {
        table.arrange(cut);
        match self.format {
            Format::Text => table.text_within(self.columns, &*self.names),
            Format::Json => json::map(&table, &*self.names),
        }
    }

    /// A line between things, for people only.
    ///
    /// # Errors
    /// The output's.
    pub fn blank(&mut self) -> io::Result<()> {
        if self.format == Format::Text { self.write("\n") } else { Ok(()) }
    }

    /// Events that were lost: said where it can be seen, and machine-readable where asked for.
    ///
    /// # Errors
    /// The output's.
    pub fn lost(&mut self, count: u64) -> io::Result<()> {
        match self.format {
            Format::Json => self.write(&json::line("lost_events", serde_json::json!({ "events": count }))),
            Format::Text => self.write(&format!("Lost {count} events\n")),
        }
    }

    /// Makes everything visible that was written.
    ///
    /// # Errors
    /// The output's.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// An error or a warning of the script: beside the output in text, a line of it in JSON.
    fn complain(&mut self, kind: &str, head: &str, pieces: &[Piece], args: &[(Ty, Value)]) -> io::Result<()> {
        let text = printf::format(pieces, args, &*self.names);
        if self.format == Format::Json {
            return self.tagged(kind, &text);
        }
        // On one terminal both stand in the order in which they were said.
        self.write("")?;
        self.out.flush()?;
        write!(self.errors, "{head}: {text}")?;
        self.errors.flush()
    }

    fn tagged(&mut self, kind: &str, text: &str) -> io::Result<()> {
        match self.format {
            Format::Text => self.write(text),
            Format::Json => self.write(&json::line(kind, text.into())),
        }
    }

    fn value(&mut self, ty: &Ty, value: &Value) -> io::Result<()> {
        let line = match self.format {
            Format::Text => format!("{}\n", text::text(ty, value, &*self.names)),
            Format::Json => json::line("value", json::value(ty, value, &*self.names)),
        };
        self.write(&line)
    }

    /// Shows a map, where it stood before if the output is a terminal of ours alone.
    ///
    /// # Errors
    /// The output's.
    pub fn show_map(&mut self, name: &str, text: &str) -> io::Result<()> {
        match &mut self.frame {
            Some(frame) => self.out.write_all(frame.draw(name, text).as_bytes()),
            None => self.write(text),
        }
    }

    /// Text as it stands.
    ///
    /// # Errors
    /// The output's.
    pub fn write(&mut self, text: &str) -> io::Result<()> {
        if let Some(frame) = &mut self.frame {
            frame.end();
        }
        self.out.write_all(text.as_bytes())
    }
}

fn format_of(kind: &OutputKind) -> Option<&str> {
    match kind {
        OutputKind::Printf(format) | OutputKind::Errorf(format) | OutputKind::Warnf(format) => Some(format),
        _ => None,
    }
}

fn cut(args: &[Value]) -> Cut {
    let number = |i: usize| args.get(i).and_then(Value::as_int).unwrap_or(0).max(0);
    Cut { top: usize::try_from(number(0)).unwrap_or(0), div: number(1).unsigned_abs() }
}
