//! The file of an index: a line that says what it is, its hash, and the index in postcard's encoding.
//!
//! What was written by another version, for other schemas, or cut, is no index; nothing in it is trusted beyond that.

use std::fs;
use std::path::Path;

use reel_protocols::Protocol;

use super::Index;
use super::stamp::{Hasher, changed_ns};
use crate::recording::{Attribution, Owner, layout};

/// What the first line says; another number where the encoding changes.
const MAGIC: &str = "reel index 4";
/// The longest index that is read: it is in memory as long as the recording is.
const MAX_INDEX_LEN_BYTES: u64 = 256 << 20;

/// Keeps index and itself out of git: a derived file is nobody's change.
const GITIGNORE: &str = "# Written by reel: the index is derived from the YAML files, and is made anew where it is missing.\n/.index\n/.index.new\n/.gitignore\n";

/// Reads what is kept, and when it was written; none where that is no index of this version.
pub(super) fn load(dir: &Path) -> Option<(Index, i64)> {
    let path = dir.join(layout::INDEX);
    let meta = fs::metadata(&path).ok().filter(|meta| meta.len() <= MAX_INDEX_LEN_BYTES)?;
    let bytes = fs::read(&path).ok()?;
    let body = bytes.strip_prefix(first_line().as_bytes())?;
    let (hash, body) = body.split_first_chunk()?;
    if u64::from_le_bytes(*hash) != Hasher::of(body) {
        return None;
    }
    let index: Index = postcard::from_bytes(body).ok()?;
    index.is_sound().then(|| (index, changed_ns(&meta)))
}

/// Writes an index in one step.
pub(super) fn save(dir: &Path, index: &Index) -> std::io::Result<()> {
    let body = postcard::to_allocvec(index).map_err(std::io::Error::other)?;
    let mut bytes = first_line().into_bytes();
    bytes.extend_from_slice(&Hasher::of(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    let fresh = dir.join(layout::INDEX_NEW);
    fs::write(&fresh, bytes)?;
    fs::rename(&fresh, dir.join(layout::INDEX))?;
    let ignore = dir.join(layout::GITIGNORE);
    if ignore.exists() { Ok(()) } else { fs::write(ignore, GITIGNORE) }
}

/// What the index is, and what it depends on beside the YAML files: this version, and what its schemas make of a message, and the
/// words of attribution.
fn first_line() -> String {
    let mut hasher = Hasher::default();
    for protocol in reel_protocols::protocols() {
        hasher.add(describe(*protocol).as_bytes());
    }
    Attribution::ALL.iter().for_each(|attribution| hasher.add(attribution.name().as_bytes()));
    format!("{MAGIC} {} {:016x}\n", env!("CARGO_PKG_VERSION"), hasher.finish())
}

fn describe(protocol: &dyn Protocol) -> String {
    let schema = protocol.schema();
    let fields = schema.fields.iter().map(|field| {
        format!("{} {:?} {:?} {} {} {};", field.name, field.side, field.ty, field.key, field.compared, field.derived)
    });
    format!("{} {}: {}", schema.protocol, protocol.framed(), fields.collect::<String>())
}

impl Index {
    /// Whether every file and protocol that it names is there.
    fn is_sound(&self) -> bool {
        let places = self.tests.iter().map(|test| test.place).chain(self.mocks.iter().map(|mock| mock.place));
        let files = places.chain(self.timing.iter().map(|timing| timing.place)).map(|place| place.file);
        let mut files = files.chain(self.started.map(|started| started.file));
        let protocols =
            self.tests.iter().map(|test| test.protocol).chain(self.mocks.iter().map(|mock| mock.id.protocol));
        let effects = self.tests.iter().flat_map(|test| test.effects.iter().map(|effect| effect.call.protocol));
        let flows = self.tests.iter().flat_map(|test| test.flows.iter());
        let sources = flows.flat_map(|flow| [Some(flow.from), flow.plain.as_ref().map(|(owner, _)| *owner)]);
        let calls =
            sources.flatten().filter_map(|owner| if let Owner::Mock(id) = owner { Some(id.protocol) } else { None });
        files.all(|file| self.files.get(file as usize).is_some())
            && self.timing.iter().all(|timing| self.parties.get(timing.party as usize).is_some())
            && protocols.chain(effects).chain(calls).all(|protocol| protocol.is_known())
    }
}
