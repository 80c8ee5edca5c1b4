//! Writing a recording: beside its folder, exchange by exchange, and into its place in one step when it is whole.
//!
//! From the first moment the unfinished folder says `complete: false`, so whatever stops the recorder leaves a recording that
//! says so. The index is written along with the files, since where each document stands is known here. What a user keeps in the
//! folder beside the recording's own files stays there.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};

use super::bodies::InFolder;
use super::document::{self, Count, Head};
use super::index::{Builder, Hasher, Stamped};
use super::model::{
    About, Circumstance, Cue, EffectRef, Exchange, Losses, Mock, MockId, Scope, SecretsRef, Test, TestId,
};
use super::outline::{CallId, Owner, Place, Started};
use super::yaml::{self, Node};
use super::{Error, layout, message, title};
use crate::flow::Flow;

/// A recording that is being written.
pub struct Writer {
    dir: PathBuf,
    partial: PathBuf,
    /// Locked as long as the recorder lives.
    _lock: File,
    about: About,
    bodies: InFolder,
    counts: BTreeMap<String, Count>,
    open: BTreeMap<String, Growing>,
    tests: u32,
    timing: BTreeMap<Owner, Circumstance>,
    index: Builder,
}

/// A file that is written document by document.
struct Growing {
    path: PathBuf,
    out: BufWriter<File>,
    /// Its number in the index.
    file: u32,
    line: u32,
    offset: u64,
    hasher: Hasher,
}

impl Growing {
    fn create(dir: &Path, name: &str, index: &mut Builder) -> io::Result<Self> {
        let path = dir.join(name);
        let out = BufWriter::new(File::create(&path)?);
        let file = index.file(Stamped { name: name.into(), len: 0, changed_ns: 0, hash: 0 });
        Ok(Growing { path, out, file, line: 1, offset: 0, hasher: Hasher::default() })
    }

    /// Writes a document, and says where it stands.
    fn add(&mut self, text: &str) -> io::Result<Place> {
        let place = Place::at(self.file, self.line, self.offset, text);
        self.out.write_all(text.as_bytes())?;
        self.hasher.add(text.as_bytes());
        self.offset += text.len() as u64;
        let lines = text.bytes().filter(|byte| *byte == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        Ok(place)
    }

    fn end(mut self, index: &mut Builder) -> io::Result<()> {
        self.add(layout::END)?;
        self.out.flush()?;
        drop(self.out);
        index.stamp(self.file, &self.path, self.offset, self.hasher.finish())
    }
}

/// What is known only when the recording ends.
#[derive(Debug, Clone, Default)]
pub struct Closing {
    /// When the recording began, in nanoseconds since 1970.
    pub started_ns: Option<i64>,
    pub losses: Losses,
    /// The exit status of the app, where it ended by itself.
    pub app_exit: Option<i32>,
    pub secrets: Option<SecretsRef>,
}

impl Writer {
    /// Starts a recording that will be `dir`. An older recording there stays until this one is finished.
    ///
    /// # Errors
    /// [`Error::Occupied`] where the folder holds something else, or another recorder is at work there; [`Error::Unwritable`].
    pub fn create(dir: &Path, about: About) -> Result<Self, Error> {
        if holds_something_else(dir).map_err(Error::unwritable(dir))? {
            return Err(Error::Occupied { dir: dir.to_owned() });
        }
        let partial = layout::partial(dir);
        remove_abandoned(&partial)?;
        fs::create_dir_all(partial.join(layout::TESTS)).map_err(Error::unwritable(dir))?;
        fs::create_dir_all(partial.join(layout::MOCKS)).map_err(Error::unwritable(dir))?;
        let head = partial.join(layout::HEAD);
        let lock = File::create(&head).map_err(Error::unwritable(dir))?;
        lock.try_lock().map_err(|_| Error::Occupied { dir: partial.clone() })?;
        let bodies = InFolder::new(partial.join(layout::BODIES));
        let writer = Writer {
            dir: dir.to_owned(),
            partial,
            _lock: lock,
            about,
            bodies,
            counts: BTreeMap::new(),
            open: BTreeMap::new(),
            tests: 0,
            timing: BTreeMap::new(),
            index: Builder::default(),
        };
        writer.write_head(false)?;
        Ok(writer)
    }

