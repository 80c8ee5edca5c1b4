//! Reading a recording: what is wrong with a file is said with its file and line.
//!
//! A recording that was not finished, that lost something, or that a later version wrote is refused before any of its
//! exchanges is looked at. The index then says what there is; it is held against `recording.yaml` and against itself. Documents are
//! read when they are asked for, and nothing of them is kept here.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::bodies::InFolder;
use super::document::{self, FORMAT, Head};
use super::index::{self, Hasher, Index};
use super::model::{About, Circumstance, Mock, Test, TestId};
use super::outline::{CallId, MockOutline, Owner, Place, TestOutline};
use super::yaml::{self, MAX_DOCUMENT_LEN_BYTES, Node};
use super::{Error, layout, migrate};

/// A recording on the disk.
#[derive(Debug)]
pub struct Recording {
    pub dir: PathBuf,
    pub about: About,
    index: Index,
    bodies: InFolder,
}

impl Recording {
    /// Opens a recording.
    ///
    /// # Errors
    /// [`Error`] says which file and line is wrong, or why the recording cannot be used.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        Recording::open_telling(dir, &mut || {})
    }

    /// Opens a recording, and calls `tell` once if its files have to be read anew and that takes long.
    ///
    /// # Errors
    /// As for [`Recording::open`].
    pub fn open_telling(dir: &Path, tell: &mut dyn FnMut()) -> Result<Self, Error> {
        let head = open_head(dir)?;
        let index = Index::open(dir, tell)?;
        let bodies = InFolder::new(dir.join(layout::BODIES));
        let recording = Recording { dir: dir.to_owned(), about: head.about.clone(), index, bodies };
        recording.check_counts(&head)?;
        recording.check_references()?;
        Ok(recording)
    }

    /// What is known of all documents.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The tests, by number.
    pub fn tests(&self) -> &[TestOutline] {
        &self.index.tests
    }

    /// The mocks, by protocol, then number.
    pub fn mocks(&self) -> &[MockOutline] {
        &self.index.mocks
    }

    /// The tests whose file or title has a text; all of them without one.
    pub fn chosen(&self, only: Option<&str>) -> Vec<&TestOutline> {
        let has =
            |test: &&TestOutline| only.is_none_or(|text| self.file(test).contains(text) || test.title.contains(text));
        self.tests().iter().filter(has).collect()
    }

    /// Finds a test.
    pub fn find_test(&self, id: TestId) -> Option<&TestOutline> {
        let at = self.index.tests.binary_search_by(|test| test.id.cmp(&id)).ok()?;
        self.index.tests.get(at)
    }

    /// Finds a mock.
    pub fn find(&self, id: CallId) -> Option<&MockOutline> {
        self.index.mocks.get(self.index.position(id)?)
    }

    /// A test's file, relative to the recording.
    pub fn file(&self, test: &TestOutline) -> &str {
        self.name(test.place)
    }

    /// Reads documents one after the other.
    pub fn documents(&self) -> Documents<'_> {
        Documents { recording: self, open: None }
    }

    /// Reads a test.
    ///
    /// # Errors
    /// [`Error::Damaged`] where its file is not what it was when the recording was opened, and the disk's.
    pub fn test(&self, test: &TestOutline) -> Result<Test, Error> {
        self.documents().test(test)
    }

    /// Reads a mock.
    ///
    /// # Errors
    /// As for [`Recording::test`].
    pub fn mock(&self, mock: &MockOutline) -> Result<Mock, Error> {
        self.documents().mock(mock)
    }

    /// Where and when an exchange happened; none where nothing says so.
    pub fn timing(&self, owner: Owner) -> Option<Circumstance> {
        let timing = &self.index.timing;
        let found = timing.binary_search_by(|timing| timing.owner.cmp(&owner)).ok().and_then(|at| timing.get(at))?;
        self.index.parties.get(found.party as usize).map(|party| found.circumstance(party))
    }

    /// When the recording began, in nanoseconds since 1970; none where `timing.yaml` does not say so.
    pub fn started_ns(&self) -> Option<i64> {
        self.index.started.map(|started| started.at_ns)
    }

    /// The instant at which the first byte of a test's request came, where the recording says it.
    pub fn instant_ns(&self, test: TestId) -> Option<i64> {
        let (started_ns, at) = (self.started_ns()?, self.timing(Owner::Test(test))?);
        Some(started_ns.saturating_add(i64::try_from(at.at_ns).unwrap_or(i64::MAX)))
    }

    fn name(&self, place: Place) -> &str {
        self.index.files.get(place.file as usize).map_or("", |file| &file.name)
    }

    /// Gives the index up as well: a file whose time and size were set back would look unchanged the next time too.
    fn changed(&self, file: &Path, place: Place) -> Error {
        let _ = fs::remove_file(self.dir.join(layout::INDEX));
        Error::Changed { file: file.to_owned(), line: place.line }
    }

    /// A whole file that is missing leaves no line to point at: `recording.yaml` says how many there should be.
    fn check_counts(&self, head: &Head) -> Result<(), Error> {
        let mut found: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
        for test in self.tests() {
            found.entry(test.protocol.name()).or_default().0 += 1;
        }
        for mock in self.mocks() {
            found.entry(mock.id.protocol.name()).or_default().1 += 1;
        }
        for count in &head.counts {
            let (tests, mocks) = found.remove(count.protocol.as_str()).unwrap_or_default();
            if (tests, mocks) != (count.tests, count.mocks) {
                return Err(self.damaged(format!(
                    "{}: {} tests and {} mocks were recorded, {tests} and {mocks} are here",
                    count.protocol, count.tests, count.mocks
                )));
            }
        }
        match found.keys().next() {
            None => Ok(()),
            Some(protocol) => Err(self.damaged(format!("`protocols` does not list {protocol}"))),
        }
    }

    fn check_references(&self) -> Result<(), Error> {
        if let Some(pair) = self.mocks().windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(self.damaged(format!("the mock {} is here twice", pair[0].id)));
        }
        if let Some(pair) = self.tests().windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(self.damaged(format!("the test {} is here twice", pair[0].id)));
        }
        for test in self.tests() {
            if let Some(effect) = test.effects.iter().find(|effect| self.index.position(effect.call).is_none()) {
                let reason = format!("the effect {} is not among the mocks", effect.call);
                return Err(Error::Damaged { file: self.dir.join(self.file(test)), line: 1, reason });
            }
            for owner in
                test.flows.iter().flat_map(|flow| [Some(flow.from), flow.plain.as_ref().map(|p| p.0)]).flatten()
            {
                let is_there = match owner {
                    Owner::Test(id) => id < test.id && self.find_test(id).is_some(),
                    Owner::Mock(id) => self.index.position(id).is_some(),
                };
                if !is_there {
                    let reason = format!("a flow names {owner}, and that is no earlier test or call: delete the flow");
                    return Err(Error::Damaged { file: self.dir.join(self.file(test)), line: 1, reason });
                }
            }
        }
        Ok(())
    }

    fn damaged(&self, reason: String) -> Error {
        Error::Damaged { file: self.dir.join(layout::HEAD), line: 1, reason }
    }
}

