//! Reading a recording: every file is checked, and what is wrong is said with its file and line.
//!
//! A recording that was not finished, that lost something, or that a later version wrote is refused before any of its
//! exchanges is looked at.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::bodies::InFolder;
use super::document::{self, FORMAT, Head};
use super::model::{About, Circumstance, Mock, MockId, Test};
use super::yaml::{self, Kind, MAX_FILE_LEN_BYTES, Node};
use super::{Error, layout, message, migrate};

/// A recording in memory.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    pub dir: PathBuf,
    pub about: About,
    /// By number.
    pub tests: Vec<Test>,
    /// By protocol, then number.
    pub mocks: Vec<Mock>,
    /// By `test-0001` or a mock's id; an entry may be missing.
    pub timing: HashMap<String, Circumstance>,
}

impl Recording {
    /// Reads a whole recording.
    ///
    /// # Errors
    /// [`Error`] says which file and line is wrong, or why the recording cannot be used.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let head = open_head(dir)?;
        let bodies = InFolder::new(dir.join(layout::BODIES));
        let mut recording = Recording { dir: dir.to_owned(), about: head.about.clone(), ..Recording::default() };
        for path in yaml_files(&dir.join(layout::TESTS))? {
            recording.tests.push(read_test(&path, &bodies)?);
        }
        for path in yaml_files(&dir.join(layout::MOCKS))? {
            for node in read_documents(&path)? {
                message::expect_map(&node).map_err(|fault| Error::at(&path, fault))?;
                recording.mocks.push(document::read_mock(&node, &bodies).map_err(|fault| Error::at(&path, fault))?);
            }
        }
        recording.tests.sort_by_key(|test| test.id);
        recording.mocks.sort_by(|a, b| a.id.cmp(&b.id));
        recording.timing = read_timing(&dir.join(layout::TIMING))?;
        recording.check_counts(&head)?;
        recording.check_references()?;
        Ok(recording)
    }

    /// Finds a mock.
    pub fn mock(&self, id: &MockId) -> Option<&Mock> {
        let at = self.mocks.binary_search_by(|mock| mock.id.cmp(id)).ok()?;
        self.mocks.get(at)
    }

    /// A whole file that is missing leaves no line to point at: `recording.yaml` says how many there should be.
    fn check_counts(&self, head: &Head) -> Result<(), Error> {
        let mut found: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
        for test in &self.tests {
            found.entry(&test.exchange.protocol).or_default().0 += 1;
        }
        for mock in &self.mocks {
            found.entry(&mock.id.protocol).or_default().1 += 1;
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
        let mut ids = HashSet::new();
        if let Some(twice) = self.mocks.iter().find(|mock| !ids.insert(&mock.id)) {
            return Err(self.damaged(format!("the mock {} is here twice", twice.id)));
        }
        if let Some(pair) = self.tests.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(self.damaged(format!("the test {} is here twice", pair[0].id)));
        }
        for test in &self.tests {
            if let Some(effect) = test.effects.iter().find(|effect| !ids.contains(&effect.mock)) {
                let file = self.dir.join(layout::TESTS).join(format!("{}-{}.yaml", test.id, test.slug));
                let reason = format!("the effect {} is not among the mocks", effect.mock);
                return Err(Error::Damaged { file, line: 1, reason });
            }
        }
        Ok(())
    }

    fn damaged(&self, reason: String) -> Error {
        Error::Damaged { file: self.dir.join(layout::HEAD), line: 1, reason }
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
        Err(e) => e.to_string(),
        Ok(meta) if !meta.is_dir() => "a recording is a folder, this is a file".to_owned(),
        Ok(_) => "no recording is here: there is no recording.yaml".to_owned(),
    };
    Error::NotARecording { path: dir.to_owned(), reason }
}

/// The YAML files of a folder, sorted; a folder that is missing has none.
fn yaml_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io(folder)(e)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::io(folder))?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Reads the documents of a file, which must have its end.
fn read_documents(path: &Path) -> Result<Vec<Node>, Error> {
    let len = fs::metadata(path).map_err(Error::io(path))?.len();
    let damaged = |line: usize, reason: String| Error::Damaged {
        file: path.to_owned(),
        line: u32::try_from(line).unwrap_or(u32::MAX),
        reason,
    };
    if len > MAX_FILE_LEN_BYTES {
        return Err(damaged(1, format!("the file has {len} bytes, more than {MAX_FILE_LEN_BYTES}")));
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

fn read_test(path: &Path, bodies: &InFolder) -> Result<Test, Error> {
    let node = single(path)?;
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let slug = stem.split_once('-').map_or("", |(_, slug)| slug);
    document::read_test(&node, slug, bodies).map_err(|fault| Error::at(path, fault))
}

fn read_timing(path: &Path) -> Result<HashMap<String, Circumstance>, Error> {
    if !path.exists() {
        return Ok(HashMap::new());
    }
    let mut timing = HashMap::new();
    for node in read_documents(path)? {
        if let Kind::Map(pairs) = &node.kind {
            for (key, value) in pairs {
                let at = document::read_circumstance(value).map_err(|fault| Error::at(path, fault))?;
                timing.insert(key.as_str().unwrap_or_default().to_owned(), at);
            }
        }
    }
    Ok(timing)
}
