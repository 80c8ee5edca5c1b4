//! A case of replay: its recording, its rules and its app, and what the replay came to.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reel_lang::diagnostic::Severity;
use reel_lang::schema::Direction;
use reel_lang::span::SourceMap;

use super::app::Transcript;
use super::capture::{Recorded, macs_by_number};
use super::file::{Case, File};
use super::real::Real;
use super::traffic::Line;
use crate::engine::environment::Machine;
use crate::exit::{Exit, Failure};
use crate::mock::Aliases;
use crate::recording::{
    Attribution, Cue, EffectRef, MockId, Recording, Scope, SecretsRef, Test, TestId, secrets, testing::Maker,
};
use crate::replay::{Options, Run, replay};
use crate::report;
use crate::rules::Ruleset;
use crate::rules::load::{LoadError, compile};

/// Rules by their text, each compiled once, and what the compiler says of them.
#[derive(Default)]
pub(super) struct Compiled(HashMap<String, (Option<Arc<Ruleset>>, String)>);

impl Compiled {
    pub(super) fn rules(&mut self, text: &str) -> (Option<Arc<Ruleset>>, String) {
        self.0.entry(text.to_owned()).or_insert_with(|| rules(text)).clone()
    }
}

/// Rules of a file that is called `mine.rr`, after stdlib's.
fn rules(text: &str) -> (Option<Arc<Ruleset>>, String) {
    let mut sources = SourceMap::new();
    for (name, text) in reel_stdlib::files() {
        sources.add(format!("stdlib {name}"), *text);
    }
    sources.add("mine.rr", text);
    let (rules, said) = match compile(&sources, &Machine::default()) {
        Ok((rules, warnings)) => (Some(Arc::new(rules)), warnings),
        Err(LoadError::Faults(faults)) => (None, faults.0),
        Err(LoadError::Compiler(reason)) => panic!("{reason}"),
    };
    let mut text = String::new();
    for told in &said {
        let word = if told.code.severity() == Severity::Warning { "warning" } else { "error" };
        let _ = writeln!(text, "{word}[{}] {}: {}", told.code, sources.place(told.span), told.message);
    }
    (rules, text)
}

/// Replays a case under rules: what the compiler says of them, what the app saw of its calls, and the report.
pub(super) fn answer(compiled: &mut Compiled, file: &File, case: &Case, rules: &str) -> String {
    let (rules, mut out) = compiled.rules(rules);
    let Some(rules) = rules else { return format!("{out}exit {}\n", Exit::Usage.code()) };
    let mut app = Transcript::new(file.section(case, "app"));
    let run = run(file, case, rules, &mut app);
    out += &app.seen();
    let exit = match run {
        Ok(Some(run)) => {
            report::agreement::check(&run);
            out += &anstream::adapter::strip_str(&report::text(&run)).to_string();
            run.exit()
        }
        Ok(None) => Exit::Passed,
        Err(failure) => {
            let _ = writeln!(out, "error: {}", failure.message);
            failure.exit
        }
    };
    let _ = writeln!(out, "exit {}", exit.code());
    without_lines(&macs_by_number(&out))
}

/// Leaves out the lines of stdlib's rules, which move with every edit there.
fn without_lines(text: &str) -> String {
    let mut parts = text.split("(default)").peekable();
    let mut out = String::new();
    while let Some(part) = parts.next() {
        match part.rsplit_once(':') {
            Some((before, _)) if parts.peek().is_some() => out = out + before + " (default)",
            _ => out += part,
        }
    }
    out
}

/// Records and replays, or replays alone.
fn run(file: &File, case: &Case, rules: Arc<Ruleset>, app: &mut Transcript) -> Result<Option<Run>, Failure> {
    let traffic = file.section(case, "traffic");
    let wanted = Wanted::read(file.section(case, "options"), file.section(case, "app"));
    let nowhere = tempfile::tempdir().unwrap();
    if traffic.is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let recording = recording(file.section(case, "recorded")).write(&folder.path().join("recording"));
        return replay_of(&recording, nowhere.path(), wanted, rules, app).map(Some);
    }
    let recorded = Recorded::make(traffic, rules.as_ref());
    app.note(&recorded.errors);
    app.note(&recorded.text(&wanted.hidden));
    if file.section(case, "app").is_empty() {
        return Ok(None);
    }
    let state = if wanted.is_elsewhere { nowhere.path().to_owned() } else { recorded.state() };
    replay_of(&Arc::new(Recording::open(&recorded.dir())?), &state, wanted, rules, app).map(Some)
}

/// How long a replay waits for calls that are missing.
const SHORT: Duration = Duration::from_millis(60);
/// The same where the app makes calls after its response: a slow machine may be late with them.
const LONG: Duration = Duration::from_secs(5);