/// Reads documents, and keeps the file of the last one open: those of a protocol's mocks are in one.
#[derive(Debug)]
pub struct Documents<'r> {
    recording: &'r Recording,
    open: Option<(u32, File)>,
}

impl Documents<'_> {
    /// Reads a test.
    ///
    /// # Errors
    /// As for [`Recording::test`].
    pub fn test(&mut self, test: &TestOutline) -> Result<Test, Error> {
        let recording = self.recording;
        let slug = index::slug(recording.file(test));
        self.read(test.place, |node| document::read_test(node, slug, &recording.bodies))
    }

    /// Reads a mock.
    ///
    /// # Errors
    /// As for [`Recording::test`].
    pub fn mock(&mut self, mock: &MockOutline) -> Result<Mock, Error> {
        let recording = self.recording;
        self.read(mock.place, |node| document::read_mock(node, &recording.bodies))
    }

    fn read<T>(&mut self, place: Place, read: impl FnOnce(&Node) -> Result<T, yaml::Fault>) -> Result<T, Error> {
        let path = self.recording.dir.join(self.recording.name(place));
        let changed = || self.recording.changed(&path, place);
        if u64::from(place.len) > MAX_DOCUMENT_LEN_BYTES {
            return Err(changed());
        }
        let file = match &self.open {
            Some((number, file)) if *number == place.file => file,
            _ => match File::open(&path) {
                Ok(file) => &self.open.insert((place.file, file)).1,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(changed()),
                Err(e) => return Err(Error::io(&path)(e)),
            },
        };
        let mut bytes = vec![0; place.len as usize];
        let whole = file.read_exact_at(&mut bytes, place.offset);
        let text =
            String::from_utf8(bytes).ok().filter(|text| whole.is_ok() && Hasher::of(text.as_bytes()) == place.hash);
        let text = text.ok_or_else(changed)?;
        let at = |fault| Error::at(&path, fault);
        let node = yaml::documents_from(&text, place.line).map_err(at)?.pop();
        let node = node.ok_or_else(changed)?;
        read(&node).map_err(at)
    }
}

