//! Secrets: replaced by tokens before anything reaches the disk.
//!
//! A token is `{{secret:NAME:TOKEN}}`. The same value has the same token under one key, which never lies in the recording.
//! A value that could be guessed from its token (a short one) gets an ordinal instead. The bytes of a redacted message are
//! not kept. Where a field is computed from others (a query parameter from the target), the value is taken out of those.

mod replace;

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use hmac::{Hmac, Mac};
use reel_lang::hir::{Path, Step};
use reel_lang::schema::{Direction, Field, FieldType, Schema, Side};
use reel_lang::value::Value;
use reel_protocols::{Message, Protocol};

use super::secrets::Vault;
use super::{Error, SecretsRef};
pub(super) use replace::{Replace, replace_stored};
use replace::{is_free, replace_at, replace_derived, replace_in};

/// What every token begins with.
const OPEN: &str = "{{secret:";
/// What every token ends with.
const CLOSE: &str = "}}";
/// A shorter value could be found by trying.
const GUESSABLE_LEN_BYTES: usize = 12;

/// Whether a text is a token, whole.
pub fn is_secret(text: &[u8]) -> bool {
    secret_name(text).is_some()
}

/// The name in a token.
pub fn secret_name(text: &[u8]) -> Option<&str> {
    let inner = std::str::from_utf8(text).ok()?.strip_prefix(OPEN)?.strip_suffix(CLOSE)?;
    inner.split_once(':').map(|(name, _)| name)
}

