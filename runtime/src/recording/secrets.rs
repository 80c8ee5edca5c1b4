//! Where secrets live: one file for each recording, readable by its user alone, outside of the recording.
//!
//! It holds the key of the recording's tokens and the values that replay has to send, so that a replay on the same machine
//! needs nothing. Elsewhere `--secret NAME=ENV` supplies them; a value that is nowhere is an error by name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use reel_lang::value::Value;

use super::bodies::InFolder;
use super::fields::Fields;
use super::redact::{Replace, replace_stored};
use super::{Error, Exchange, Recording, TestId, TestOutline, layout, read, value, yaml};

/// The folder of the user's state: `$XDG_STATE_HOME/reel`, by default `~/.local/state/reel`.
pub fn state_folder() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into()));
    let state = std::env::var_os("XDG_STATE_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    state.unwrap_or_else(|| home().join(".local/state")).join("reel")
}

/// The key of a recording and the file that keeps it.
#[derive(Debug, Clone)]
pub struct Vault {
    folder: PathBuf,
    id: String,
    key: Vec<u8>,
}

impl Vault {
    /// Opens the vault of the recording at `dir`: that of the one which is there, so that recording again gives the same
    /// tokens, or a new one.
    ///
    /// # Errors
    /// The disk's.
    pub fn of_recording(dir: &Path, state: &Path) -> Result<Self, Error> {
        let folder = state.join("secrets");
        if let Some(id) = read::secrets_id(dir)
            && let Some((key, _)) = read_vault(&folder, &id)?
        {
            return Ok(Vault { folder, id, key });
        }
        let random = random_bytes().map_err(Error::io(Path::new("/dev/urandom")))?;
        let (id, key) = random.split_at(8);
        let id = id.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Vault { folder, id, key: key.to_vec() })
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Writes the key and the values, readable by the user alone.
    pub(super) fn keep(&self, values: &[(String, Vec<u8>)]) -> Result<(), Error> {
        let mut no_bodies = InFolder::new(self.folder.join("none"));
        let mut node = |bytes: &[u8]| value::write(&Value::text(bytes), &mut no_bodies);
        let key = node(&self.key).map_err(Error::io(&self.folder))?;
        let mut entries = Vec::new();
        for (name, value) in values {
            entries.push((name.as_str(), node(value).map_err(Error::io(&self.folder))?));
        }
        let root = yaml::Node::map([("key", key), ("values", yaml::Node::map(entries))]);
        let path = vault_path(&self.folder, &self.id);
        let write = || {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
            let fresh = path.with_extension("new");
            let _ = fs::remove_file(&fresh);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
            file.write_all(format!("{}{}", yaml::document(&root), layout::END).as_bytes())?;
            file.sync_all()?;
            fs::rename(&fresh, &path)
        };
        write().map_err(Error::io(&path))
    }
}

fn vault_path(folder: &Path, id: &str) -> PathBuf {
    folder.join(format!("{id}.yaml"))
}

fn random_bytes() -> std::io::Result<[u8; 40]> {
    let mut bytes = [0; 40];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

type Values = BTreeMap<String, Bytes>;

/// Reads a vault; none where there is none.
fn read_vault(folder: &Path, id: &str) -> Result<Option<(Vec<u8>, Values)>, Error> {
    // The id comes out of a file that anybody may have written: it must not lead elsewhere.
    if id.is_empty() || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let path = vault_path(folder, id);
    if !path.is_file() {
        return Ok(None);
    }
    let node = read::single(&path)?;
    let at = |fault| Error::at(&path, fault);
    let bodies = InFolder::new(folder.join("none"));
    let bytes = |node: &yaml::Node| match value::read(node, &bodies, &|_| None)? {
        Value::Str(bytes) => Ok(bytes),
        _ => Err(yaml::Fault { line: node.line, reason: "expected a text".into() }),
    };
    let mut fields = Fields::of(&node, "a file of secrets").map_err(at)?;
    let key = fields.need("key").and_then(&bytes).map_err(at)?;
    let mut values = Values::new();
    for entry in Fields::of(fields.need("values").map_err(at)?, "`values`").map_err(at)?.rest() {
        values.insert(entry.key.to_owned(), bytes(entry.node).map_err(at)?);
    }
    Ok(Some((key.to_vec(), values)))
}

/// Finds the values of the secrets that these tests' requests have: in `given` (name and value), else in the vault. Gives each
/// token with its value. What flows from another of these tests need not be there.
///
/// # Errors
/// [`Error::SecretMissing`] and [`Error::SecretUnknown`], by name.
pub fn supply(
    recording: &Recording,
    tests: &[&TestOutline],
    given: &[(String, Vec<u8>)],
    state: &Path,
) -> Result<Vec<(String, Bytes)>, Error> {
    let secrets = recording.about.secrets.clone().unwrap_or_default();
    let known: Vec<String> = secrets.tokens.iter().map(|(name, _)| name.clone()).collect();
    if let Some((name, _)) = given.iter().find(|(name, _)| !known.contains(name)) {
        return Err(Error::SecretUnknown { name: name.clone(), known });
    }
    let mut values = read_vault(&state.join("secrets"), &secrets.id)?.map(|(_, values)| values).unwrap_or_default();
    values.extend(given.iter().map(|(name, value)| (name.clone(), Bytes::from(value.clone()))));
    let tokens: BTreeMap<String, String> =
        secrets.tokens.iter().map(|(name, token)| (format!("{{{{secret:{name}:{token}}}}}"), name.clone())).collect();
    let run: BTreeSet<TestId> = tests.iter().map(|test| test.id).collect();
    let (mut sent, mut needed): (BTreeSet<&str>, BTreeSet<&str>) = Default::default();
    for test in tests {
        let flows = test.sources().all(|source| run.contains(&source));
        let is_given = |token: &str| flows && test.given.iter().any(|given| **given == *token);
        let tokens = || test.secrets.iter().map(|token| &**token);
        sent.extend(tokens());
        needed.extend(tokens().filter(|token| !is_given(token)));
    }
    let mut supplied = Vec::new();
    for (token, name) in tokens.into_iter().filter(|(token, _)| sent.contains(token.as_str())) {
        match values.get(&name) {
            Some(value) => supplied.push((token, value.clone())),
            None if needed.contains(token.as_str()) => return Err(Error::SecretMissing { name }),
            None => {}
        }
    }
    Ok(supplied)
}

/// Puts the values of secrets into a request that replay sends.
pub fn fill(exchange: &mut Exchange, supplied: &[(String, Bytes)]) {
    let places: Vec<(&[u8], &[u8])> =
        supplied.iter().map(|(token, value)| (token.as_bytes(), value.as_ref())).collect();
    let protocol = reel_protocols::by_name(&exchange.protocol);
    if let (Some(protocol), Some(request)) = (protocol, &mut exchange.request)
        && replace_stored(protocol.schema(), request, &places, Replace::Part)
    {
        protocol.derive(request);
    }
}