    /// Adds an outgoing exchange; those of a protocol are numbered in the order of the calls.
    ///
    /// # Errors
    /// [`Error::Io`] where the disk refuses, or a message is of no protocol that this version knows.
    pub fn add_mock(
        &mut self,
        scope: Scope,
        cue: Option<Cue>,
        exchange: Exchange,
        tags: Vec<String>,
        at: Circumstance,
    ) -> Result<MockId, Error> {
        let protocol = exchange.protocol.clone();
        let count = self.count(&protocol);
        count.mocks += 1;
        let id = MockId { protocol, number: count.mocks };
        let mock = Mock { id: id.clone(), scope, cue, exchange, tags };
        let failed = Error::io(&self.partial);
        self.append_mock(&mock).map_err(failed)?;
        if let Some(call) = CallId::of(&id) {
            self.timing.insert(Owner::Mock(call), at);
        }
        Ok(id)
    }

    fn append_mock(&mut self, mock: &Mock) -> io::Result<()> {
        let node = document::write_mock(mock, &mut self.bodies)?;
        let name = format!("{}/{}", layout::MOCKS, layout::mock_file(&mock.id.protocol, mock.id.number));
        let mut file = match self.open.remove(&mock.id.protocol) {
            Some(file) if file.path.ends_with(&name) => file,
            Some(full) => {
                full.end(&mut self.index)?;
                Growing::create(&self.partial, &name, &mut self.index)?
            }
            None => Growing::create(&self.partial, &name, &mut self.index)?,
        };
        let place = file.add(&format!("---\n{}", yaml::document(&node)))?;
        self.open.insert(mock.id.protocol.clone(), file);
        self.index.mock(mock, place).map_err(io::Error::other)
    }

    /// Adds an incoming exchange with what it caused; tests are numbered in the order of the calls.
    ///
    /// # Errors
    /// As for [`Writer::add_mock`].
    pub fn add_test(
        &mut self,
        exchange: Exchange,
        effects: Vec<EffectRef>,
        tags: Vec<String>,
        at: Circumstance,
    ) -> Result<TestId, Error> {
        self.add_test_with(exchange, effects, tags, Vec::new(), at)
    }

    /// Adds an incoming exchange whose request got values from earlier exchanges.
    ///
    /// # Errors
    /// As for [`Writer::add_mock`].
    pub fn add_test_with(
        &mut self,
        exchange: Exchange,
        effects: Vec<EffectRef>,
        tags: Vec<String>,
        flows: Vec<Flow>,
        at: Circumstance,
    ) -> Result<TestId, Error> {
        self.count(&exchange.protocol).tests += 1;
        self.tests += 1;
        let id = TestId(self.tests);
        let test = Test { id, slug: slug(&exchange), exchange, effects, tags, flows };
        let name = format!("{}/{id}-{}.yaml", layout::TESTS, test.slug);
        self.write_test(&test, &name).map_err(Error::io(&self.partial.join(name)))?;
        self.timing.insert(Owner::Test(id), at);
        Ok(id)
    }

    fn write_test(&mut self, test: &Test, name: &str) -> io::Result<()> {
        let node = document::write_test(test, &mut self.bodies)?;
        let mut file = Growing::create(&self.partial, name, &mut self.index)?;
        let place = file.add(&yaml::document(&node))?;
        file.end(&mut self.index)?;
        self.index.test(test, place).map_err(io::Error::other)
    }

    fn write_timing(&mut self, started_ns: Option<i64>) -> io::Result<()> {
        let mut file = Growing::create(&self.partial, layout::TIMING, &mut self.index)?;
        if let Some(started_ns) = started_ns {
            file.add(&format!("{}: {}\n", layout::START, yaml::inline(&document::write_start(started_ns))))?;
            self.index.started(Started { at_ns: started_ns, file: file.file });
        }
        for (owner, at) in std::mem::take(&mut self.timing) {
            let place = file.add(&format!("{owner}: {}\n", yaml::inline(&document::write_circumstance(&at))))?;
            self.index.timed(owner, place, &at);
        }
        file.end(&mut self.index)
    }