/// The tokens in a message, each once, in order.
pub(super) fn secret_tokens(message: &Message) -> Vec<Box<str>> {
    fn within(value: &Value, found: &mut BTreeSet<Box<str>>) {
        match value.untagged() {
            Value::Str(text) => found.extend(tokens_of(text)),
            Value::List(items) => items.iter().for_each(|item| within(item, found)),
            Value::Map(pairs) => pairs.iter().for_each(|(_, item)| within(item, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    message.fields.iter().for_each(|value| within(value, &mut found));
    found.into_iter().collect()
}

fn tokens_of(text: &[u8]) -> impl Iterator<Item = Box<str>> {
    token_spans(text).filter_map(move |span| std::str::from_utf8(text.get(span)?).ok().map(Box::from))
}

/// Where tokens are in a text.
pub(crate) fn token_spans(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    memchr::memmem::find_iter(text, OPEN).filter_map(move |at| {
        let len = memchr::memmem::find(text.get(at..)?, CLOSE.as_bytes())?.checked_add(CLOSE.len())?;
        Some(at..at.checked_add(len)?)
    })
}

/// Takes secrets out of messages.
pub struct Redactor {
    vault: Vault,
    /// Name and token of each value.
    known: HashMap<Vec<u8>, (String, String)>,
    /// How many values have each name.
    names: HashMap<String, u32>,
    /// The values that replay has to send, by name.
    supplied: Vec<(String, Vec<u8>)>,
}

impl Redactor {
    /// Uses a key and a place for values.
    pub fn new(vault: Vault) -> Self {
        Redactor { vault, known: HashMap::new(), names: HashMap::new(), supplied: Vec::new() }
    }

    /// Replaces what the paths lead to.
    ///
    /// # Errors
    /// A path into an opaque stream, or to a value that is not found in what is stored: then every text and number of the
    /// message is redacted but its protocol's own words, and the reason says which path it was.
    pub fn redact(
        &mut self,
        protocol: &dyn Protocol,
        direction: Direction,
        message: &mut Message,
        paths: &[Path],
    ) -> Result<(), String> {
        let schema = protocol.schema();
        let mut changed = false;
        let mut failed = None;
        let side = message.side;
        for path in paths.iter().filter(|path| path.side == side) {
            let Some(field) = schema.fields.get(path.field.0 as usize) else { continue };
            let mut values = Vec::new();
            leaves(message.field(field.id), &path.steps, field.ty, &mut values);
            values.retain(|value| !value.is_empty() && !is_secret(value));
            // One may stand within another; and one that stands twice is replaced at once.
            values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
            values.dedup();
            for value in values {
                changed = true;
                let name = name(schema, field, path);
                let replay_needs_it = direction == Direction::In && side == Side::Request;
                let found = if field.derived {
                    let mut token = |spelling: &[u8]| self.token(&name, spelling, replay_needs_it);
                    replace_derived(protocol, message, &value, &mut token) && {
                        let mut left = Vec::new();
                        leaves(message.field(field.id), &path.steps, field.ty, &mut left);
                        !left.contains(&value)
                    }
                } else {
                    let token = self.token(&name, &value, replay_needs_it);
                    replace_at(message, field, &path.steps, &[(&value, token.as_bytes())])
                };
                if !found {
                    let token = self.token(&name, &value, replay_needs_it);
                    let places = [(&[][..], token.as_bytes())];
                    replace_in(schema, message, &places, Replace::All, |field| is_free(protocol, field));
                    failed = Some(format!(
                        "`{}` is not to be found in what is stored; the whole message was redacted",
                        field.name
                    ));
                }
            }
        }
        if changed {
            message.exact = None;
            protocol.derive(message);
        }
        failed.map_or(Ok(()), Err)
    }

    /// The token of a value.
    fn token(&mut self, name: &str, value: &[u8], replay_needs_it: bool) -> String {
        let (name, token) = match self.known.get(value) {
            Some(known) => known.clone(),
            None => {
                let count = self.names.entry(name.to_owned()).or_default();
                *count += 1;
                let name = if *count == 1 { name.to_owned() } else { format!("{name}_{count}") };
                let token = if value.len() < GUESSABLE_LEN_BYTES { format!("n{count}") } else { self.mac(value) };
                self.known.insert(value.to_vec(), (name.clone(), token.clone()));
                (name, token)
            }
        };
        if replay_needs_it && self.supplied.iter().all(|(known, _)| *known != name) {
            self.supplied.push((name.clone(), value.to_vec()));
        }
        format!("{OPEN}{name}:{token}{CLOSE}")
    }

    fn mac(&self, value: &[u8]) -> String {
        // A key of any length is taken.
        let Ok(mut mac) = Hmac::<sha2::Sha256>::new_from_slice(self.vault.key()) else { return "n0".to_owned() };
        mac.update(value);
        mac.finalize().into_bytes().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Writes the values that replay needs to the user's state directory, and gives what the recording says of its secrets.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(&mut self) -> Result<Option<SecretsRef>, Error> {
        if self.known.is_empty() {
            return Ok(None);
        }
        let mut tokens: Vec<(String, String)> = self.known.values().cloned().collect();
        tokens.sort();
        let id = self.vault.id().to_owned();
        self.vault.keep(&self.supplied)?;
        Ok(Some(SecretsRef { id, tokens }))
    }
}

/// What a secret is called: after the last named steps of its path, or the field.
fn name(schema: &Schema, field: &Field, path: &Path) -> String {
    let named: Vec<&str> = path
        .steps
        .iter()
        .filter_map(|step| if let Step::Name(name) = step { Some(name.as_str()) } else { None })
        .collect();
    let text = match (field.ty, named.is_empty()) {
        (_, true) => format!("{}_{}", schema.protocol, field.name),
        (FieldType::Headers, false) => named.join("_"),
        (_, false) => format!("{}_{}", field.name, named.join("_")),
    };
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

/// The texts that a path leads to, and numbers as their digits.
fn leaves(value: &Value, steps: &[Step], ty: FieldType, found: &mut Vec<Vec<u8>>) {
    let mut copy = value.clone();
    visit(&mut copy, steps, ty, &mut |value| collect(value, found));
}

fn collect(value: &Value, found: &mut Vec<Vec<u8>>) {
    match value {
        Value::Str(text) => found.push(text.to_vec()),
        Value::List(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Map(pairs) => pairs.iter().for_each(|(_, item)| collect(item, found)),
        Value::Tagged(_, inner) => collect(inner, found),
        Value::Int(n) => found.push(n.to_string().into_bytes()),
        Value::Uint(n) => found.push(n.to_string().into_bytes()),
        Value::Decimal(digits) => found.push(digits.as_bytes().to_vec()),
        _ => {}
    }
}

/// Goes to every value that a path leads to.
fn visit(value: &mut Value, steps: &[Step], ty: FieldType, act: &mut dyn FnMut(&mut Value)) {
    let Some((step, rest)) = steps.split_first() else { return act(value) };
    if let Value::Tagged(_, inner) = value {
        return visit(inner, steps, ty, act);
    }
    if *step == Step::Deep {
        visit(value, rest, ty, act);
    }
    let below = if *step == Step::Deep { steps } else { rest };
    match value {
        Value::Map(pairs) => {
            for (key, item) in pairs {
                let meant = match step {
                    Step::Name(name) if ty == FieldType::Headers => {
                        key.as_str().is_some_and(|k| k.eq_ignore_ascii_case(name))
                    }
                    Step::Name(name) => key.as_str() == Some(name),
                    Step::Each | Step::Deep => true,
                    Step::Index(_) => false,
                };
                if meant {
                    visit(item, below, ty, act);
                }
            }
        }
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                let meant = match step {
                    Step::Index(wanted) => usize::try_from(*wanted) == Ok(index),
                    Step::Each | Step::Deep => true,
                    Step::Name(_) => false,
                };
                if meant {
                    visit(item, below, ty, act);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
