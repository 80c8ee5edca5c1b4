//! Where each document of a recording is, and what is asked of all of them at once (`.index`).
//!
//! The YAML files win: each is held against its size, time and, where these do not tell, its content whenever a recording is
//! opened; those that changed are read anew, all of them where no index fits. So an index that is missing, damaged or of another
//! version costs time and nothing else, and a folder that cannot be written to works without one.

mod build;
mod dump;
mod scan;
mod stamp;
mod store;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs::Metadata;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub(super) use build::{Builder, slug};
use stamp::Fit;
pub(super) use stamp::Hasher;
pub use stamp::Stamped;

use super::bodies::InFolder;
use super::outline::{MockOutline, Owner, Party, SecretPlace, Started, TestOutline, TimingOutline};
use super::{Error, layout};

/// Everything that is known of a recording's documents without reading them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Index {
    /// The YAML files but `recording.yaml`; places name them by their number here.
    pub files: Vec<Stamped>,
    /// The files of `bodies/`.
    pub bodies: Vec<Stamped>,
    /// By number.
    pub tests: Vec<TestOutline>,
    /// By protocol, then number.
    pub mocks: Vec<MockOutline>,
    /// By owner.
    pub timing: Vec<TimingOutline>,
    /// Who took part; entries of `timing` name them by their number here.
    pub parties: Vec<Party>,
    /// When the recording began, where it says so.
    pub started: Option<Started>,
    /// Where requests of mocks have redacted values; each place once a file.
    pub secrets: Vec<SecretPlace>,
}

/// How long a recording may take to open before the user is told why.
const PATIENCE: Duration = Duration::from_secs(1);

/// A file of the recording, as it is now. There may be a great many.
struct Present {
    /// Relative to the recording.
    name: Box<str>,
    len: u64,
    changed_ns: i64,
}

impl Present {
    fn of(name: Box<str>, meta: &Metadata) -> Self {
        Present { name, len: meta.len(), changed_ns: stamp::changed_ns(meta) }
    }
}

impl Index {
    /// The connection of an exchange, as far as `timing.yaml` tells.
    pub fn connection(&self, owner: Owner) -> Option<u32> {
        let at = self.timing.binary_search_by(|timing| timing.owner.cmp(&owner)).ok()?;
        self.parties.get(self.timing.get(at)?.party as usize).map(|party| party.connection)
    }

    /// Gives the index of the recording at `dir`: what is kept there as far as it fits, the rest from the YAML files. `tell` is called
    /// once if that takes long.
    pub(super) fn open(dir: &Path, tell: &mut dyn FnMut()) -> Result<Self, Error> {
        let began = Instant::now();
        let mut told = false;
        let (kept, written_ns) = store::load(dir).unwrap_or_default();
        let bodies: Vec<Fit> = kept.bodies.iter().map(|body| body_fit(dir, body, written_ns)).collect();
        // Whoever reads a document reads its bodies: where one of those changed, which document it belongs to does not matter.
        let mut kept = if bodies.contains(&Fit::No) { Index::default() } else { kept };
        let files = std::mem::take(&mut kept.files);
        let known: HashMap<&str, (u32, &Stamped)> =
            (0..).zip(&files).map(|(at, file)| (&*file.name, (at, file))).collect();
        let mut builder = Builder::default();
        let (mut fitting, mut changed) = (HashMap::new(), Vec::new());
        let mut is_same = written_ns > 0 && !bodies.iter().any(|fit| *fit != Fit::ByTime);
        for file in present(dir)? {
            let fit = |(at, old): &(u32, &Stamped)| (old.fit(dir, &file, written_ns), *at, old.hash);
            match known.get(&*file.name).map(fit) {
                None | Some((Fit::No, ..)) => changed.push(file.name),
                Some((fit, at, hash)) => {
                    is_same &= fit == Fit::ByTime;
                    let Present { name, len, changed_ns } = file;
                    fitting.insert(at, builder.file(Stamped { name, len, changed_ns, hash }));
                }
            }
        }
        is_same &= changed.is_empty() && fitting.len() == files.len();
        builder.keep(kept, &fitting);
        drop((known, fitting));
        let bodies = InFolder::new(dir.join(layout::BODIES));
        for name in &changed {
            builder.read(name, &dir.join(&**name), &bodies)?;
            if !told && began.elapsed() > PATIENCE {
                told = true;
                tell();
            }
        }
        let index = builder.finish(dir)?;
        if !is_same {
            // A folder that cannot be written to is read anew each time.
            let _ = index.save(dir);
        }
        Ok(index)
    }

    /// Writes the index into a recording, in one step, and what keeps it out of git.
    pub(super) fn save(&self, dir: &Path) -> std::io::Result<()> {
        store::save(dir, self)
    }

    /// Finds a mock.
    pub fn position(&self, id: super::CallId) -> Option<usize> {
        self.mocks.binary_search_by(|mock| mock.id.cmp(&id)).ok()
    }
}

fn body_fit(dir: &Path, body: &Stamped, written_ns: i64) -> Fit {
    let meta = dir.join(&*body.name).metadata();
    meta.map_or(Fit::No, |meta| body.fit(dir, &Present::of(body.name.clone(), &meta), written_ns))
}

/// The YAML files of a recording in their order: tests, mocks, timing.
fn present(dir: &Path) -> Result<Vec<Present>, Error> {
    let mut found = Vec::new();
    for folder in [layout::TESTS, layout::MOCKS] {
        found.extend(files(dir, folder)?.into_iter().filter(|file| file.name.ends_with(".yaml")));
    }
    if let Ok(meta) = dir.join(layout::TIMING).metadata() {
        found.push(Present::of(layout::TIMING.into(), &meta));
    }
    Ok(found)
}

/// The files of a folder, sorted; a folder that is missing has none.
fn files(dir: &Path, folder: &str) -> Result<Vec<Present>, Error> {
    let path = dir.join(folder);
    let entries = match std::fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io(&path)(e)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io(&path))?;
        // Without a path to look up, which is half of the cost; but a link's own metadata is not that of its file.
        let mut meta = entry.metadata().map_err(Error::io(&entry.path()))?;
        if meta.is_symlink() {
            meta = followed(&entry.path())?;
        }
        if let Some(name) = entry.file_name().to_str().filter(|_| meta.is_file()) {
            found.push(Present::of(format!("{folder}/{name}").into(), &meta));
        }
    }
    found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// What a link leads to.
fn followed(link: &Path) -> Result<Metadata, Error> {
    link.metadata().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            Error::Damaged { file: link.to_owned(), line: 1, reason: "the link leads to no file".into() }
        }
        _ => Error::io(link)(e),
    })
}
