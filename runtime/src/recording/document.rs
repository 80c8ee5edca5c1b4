//! The documents of a recording: a test, a mock, `recording.yaml`, `timing.yaml`; each way round.

use std::io;

use jiff::Timestamp;
use reel_lang::schema::Direction;

use super::bodies::Bodies;
use super::fields::{self, Entry, Fields};
use super::message::{self, read_exchange, word, write_exchange};
use super::model::{
    About, Attribution, Circumstance, Cue, EffectRef, Losses, Mock, MockId, Scope, SecretsRef, Test, TestId,
};
use super::yaml::{Fault, Node};
use super::{flows, layout};

/// The newest format version, which is the one that is written.
pub(super) const FORMAT: u32 = 1;

pub(super) fn write_test(test: &Test, bodies: &mut dyn Bodies) -> io::Result<Node> {
    let protocol = protocol(&test.exchange.protocol)?;
    let mut entries = vec![("test", Node::plain(test.id.0)), ("protocol", Node::text(&test.exchange.protocol))];
    write_exchange(&test.exchange, protocol, &mut entries, bodies)?;
    entries.push(("effects", Node::seq(test.effects.iter().map(write_effect).collect())));
    if !test.flows.is_empty() {
        entries.push(("flows", Node::seq(test.flows.iter().map(flows::write).collect())));
    }
    write_tags(&test.tags, &mut entries);
    Ok(Node::map(entries))
}

fn write_tags(tags: &[String], entries: &mut Vec<(&str, Node)>) {
    if !tags.is_empty() {
        entries.push(("tags", Node::seq(tags.iter().map(Node::text).collect())));
    }
}

fn read_tags(fields: &mut Fields<'_>) -> Result<Vec<String>, Fault> {
    fields.list("tags")?.iter().map(|tag| fields::text(tag, "tags").map(str::to_owned)).collect()
}

fn protocol(name: &str) -> io::Result<&'static dyn reel_protocols::Protocol> {
    message::protocol(name, 0).map_err(|fault| io::Error::new(io::ErrorKind::InvalidInput, fault.reason))
}

fn write_effect(effect: &EffectRef) -> Node {
    Node::map([(effect.attribution.name(), Node::text(effect.mock.to_string()))])
}

pub(super) fn read_test(node: &Node, slug: &str, bodies: &dyn Bodies) -> Result<Test, Fault> {
    let mut fields = Fields::of(node, "a test")?;
    let id = TestId(fields.parsed("test", "a number")?);
    let protocol = message::protocol(fields.text("protocol")?, node.line)?;
    let exchange = read_exchange(protocol, Direction::In, &mut fields, bodies)?;
    let effects = fields.list("effects")?.iter().map(read_effect).collect::<Result<_, _>>()?;
    let flows = fields.list("flows")?.iter().map(flows::read).collect::<Result<_, _>>()?;
    let tags = read_tags(&mut fields)?;
    fields.done()?;
    Ok(Test { id, slug: slug.to_owned(), exchange, effects, tags, flows })
}

fn read_effect(node: &Node) -> Result<EffectRef, Fault> {
    let mut fields = Fields::of(node, "an effect")?;
    for attribution in Attribution::ALL {
        if let Some(id) = fields.take(attribution.name()) {
            fields.done()?;
            return Ok(EffectRef { mock: mock_id(id, fields::text(id, "effects")?)?, attribution });
        }
    }
    let names = Attribution::ALL.map(Attribution::name).join(", ");
    Err(fields.fault(format!("an effect is the id of a mock under one of {names}")))
}

fn mock_id(node: &Node, text: &str) -> Result<MockId, Fault> {
    text.parse().map_err(|reason| Fault { line: node.line, reason })
}

