//! One program through all engines, to the text that it prints.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use reel::cli::Format;
use reel::engine::compile::{self, Kernel};
use reel::engine::environment::Machine;
use reel::engine::names::ProgramNames;
use reel::engine::printer::Printer;
use reel::engine::run::{Run, Shown};
use reel::engine::screen::{Emissions, NATIVE, Screen, Store};
use reel::exit::Failure;
use reel::output::map::{Cell, Entry};
use reel_compiler::bpf;
use reel_compiler::eval::Evaluator;
use reel_compiler::jit::{Native, Record};
use reel_compiler::lower::{NativeClause, NativeModule};
use reel_compiler::native::View;
use reel_compiler::native::host::{Event, Recorder};
use reel_compiler::native::maps::Cell as NativeCell;
use reel_lang::check::Options;
use reel_lang::hir::{self, Header, MapId};
use reel_lang::span::SourceMap;
use reel_lang::value::Value;

use super::{interpret, make};

/// Messages that a program of messages sees.
const MESSAGES: usize = 5;

/// What there is to run on.
#[derive(Debug, Clone, Copy)]
pub struct Engines {
    pub kernel: bool,
}

impl Engines {
    /// Finds out whether this process may load programs.
    pub fn find() -> Engines {
        let outcome = run("begin { @ = 1; }", 0, Engines { kernel: true });
        Engines { kernel: matches!(outcome, Outcome::Agreed { .. }) }
    }
}

/// How a program went.
#[derive(Debug)]
pub enum Outcome {
    Agreed {
        /// Whether rbpf ran it too, or why not.
        interpreted: Result<(), String>,
    },
    /// The checker, or one half's lowering, does not take it.
    Refused(String),
    /// The verifier gave up, or the frame is too large.
    TooLarge,
    Differed(String),
}

/// Output that is read back.
#[derive(Clone, Default)]
pub struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs a program everywhere; `seed` draws the messages.
pub fn run(text: &str, seed: u64, engines: Engines) -> Outcome {
    let (sources, file) = SourceMap::single("program", text);
    let machine = Machine::default();
    let front = compile::front(&sources, &[file], &machine, &Options::default());
    let (program, _) = match front {
        Ok(program) => program,
        Err(faults) => return Outcome::Refused(shown(&faults, &sources)),
    };
    let module = match compile::native_only(&program) {
        Ok(module) => module,
        Err(faults) => return Outcome::Refused(shown(&faults, &sources)),
    };
    let natively = Natively { sources: &sources, program: &program, module: &module, seed };
    let evaluator = Evaluator::new(&module.module).unwrap();
    let wanted = natively.run(|function, fields, host| {
        let views: Vec<View<'_>> = fields.iter().map(View::of).collect();
        evaluator.call(function as usize, &views, host).unwrap()
    });
    let native = Native::compile(&module.module).unwrap();
    let compiled = natively.run(|function, fields, host| native.call(function as usize, &Record::of(fields), host));
    if compiled != wanted {
        return differed("native code", &compiled, &wanted);
    }
    let is_message = |clause: &hir::Clause| matches!(clause.header, Header::Message(_));
    if program.clauses.iter().any(is_message) {
        return Outcome::Agreed { interpreted: Err("messages".to_owned()) };
    }
    let kernel = match for_kernel(&sources, &program, &machine) {
        Ok(kernel) => kernel,
        Err(outcome) => return outcome,
    };
    let interpreted = match interpret::interpreted(&sources, program.clone(), &kernel) {
        Ok(found) if found != wanted => return differed("rbpf", &found, &wanted),
        interpreted => interpreted.map(|_| ()),
    };
    if !engines.kernel {
        return Outcome::Agreed { interpreted };
    }
    match in_kernel(&sources, program, kernel) {
        Ok(found) if found == wanted => Outcome::Agreed { interpreted },
        Ok(found) => differed("the kernel", &found, &wanted),
        Err(failure) => Outcome::Differed(format!("the kernel refuses: {failure}")),
    }
}

fn shown(faults: &compile::Faults, sources: &SourceMap) -> String {
    use reel_lang::diagnostic::render::{self, Colour};
    render::text_all(&faults.0, sources, Colour::Plain)
}

fn differed(who: &str, found: &str, wanted: &str) -> Outcome {
    Outcome::Differed(format!("-- {who}:\n{found}\n-- the evaluator:\n{wanted}"))
}

