//! The commands of the prompt: a registry, and how one is told from a program.

use super::input::Input;

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    List,
    Stop,
    Wait,
    Maps,
    Print,
    Clear,
    Run,
    Live,
    From,
    Pcap,
    Plan,
    Probes,
    Doc,
    Load,
    Save,
    Help,
    Quit,
}

/// A command as a user sees it.
#[derive(Debug, Clone, Copy)]
pub struct Command {
    pub verb: Verb,
    /// With its colon; the others are short for it.
    pub names: &'static [&'static str],
    /// What follows the name, for people.
    pub arguments: &'static str,
    pub doc: &'static str,
}

/// All commands, in the order of the help.
pub const COMMANDS: &[Command] = &[
    command(Verb::List, &[":list", ":ls"], "", "what runs, each with its number"),
    command(Verb::Stop, &[":stop"], "[N]", "end a clause or a command; without N the newest (also Ctrl-C)"),
    command(Verb::Run, &[":run"], "COMMAND", "start a command, for clauses to listen to"),
    command(
        Verb::Live,
        &[":live"],
        "[run | PID | CGROUP]",
        "message clauses listen to the whole machine, or to the commands of `:run`, a process, a cgroup",
    ),
    command(Verb::From, &[":from"], "DIR", "message clauses run over a recording, each once to its end"),
    command(
        Verb::Pcap,
        &[":pcap"],
        "FILE [ADDR[:PORT]...]",
        "message clauses run over a packet file, each once to its end; the app is at these addresses",
    ),
    command(
        Verb::Wait,
        &[":wait"],
        "",
        "wait until the commands of `:run` have ended; where there are none, the clauses",
    ),
    command(Verb::Maps, &[":maps"], "", "the maps, and how many entries each has"),
    command(Verb::Print, &[":print", ":p"], "@MAP [TOP]", "a map: all of it, or the TOP greatest entries"),
    command(Verb::Clear, &[":clear"], "[@MAP]", "empty a map, or all"),
    command(Verb::Plan, &[":plan"], "[N | CLAUSE]", "where each part of a clause runs, and why"),
    command(
        Verb::Probes,
        &[":probes"],
        "[-v] PATTERN",
        "what can be attached to: `*open*`, `http:*`, `uprobe:libc:mal*`; with `-v` what can be asked of each",
    ),
    command(Verb::Doc, &[":doc"], "NAME", "what a function, a value, a field, a protocol or a command is"),
    command(Verb::Load, &[":load"], "FILE", "enter what a file holds"),
    command(Verb::Save, &[":save"], "FILE", "write the definitions and the clauses that run to a new file"),
    command(Verb::Help, &[":help", ":h", ":?"], "", "this text"),
    command(Verb::Quit, &[":quit", ":q", ":exit"], "", "detach everything and leave (also Ctrl-D)"),
];

const fn command(verb: Verb, names: &'static [&'static str], arguments: &'static str, doc: &'static str) -> Command {
    Command { verb, names, arguments, doc }
}

impl Command {
    /// The command that a text calls, and what follows its name.
    pub fn of(text: &str) -> Input<'_> {
        let (name, argument) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        match COMMANDS.iter().find(|command| command.names.contains(&name)) {
            Some(command) => Input::Command(command.verb, argument.trim()),
            None => Input::Unknown(name),
        }
    }

    /// `:stop [N]`
    pub fn form(&self) -> String {
        format!("{} {}", self.names.first().copied().unwrap_or_default(), self.arguments).trim_end().to_owned()
    }
}

/// The text of `:help`.
pub fn help() -> String {
    let mut out = "\
Enter a clause: it is attached at once, and what it prints is shown above the prompt until it is stopped.
  tracepoint:raw_syscalls:sys_enter { @[comm] = count(); }
  http:exchange { printf(\"%s %s %d\\n\", method, path, status); }
An input ends with its last closing bracket. Macros, noise classes and other definitions that are entered alone stay.

"
    .to_owned();
    for command in COMMANDS {
        out += &format!("  {:<20} {}\n", command.form(), command.doc);
    }
    out
}