/// What the options of a case ask for.
struct Wanted<'a> {
    options: Options,
    secrets: Vec<(String, Vec<u8>)>,
    aliases: Vec<String>,
    reals: Vec<&'a str>,
    /// What must not be found in a recording.
    hidden: Vec<&'a str>,
    /// On a machine that does not have the recording's secrets.
    is_elsewhere: bool,
}

impl<'a> Wanted<'a> {
    fn read(text: &'a str, app: &str) -> Self {
        let settle_at_most = if app.contains("\n  later ") { LONG } else { SHORT };
        let options = Options { settle_at_most, ..Options::default() };
        let (secrets, aliases, reals, hidden) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut wanted = Wanted { options, secrets, aliases, reals, hidden, is_elsewhere: false };
        for line in text.lines() {
            let (name, value) = line.split_once(' ').unwrap_or((line, ""));
            match name {
                "only" => wanted.options.only = Some(value.to_owned()),
                "test-timeout-ms" => wanted.options.test_at_most = Duration::from_millis(value.parse().unwrap()),
                "alias" => wanted.aliases.push(value.to_owned()),
                "real" => wanted.reals.push(value),
                "secret" => {
                    wanted.secrets.push(value.split_once('=').map(|(n, v)| (n.to_owned(), v.into())).unwrap());
                }
                "hidden" => wanted.hidden.push(value),
                "elsewhere" => wanted.is_elsewhere = true,
                other => panic!("no option `{other}`"),
            }
        }
        wanted
    }
}

fn replay_of(
    recording: &Arc<Recording>,
    state: &Path,
    wanted: Wanted<'_>,
    rules: Arc<Ruleset>,
    app: &mut Transcript,
) -> Result<Run, Failure> {
    let mut options = wanted.options;
    options.aliases = Aliases::read(&wanted.aliases, recording.as_ref())?;
    let supplied = secrets::supply(recording, &recording.chosen(None), &wanted.secrets, state)?;
    let reals: Vec<Real> = wanted.reals.into_iter().map(Real::start).collect();
    // The folder has another name each time.
    let dir = recording.dir.display().to_string();
    let run = replay(recording, &supplied, rules, &options, app, &mut ())
        .map_err(|failure| Failure { message: failure.message.replace(&dir, "recordings/table"), ..failure });
    reals.into_iter().for_each(|real| app.note(&real.heard()));
    run
}

/// Makes a recording of lines: an incoming exchange and below it its calls. `start`, `between` and `shared` stand for those that
/// belong to the start-up, to no test, and to one of all tests.
fn recording(text: &str) -> Maker {
    let mut maker = Maker::default();
    let (mut shared, mut scope, mut attribution) = (Vec::new(), Scope::Test, Attribution::Window);
    for line in text.lines().filter(|line| !line.is_empty()) {
        let Some(call) = line.strip_prefix("  ") else {
            (scope, attribution) = match line {
                "start" => (Scope::Startup, Attribution::Window),
                "between" => (Scope::Background, Attribution::Window),
                "shared" => (Scope::Test, Attribution::Candidate),
                _ => (Scope::Test, Attribution::Window),
            };
            if !["start", "between", "shared"].contains(&line) {
                add_test(&mut maker, line);
            }
            continue;
        };
        let line = Line::call(call);
        let cue = line.words.is_empty().then_some(Cue::Connect);
        let mock = maker.mock(scope, cue, line.exchange(Direction::Out));
        match (scope, attribution) {
            (Scope::Test, Attribution::Candidate) => shared.push(mock),
            (Scope::Test, _) => effect(&mut maker, mock, attribution),
            _ => {}
        }
    }
    for test in &mut maker.tests {
        let refs = shared.iter().map(|mock| EffectRef { mock: mock.clone(), attribution: Attribution::Candidate });
        test.effects.extend(refs);
    }
    maker.about.secrets = tokens(text);
    maker
}

fn add_test(maker: &mut Maker, line: &str) {
    let id = TestId(maker.tests.len() as u32 + 1);
    let exchange = Line::incoming(line).exchange(Direction::In);
    let tests = &mut maker.tests;
    tests.push(Test { id, slug: "test".into(), exchange, effects: Vec::new(), tags: Vec::new(), flows: Vec::new() });
}

fn effect(maker: &mut Maker, mock: MockId, attribution: Attribution) {
    let test = maker.tests.last_mut().unwrap();
    test.effects.push(EffectRef { mock, attribution });
}

/// The tokens of secrets in a text.
fn tokens(text: &str) -> Option<SecretsRef> {
    let inner = text.split("{{secret:").skip(1).filter_map(|rest| rest.split("}}").next()?.split_once(':'));
    let mut tokens: Vec<(String, String)> = inner.map(|(name, token)| (name.to_owned(), token.to_owned())).collect();
    tokens.sort();
    tokens.dedup();
    (!tokens.is_empty()).then(|| SecretsRef { id: "00".into(), tokens })
}