/// Compiles a program for the kernel.
fn for_kernel(sources: &SourceMap, program: &hir::Program, machine: &Machine) -> Result<Kernel, Outcome> {
    let options = bpf::Options { ring_len_bytes: 1 << 20, ..bpf::Options::default() };
    let kernel = compile::kernel(program, machine, &compile::kernel_options(), &options);
    kernel.map_err(|faults| {
        let text = shown(&faults, sources);
        if text.contains("E0802") || text.contains("too large") { Outcome::TooLarge } else { Outcome::Refused(text) }
    })
}

fn in_kernel(sources: &SourceMap, program: hir::Program, kernel: Kernel) -> Result<String, Failure> {
    let page = Page::default();
    let sinks = Shown { out: Box::new(page.clone()), errors: Box::new(page.clone()), format: Format::Text };
    let mut run = Run::start(sources, program, kernel, None, sinks, |_| unreachable!("there are no messages"))?;
    run.take_events()?;
    run.finish()?;
    Ok(page.text())
}

/// A program to run without a kernel.
struct Natively<'a> {
    sources: &'a SourceMap,
    program: &'a hir::Program,
    module: &'a NativeModule,
    seed: u64,
}

impl Natively<'_> {
    /// Runs `begin`, the messages and `end`, by one way of calling functions, and gives all that was printed.
    fn run(&self, mut call: impl FnMut(u32, &[Value], &mut Recorder) -> i64) -> String {
        let page = Page::default();
        let names = Box::new(ProgramNames::new(Vec::new(), Vec::new()));
        let printer = Printer::new(Box::new(page.clone()), Box::new(page.clone()), Format::Text, names);
        let outputs = &self.module.module.outputs;
        let mut screen = Screen::new(printer, self.program.clone(), self.sources, &[], outputs);
        let mut host = Host { module: self.module, recorder: Recorder::new(&self.module.module) };
        for (clause, fields) in self.order() {
            let holds = clause.predicate.is_none_or(|function| call(function, &fields, &mut host.recorder) != 0);
            if holds && let Some(body) = clause.body {
                call(body, &fields, &mut host.recorder);
            }
            let events = host.events();
            screen.emit_all(NATIVE, events, &mut host).unwrap();
        }
        screen.finish(0, &host).unwrap();
        page.text()
    }

    /// Which clause runs when, and on which message.
    fn order(&self) -> Vec<(&NativeClause, Vec<Value>)> {
        let clauses = || {
            self.module.clauses.iter().map(|made| {
                let clause = self.program.clauses.iter().find(|clause| clause.id == made.clause).unwrap();
                (made, &clause.header)
            })
        };
        let moments = |name: &str| {
            let is_it = |header: &Header| matches!(header, Header::Kernel(points) if points[0].name == name);
            clauses().filter(move |(_, header)| is_it(header)).map(|(made, _)| (made, Vec::new())).collect::<Vec<_>>()
        };
        let mut order = moments("begin");
        for message in make::messages(self.seed, MESSAGES) {
            let of = clauses().filter(|(_, header)| matches!(header, Header::Message(_)));
            order.extend(of.map(|(made, _)| (made, message.clone())));
        }
        order.extend(moments("end"));
        order
    }
}

/// Maps and emissions of a native run.
struct Host<'a> {
    module: &'a NativeModule,
    recorder: Recorder,
}

impl Host<'_> {
    fn events(&mut self) -> Emissions {
        let emitted = |event| match event {
            Event::Emit(output, args) => (output.0 as usize, args),
            other => panic!("a native clause sends values: {other:?}"),
        };
        self.recorder.events.drain(..).map(emitted).collect()
    }

    fn index(&self, id: MapId) -> Option<u32> {
        self.module.module.maps.iter().position(|def| def.script == Some(id)).map(|index| index as u32)
    }
}

impl Store for Host<'_> {
    fn entries(&self, id: MapId) -> io::Result<Option<Vec<Entry>>> {
        let entry = |(key, cell): (&[Value], &NativeCell)| Entry {
            key: key.to_vec(),
            cell: match cell {
                NativeCell::Plain(value) => Cell::Value(value.clone()),
                NativeCell::Agg(state) => Cell::Agg(state.value()),
            },
        };
        Ok(self.index(id).map(|index| self.recorder.maps.entries(index).map(entry).collect()))
    }

    fn clear(&mut self, id: MapId) -> io::Result<()> {
        if let Some(index) = self.index(id) {
            self.recorder.maps.clear(index);
        }
        Ok(())
    }

    fn zero(&mut self, id: MapId) -> io::Result<()> {
        if let Some(index) = self.index(id) {
            self.recorder.maps.zero(index);
        }
        Ok(())
    }
}
