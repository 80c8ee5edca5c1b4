//! One language on both sides: what kernel probes can say, message probes can, and it means the same.
//!
//! The files of `tests/sides` have a line for each value, function, statement, operator, format and kind of map. A line runs in a
//! `begin`, or where its probe fires, and over a packet file with one exchange. A name of the registry that no line is about fails the
//! test: whoever adds a builtin says what it is worth on messages.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use reel_compiler::builtins;
use reel_lang::schema::CONN_FIELDS;
use reel_probes::doctor::Capability;
use reel_tests::pcap::{From, PacketFile};
use reel_tests::process::root;
use tempfile::TempDir;

use super::support::{Ran, folder, reel};

/// Programs of a file, by what each is about.
fn lines(file: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join("tests/sides").join(file)).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, program) = line.split_once(": ").unwrap_or_else(|| panic!("{file}: {line}"));
            let is_whole = program.contains("PROBE");
            (name.to_owned(), if is_whole { program.to_owned() } else { format!("PROBE {{ {program} }}") })
        })
        .collect()
}

/// One exchange in a packet file.
struct Exchange {
    folder: TempDir,
}

impl Exchange {
    fn make() -> Exchange {
        let folder = folder();
        let mut file = PacketFile::new(fs::File::create(folder.path().join("one.pcap")).unwrap()).unwrap();
        let mut connection = file.open(1).unwrap();
        let request = b"GET /a?page=2 HTTP/1.1\r\nHost: Shop\r\n\r\n";
        file.send(&mut connection, From::Client, request).unwrap();
        file.send(&mut connection, From::Server, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
        file.close(&mut connection).unwrap();
        Exchange { folder }
    }

    /// Runs a program's clauses on the exchange.
    fn hear(&self, program: &str) -> Ran {
        let program = program.replace("PROBE", "http:exchange");
        Ran::of(reel(["-q", "-e", &program, "--pcap"]).arg(self.path()).args(PARAMETERS))
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("one.pcap")
    }
}

/// `$1` and `$2`.
const PARAMETERS: [&str; 2] = ["7", "word"];

/// Runs a program's clauses in the kernel. The header is as long as that of messages, so that places are the same.
fn begin(program: &str) -> Ran {
    Ran::of(reel(["-q", "-e", &program.replace("PROBE", "begin        ")]).args(PARAMETERS))
}

/// What was printed, but for what reel itself says.
fn printed(ran: &Ran) -> (Option<i32>, &str, Vec<&str>) {
    (ran.code, &ran.out, ran.err.lines().filter(|line| !line.starts_with("reel: ")).collect())
}

#[test]
fn what_both_sides_can_say_means_the_same() {
    if !Capability::RawTracepoint.needs() {
        return;
    }
    let exchange = Exchange::make();
    for (name, program) in lines("same.txt") {
        let (kernel, message) = (begin(&program), exchange.hear(&program));
        assert_eq!(printed(&kernel), printed(&message), "{name}: in the kernel, on a message: {program}");
        let is_silent = ["no body", "discard"].contains(&name.as_str());
        assert_eq!(kernel.out.trim().is_empty() && kernel.err.is_empty(), is_silent, "{name} prints: {program}");
    }
}

#[test]
fn what_each_side_knows_for_itself_it_prints() {
    if !Capability::RawTracepoint.needs() {
        return;
    }
    let exchange = Exchange::make();
    for (name, program) in lines("own.txt") {
        let kernel = begin(&program).exits(0);
        assert!(!kernel.out.is_empty(), "{name}");
        if is_field(&name) {
            let program = program.replace("PROBE", "http:exchange");
            Ran::of(&mut reel(["--dry-run", "-e", &program])).exits(0);
            continue;
        }
        let message = exchange.hear(&program).exits(0);
        assert_eq!(kernel.out.lines().count(), message.out.lines().count(), "{name}: {}{}", kernel.out, message.out);
    }
    exchange.hear("PROBE { print(probe); @[probe] = count(); }").prints("http:exchange\n\n@[http:exchange]: 1\n");
}

#[test]
fn a_value_of_the_kernel_alone_is_an_error_that_says_why() {
    if ![Capability::Tracepoint, Capability::Uprobe].iter().all(|capability| capability.needs()) {
        return;
    }
    let exchange = Exchange::make();
    let command = exchange.folder.path().join("reel-sides");
    fs::copy("/bin/echo", &command).unwrap();
    for (name, program) in lines("kernel.txt") {
        let ran = in_kernel(&program, &command, &[]);
        assert!(!ran.out.trim().is_empty(), "{name} prints: {program}\n{}", ran.err);
        has_no_meaning_on_messages(&name, &exchange);
    }
    for (name, program) in lines("kernel_compiled.txt") {
        in_kernel(&program, &command, &["--dry-run"]);
        has_no_meaning_on_messages(&name, &exchange);
    }
}

/// Runs a program where its probe fires in a command.
fn in_kernel(program: &str, command: &Path, options: &[&str]) -> Ran {
    let header = match program.starts_with("PROBE") {
        true => "begin",
        false => "/comm == \"reel-sides\"/",
    };
    let program = program.replace("PROBE", header);
    Ran::of(reel(["-q", "--unsafe", "-e", &program, "-c"]).arg(command).args(options)).exits(0)
}

#[track_caller]
fn has_no_meaning_on_messages(name: &str, exchange: &Exchange) {
    let call = if builtins::function(name).is_some() { "(EPERM)" } else { "" };
    let ran = exchange.hear(&format!("PROBE {{ print({name}{call}); }}")).exits(2);
    let elsewhere = builtins::elsewhere(name).unwrap_or_else(|| panic!("{name} has no reason"));
    ran.says("error[E0204]").says(elsewhere.why).says(elsewhere.remedy);
}

#[test]
fn what_only_messages_have_is_an_error_in_the_kernel() {
    let exchange = Exchange::make();
    for (name, program) in lines("messages.txt") {
        let ran = exchange.hear(&program).exits(0);
        assert!(!ran.out.trim().is_empty(), "{name}");
        begin(&format!("PROBE {{ print({name}(\"1\")); }}")).exits(2).says("error[E0204]").says("clauses on messages");
    }
}

#[test]
fn every_name_has_a_line() {
    let files = ["same.txt", "own.txt", "kernel.txt", "kernel_compiled.txt", "messages.txt"];
    let mut found: Vec<String> = fs::read_dir(root().join("tests/sides"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    let mut read = files.map(str::to_owned);
    read.sort();
    assert_eq!(found, read, "a file that no test reads");
    let about: BTreeSet<String> = files.iter().flat_map(|file| lines(file)).map(|(name, _)| name).collect();
    let is_trusted = |name: &str| {
        let places = builtins::builtin(name).map(|value| value.places);
        places.or_else(|| builtins::function(name).map(|call| call.places)).is_some_and(|places| places.trusted)
    };
    let missing: Vec<_> =
        builtins::names().iter().filter(|name| !is_trusted(name) && !about.contains(**name)).collect();
    assert!(missing.is_empty(), "tests/sides has no line about {missing:?}");
}

/// Whether messages have it as a field of their connection.
fn is_field(name: &str) -> bool {
    CONN_FIELDS.iter().any(|(field, ..)| *field == name)
}