pub(super) fn write_mock(mock: &Mock, bodies: &mut dyn Bodies) -> io::Result<Node> {
    let protocol = protocol(&mock.exchange.protocol)?;
    let mut entries = vec![("id", Node::text(mock.id.to_string()))];
    if mock.scope != Scope::Test {
        entries.push(("scope", Node::text(mock.scope.name())));
    }
    match &mock.cue {
        None => {}
        Some(Cue::Connect) => entries.push(("cue", Node::text("connect"))),
        Some(Cue::After(id)) => entries.push(("cue", Node::text(format!("after {id}")))),
    }
    write_exchange(&mock.exchange, protocol, &mut entries, bodies)?;
    write_tags(&mock.tags, &mut entries);
    Ok(Node::map(entries))
}

pub(super) fn read_mock(node: &Node, bodies: &dyn Bodies) -> Result<Mock, Fault> {
    let mut fields = Fields::of(node, "a mock")?;
    let id = fields.need("id")?;
    let id = mock_id(id, fields::text(id, "id")?)?;
    let scope = fields.take("scope").map(|node| word(node, "scope", &Scope::ALL, Scope::name)).transpose()?;
    let cue = fields.take("cue").map(read_cue).transpose()?;
    let protocol = message::protocol(&id.protocol, node.line)?;
    let exchange = read_exchange(protocol, Direction::Out, &mut fields, bodies)?;
    let tags = read_tags(&mut fields)?;
    fields.done()?;
    Ok(Mock { id, scope: scope.unwrap_or(Scope::Test), cue, exchange, tags })
}

fn read_cue(node: &Node) -> Result<Cue, Fault> {
    let text = fields::text(node, "cue")?;
    match text.strip_prefix("after ") {
        Some(id) => Ok(Cue::After(mock_id(node, id)?)),
        None if text == "connect" => Ok(Cue::Connect),
        None => Err(Fault { line: node.line, reason: format!("`cue` is `connect` or `after ID`, found `{text}`") }),
    }
}

/// How many tests and mocks of a protocol a recording says it holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Count {
    pub(super) protocol: String,
    pub(super) tests: u32,
    pub(super) mocks: u32,
}

/// `recording.yaml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) complete: bool,
    pub(super) about: About,
    pub(super) counts: Vec<Count>,
}

pub(super) fn write_head(head: &Head) -> Node {
    let about = &head.about;
    let mut entries = vec![
        ("format", Node::plain(FORMAT)),
        ("complete", Node::plain(head.complete)),
        ("tool", Node::text(&about.tool)),
        ("command", Node::seq(about.command.iter().map(Node::text).collect())),
        ("clock", Node::text(&about.clock)),
    ];
    let count = |count: &Count| {
        let entry = Node::map([("tests", Node::plain(count.tests)), ("mocks", Node::plain(count.mocks))]);
        (count.protocol.clone(), entry)
    };
    entries.push(("protocols", Node::map(head.counts.iter().map(count))));
    if let Some(exit) = about.app_exit {
        entries.push(("app_exit", Node::plain(exit)));
    }
    let losses = about.losses.named().map(|(name, count)| (name, Node::plain(count)));
    entries.push(("losses", Node::map(losses)));
    if let Some(secrets) = &about.secrets {
        let tokens = secrets.tokens.iter().map(|(name, token)| (name.as_str(), Node::text(token)));
        let entry = Node::map([("id", Node::text(&secrets.id)), ("tokens", Node::map(tokens))]);
        entries.push(("secrets", entry));
    }
    Node::map(entries)
}

/// Reads the format version and the tool's name alone: all that another version's file surely has.
pub(super) fn read_format(node: &Node) -> Result<(u32, String), Fault> {
    let mut fields = Fields::of(node, "recording.yaml")?;
    Ok((fields.parsed("format", "a number")?, fields.text_if("tool")?.unwrap_or("of that version").to_owned()))
}

