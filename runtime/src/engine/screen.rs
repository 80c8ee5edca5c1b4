//! What a run shows: emissions as output, maps when they are asked for, and the exit code that a script chose.
//!
//! The same for every source of events: what differs is where the maps are, which is behind [`Store`].

use std::io;

use reel_compiler::ir::Output;
use reel_lang::hir::{self, MapId};
use reel_lang::span::SourceMap;
use reel_lang::value::Value;

use super::printer::{Effect, Outputs, Printer};
use crate::exit::{Exit, Failure};
use crate::output::map::{Cut, Entry, Table};

/// The halves of a program, as indices of their outputs.
pub const KERNEL: usize = 0;
pub const NATIVE: usize = 1;

/// Emissions: the output's index, and its arguments.
pub type Emissions = Vec<(usize, Vec<Value>)>;

/// Where the maps of a program are.
pub trait Store {
    /// The entries of a map; none where no clause has it.
    ///
    /// # Errors
    /// The kernel's answer.
    fn entries(&self, id: MapId) -> io::Result<Option<Vec<Entry>>>;
    /// Empties a map.
    ///
    /// # Errors
    /// The kernel's answer.
    fn clear(&mut self, id: MapId) -> io::Result<()>;
    /// Sets the values of a map to zero.
    ///
    /// # Errors
    /// The kernel's answer.
    fn zero(&mut self, id: MapId) -> io::Result<()>;

    /// Whether a map has no entry.
    fn is_empty(&self, id: MapId) -> bool {
        self.entries(id).is_ok_and(|entries| entries.is_none_or(|entries| entries.is_empty()))
    }
}

/// What is shown of one program.
pub struct Screen {
    pub printer: Printer,
    outputs: [Outputs; 2],
    program: hir::Program,
    /// What `exit()` said.
    pub exit: Option<Exit>,
}

impl Screen {
    /// Shows a program whose halves have these outputs.
    pub fn new(
        printer: Printer,
        program: hir::Program,
        sources: &SourceMap,
        kernel: &[Output],
        native: &[Output],
    ) -> Self {
        let outputs = [kernel, native].map(|half| Outputs::of(half, sources));
        Screen { printer, outputs, program, exit: None }
    }

    /// How many probes were attached.
    ///
    /// # Errors
    /// The output's.
    pub fn attached(&mut self, count: usize) -> Result<(), Failure> {
        self.printer.attached(count).map_err(|error| cannot("write", &error))
    }

    /// Shows what one half has emitted, up to an `exit()`.
    ///
    /// # Errors
    /// The output's, or the kernel's where a map cannot be read.
    pub fn emit_all(&mut self, half: usize, events: Emissions, store: &mut dyn Store) -> Result<(), Failure> {
        for (index, args) in events {
            if self.exit.is_some() {
                break;
            }
            self.emit(half, index, args, store).map_err(|error| cannot("write", &error))?;
        }
        Ok(())
    }

    fn emit(&mut self, half: usize, index: usize, args: Vec<Value>, store: &mut dyn Store) -> io::Result<()> {
        match self.printer.emit(&self.outputs[half], index, args)? {
            Effect::None => {}
            Effect::Exit(code) => self.exit = Some(Exit::Code(code)),
            Effect::PrintMap(map, cut) => self.print_map(map, cut, store)?,
            Effect::ClearMap(id) => store.clear(id)?,
            Effect::ZeroMap(id) => store.zero(id)?,
        }
        Ok(())
    }

    /// The maps of the program.
    pub fn maps(&self) -> &[hir::Map] {
        &self.program.maps
    }

    /// How many entries a map has, and the map as it is printed; none where no clause has it.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn map_text(&self, id: MapId, cut: Cut, store: &dyn Store) -> io::Result<Option<(usize, String)>> {
        let Some(map) = self.program.maps.iter().find(|map| map.id == id) else { return Ok(None) };
        let Some(entries) = store.entries(id)? else { return Ok(None) };
        let count = entries.len();
        let table = Table { name: &map.name, keys: &map.keys, value: &map.value, entries };
        Ok(Some((count, self.printer.map_text(table, cut))))
    }

    fn print_map(&mut self, id: MapId, cut: Cut, store: &dyn Store) -> io::Result<()> {
        let Some((_, text)) = self.map_text(id, cut, store)? else { return Ok(()) };
        let name = self.program.maps.iter().find(|map| map.id == id).map_or("", |map| map.name.as_str());
        self.printer.show_map(name, &text)
    }

    /// Makes everything visible that was shown.
    ///
    /// # Errors
    /// The output's.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.printer.flush().map_err(|error| cannot("write", &error))
    }

    /// Shows every map that holds something, where the program wants it, and how much was lost.
    ///
    /// # Errors
    /// The output's, or the kernel's.
    pub fn finish(&mut self, lost: u64, store: &dyn Store) -> Result<(), Failure> {
        if self.program.config.print_maps_on_exit {
            self.print_maps(store).map_err(|error| cannot("write", &error))?;
        }
        if lost > 0 {
            self.printer.lost(lost).map_err(|error| cannot("write", &error))?;
        }
        self.flush()
    }

    /// Every map that is not empty, a blank line before each.
    fn print_maps(&mut self, store: &dyn Store) -> io::Result<()> {
        let ids: Vec<MapId> = self.program.maps.iter().map(|map| map.id).collect();
        let mut printed = false;
        for id in ids {
            if !store.is_empty(id) {
                self.printer.blank()?;
                self.print_map(id, Cut::default(), store)?;
                printed = true;
            }
        }
        if printed { self.printer.blank() } else { Ok(()) }
    }
}

/// A reader that has gone (`| head`) ends the run without a word.
pub fn cannot(what: &str, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::new(Exit::Passed, ""),
        _ => Failure::new(Exit::Machine, format!("cannot {what}: {error}")),
    }
}