/// Reads `recording.yaml`, and refuses what this version cannot replay.
fn open_head(dir: &Path) -> Result<Head, Error> {
    let path = dir.join(layout::HEAD);
    if !path.is_file() {
        return Err(why_not_here(dir));
    }
    let node = single(&path)?;
    let at = |fault| Error::at(&path, fault);
    let (found, tool) = document::read_format(&node).map_err(at)?;
    if found > FORMAT {
        return Err(Error::Newer { file: path, found, known: FORMAT, tool });
    }
    let node = migrate::head(found, node).map_err(at)?;
    let head = document::read_head(&node).map_err(at)?;
    let incomplete = |reason: String| Err(Error::Incomplete { dir: dir.to_owned(), reason });
    if !head.complete {
        return incomplete("it was not finished (`complete: false` in recording.yaml)".into());
    }
    let lost = head.about.losses.named().into_iter().find(|(_, count)| *count > 0);
    if let Some((name, count)) = lost {
        return incomplete(format!("{count} {}", name.replace('_', " ")));
    }
    Ok(head)
}

/// The name under which the recording at `dir`, if there is one, keeps its secrets.
pub(super) fn secrets_id(dir: &Path) -> Option<String> {
    let node = single(&dir.join(layout::HEAD)).ok()?;
    Some(document::read_head(&node).ok()?.about.secrets?.id)
}

fn why_not_here(dir: &Path) -> Error {
    let partial = layout::partial(dir);
    if partial.join(layout::HEAD).is_file() {
        let reason = format!("its recorder was stopped before the end; what it wrote is in {}", partial.display());
        return Error::Incomplete { dir: dir.to_owned(), reason };
    }
    let reason = match dir.metadata() {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => "there is no such folder".to_owned(),
        Err(e) => e.to_string(),
        Ok(meta) if !meta.is_dir() => "a recording is a folder, this is a file".to_owned(),
        Ok(_) => "no recording is here: there is no recording.yaml".to_owned(),
    };
    Error::NotARecording { path: dir.to_owned(), reason }
}

/// Reads the documents of a file, which must have its end.
fn read_documents(path: &Path) -> Result<Vec<Node>, Error> {
    let len = fs::metadata(path).map_err(Error::io(path))?.len();
    let damaged = |line: usize, reason: String| Error::Damaged {
        file: path.to_owned(),
        line: u32::try_from(line).unwrap_or(u32::MAX),
        reason,
    };
    if len > MAX_DOCUMENT_LEN_BYTES {
        return Err(damaged(1, format!("the file has {len} bytes, more than {MAX_DOCUMENT_LEN_BYTES}")));
    }
    let bytes = fs::read(path).map_err(Error::io(path))?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let before = e.as_bytes().iter().take(e.utf8_error().valid_up_to());
        damaged(before.filter(|b| **b == b'\n').count() + 1, "the file is not UTF-8".into())
    })?;
    let nodes = yaml::documents(&text).map_err(|fault| Error::at(path, fault))?;
    if text.trim_end().lines().next_back() != Some(layout::END.trim_end()) {
        return Err(damaged(text.lines().count().max(1), "the file was cut: its last line is not `...`".into()));
    }
    Ok(nodes)
}

pub(super) fn single(path: &Path) -> Result<Node, Error> {
    let mut nodes = read_documents(path)?;
    match (nodes.pop(), nodes.is_empty()) {
        (Some(node), true) => Ok(node),
        (node, _) => {
            let line = node.map_or(1, |node| node.line);
            Err(Error::Damaged { file: path.to_owned(), line, reason: "expected one document".into() })
        }
    }
}