pub(super) fn read_head(node: &Node) -> Result<Head, Fault> {
    let mut fields = Fields::of(node, "recording.yaml")?;
    fields.parsed::<u32>("format", "a number")?;
    let complete = fields.parsed("complete", "`true` or `false`")?;
    let tool = fields.text("tool")?.to_owned();
    let command = fields.list("command")?.iter().map(|word| fields::text(word, "command").map(str::to_owned));
    let command = command.collect::<Result<_, _>>()?;
    let clock = fields.text("clock")?.to_owned();
    let mut counts = Vec::new();
    for Entry { key: protocol, node, .. } in Fields::of(fields.need("protocols")?, "`protocols`")?.rest() {
        let mut entry = Fields::of(node, "an entry of `protocols`")?;
        let (tests, mocks) = (entry.parsed("tests", "a number")?, entry.parsed("mocks", "a number")?);
        counts.push(Count { protocol: protocol.to_owned(), tests, mocks });
    }
    let app_exit = fields.parsed_if("app_exit", "a number")?;
    let mut entry = Fields::of(fields.need("losses")?, "`losses`")?;
    let losses = Losses {
        dropped_events: entry.parsed("dropped_events", "a number")?,
        missing_bytes: entry.parsed("missing_bytes", "a number")?,
        undecoded_bytes: entry.parsed("undecoded_bytes", "a number")?,
        encrypted_connections: entry.parsed("encrypted_connections", "a number")?,
    };
    entry.done()?;
    let secrets = fields.take("secrets").map(read_secrets).transpose()?;
    fields.done()?;
    Ok(Head { complete, about: About { tool, command, clock, app_exit, losses, secrets }, counts })
}

fn read_secrets(node: &Node) -> Result<SecretsRef, Fault> {
    let mut fields = Fields::of(node, "`secrets`")?;
    let id = fields.text("id")?.to_owned();
    let tokens = Fields::of(fields.need("tokens")?, "`tokens`")?.rest();
    let token = |entry: Entry<'_>| Ok((entry.key.to_owned(), fields::text(entry.node, entry.key)?.to_owned()));
    let tokens = tokens.into_iter().map(token);
    let tokens = tokens.collect::<Result<_, Fault>>()?;
    fields.done()?;
    Ok(SecretsRef { id, tokens })
}

/// Makes the entry of `timing.yaml` that says when the recording began.
pub(super) fn write_start(started_ns: i64) -> Node {
    Node::text(Timestamp::from_nanosecond(started_ns.into()).unwrap_or_default().to_string())
}

pub(super) fn read_start(node: &Node) -> Result<i64, Fault> {
    let text = fields::text(node, layout::START)?;
    let instant = text.parse::<Timestamp>().ok().and_then(|instant| i64::try_from(instant.as_nanosecond()).ok());
    let wants = || format!("`{}` wants an instant of RFC 3339, found `{text}`", layout::START);
    instant.ok_or_else(|| Fault { line: node.line, reason: wants() })
}

/// Makes one entry of `timing.yaml`.
pub(super) fn write_circumstance(at: &Circumstance) -> Node {
    let mut entries = vec![("at_ns", Node::plain(at.at_ns))];
    if let Some(latency) = at.latency_ns {
        entries.push(("latency_ns", Node::plain(latency)));
    }
    entries.push(("pid", Node::plain(at.pid)));
    entries.push(("tid", Node::plain(at.tid)));
    entries.push(("comm", Node::text(&at.comm)));
    if let Some(peer) = at.peer {
        entries.push(("peer", Node::text(peer.to_string())));
    }
    entries.push(("connection", Node::plain(at.connection)));
    Node::map(entries)
}

pub(super) fn read_circumstance(node: &Node) -> Result<Circumstance, Fault> {
    let mut fields = Fields::of(node, "an entry of timing.yaml")?;
    let at = Circumstance {
        at_ns: fields.parsed("at_ns", "a number")?,
        latency_ns: fields.parsed_if("latency_ns", "a number")?,
        pid: fields.parsed("pid", "a number")?,
        tid: fields.parsed("tid", "a number")?,
        comm: fields.text("comm")?.to_owned(),
        peer: fields.parsed_if("peer", "an address and a port")?,
        connection: fields.parsed("connection", "a number")?,
    };
    fields.done()?;
    Ok(at)
}