    fn count(&mut self, protocol: &str) -> &mut Count {
        self.counts
            .entry(protocol.to_owned())
            .or_insert_with(|| Count { protocol: protocol.to_owned(), ..Count::default() })
    }

    /// Gives the recording up before anything was worth keeping: nothing of it stays.
    pub fn abandon(self) {
        // What cannot be removed says that it is not complete.
        let _ = fs::remove_dir_all(&self.partial);
    }

    /// Finishes the recording and puts it in its place, where an older one goes away in the same step.
    ///
    /// # Errors
    /// [`Error::Io`] where the disk refuses; the unfinished folder stays and says so.
    pub fn finish(mut self, closing: Closing) -> Result<PathBuf, Error> {
        self.about.losses = closing.losses;
        self.about.app_exit = closing.app_exit;
        self.about.secrets = closing.secrets;
        for (_, file) in std::mem::take(&mut self.open) {
            let path = file.path.clone();
            file.end(&mut self.index).map_err(Error::io(&path))?;
        }
        self.write_timing(closing.started_ns).map_err(Error::io(&self.partial.join(layout::TIMING)))?;
        let index = std::mem::take(&mut self.index).finish(&self.partial)?;
        // What is derived may be missing: whoever opens the recording makes it anew.
        let _ = index.save(&self.partial);
        self.write_head(true)?;
        let folder = File::open(&self.partial).map_err(Error::io(&self.partial))?;
        rustix::fs::syncfs(&folder).map_err(|e| Error::io(&self.partial)(e.into()))?;
        self.move_into_place().map_err(Error::io(&self.dir))?;
        Ok(self.dir)
    }

    fn write_head(&self, complete: bool) -> Result<(), Error> {
        let counts = self.counts.values().cloned().collect();
        let head = Head { complete, about: self.about.clone(), counts };
        let path = self.partial.join(layout::HEAD);
        // In place, and not by a rename, so that the lock on the file stays.
        write_file(&path, &document::write_head(&head))
    }

    fn move_into_place(&self) -> io::Result<()> {
        let parent = self.dir.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !self.dir.exists() {
            fs::rename(&self.partial, &self.dir)?;
            return File::open(parent)?.sync_all();
        }
        for entry in fs::read_dir(&self.dir)? {
            let name = entry?.file_name();
            if !layout::ALL.iter().any(|own| name == *own) {
                fs::rename(self.dir.join(&name), self.partial.join(&name))?;
            }
        }
        rustix::fs::renameat_with(CWD, &self.partial, CWD, &self.dir, RenameFlags::EXCHANGE)?;
        File::open(parent)?.sync_all()?;
        fs::remove_dir_all(&self.partial)
    }
}

/// Whether a folder has content and is no recording.
fn holds_something_else(dir: &Path) -> io::Result<bool> {
    match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
        Ok(mut entries) => Ok(entries.next().is_some() && !dir.join(layout::HEAD).is_file()),
    }
}

/// Removes what a recorder that was stopped has left, unless it still runs.
fn remove_abandoned(partial: &Path) -> Result<(), Error> {
    let head = partial.join(layout::HEAD);
    match File::open(&head) {
        Ok(file) => {
            file.try_lock().map_err(|_| Error::Occupied { dir: partial.to_owned() })?;
            fs::remove_dir_all(partial).map_err(Error::io(partial))
        }
        Err(_) if partial.exists() => Err(Error::Occupied { dir: partial.to_owned() }),
        Err(_) => Ok(()),
    }
}

fn slug(exchange: &Exchange) -> String {
    let protocol = message::protocol(&exchange.protocol, 0).ok();
    match (protocol, &exchange.request) {
        (Some(protocol), Some(request)) => title::slug(&title::title(protocol, request)),
        _ => exchange.protocol.clone(),
    }
}

/// Writes a file of one document.
pub(super) fn write_file(path: &Path, node: &Node) -> Result<(), Error> {
    fs::write(path, format!("{}{}", yaml::document(node), layout::END)).map_err(Error::io(path))
}
