//! An index in the making: from files that are read, files that are written, and what an older index knew of others.

use std::collections::HashMap;
use std::path::Path;

use super::scan::{Cut, Piece, Scanner};
use super::stamp::{Hasher, Stamped, changed_ns};
use super::{Index, files};
use crate::recording::bodies::InFolder;
use crate::recording::document;
use crate::recording::model::{Circumstance, Mock, Test};
use crate::recording::outline::{
    MockOutline, Owner, Party, Place, ProtocolId, SecretPlace, Started, TestOutline, TimingOutline, note_secrets,
};
use crate::recording::yaml::{self, Fault, Kind, Node};
use crate::recording::{Error, layout, message};

/// Collects outlines.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    index: Index,
    /// The numbers of the index's parties.
    parties: HashMap<Party, u32>,
}

impl Place {
    /// Where a piece of a file stands.
    fn of(file: u32, piece: &Piece) -> Self {
        Place::at(file, piece.line, piece.offset, &piece.text)
    }

    /// Where a text stands that begins at this line and offset.
    pub(crate) fn at(file: u32, line: u32, offset: u64, text: &str) -> Self {
        // No document is longer than `MAX_DOCUMENT_LEN_BYTES`.
        let len = u32::try_from(text.len()).unwrap_or(u32::MAX);
        Place { file, line, offset, len, hash: Hasher::of(text.as_bytes()) }
    }
}

impl Builder {
    /// Takes a file in, and gives its number.
    pub(crate) fn file(&mut self, file: Stamped) -> u32 {
        self.index.files.push(file);
        u32::try_from(self.index.files.len() - 1).unwrap_or(u32::MAX)
    }

    /// Says what a file that was written has become.
    pub(crate) fn stamp(&mut self, file: u32, path: &Path, len: u64, hash: u64) -> std::io::Result<()> {
        let meta = path.metadata()?;
        if let Some(stamped) = self.index.files.get_mut(file as usize) {
            (stamped.len, stamped.hash, stamped.changed_ns) = (len, hash, changed_ns(&meta));
        }
        Ok(())
    }

    /// Takes over what an older index knew of files that have not changed, by their old and new numbers.
    pub(super) fn keep(&mut self, old: Index, files: &HashMap<u32, u32>) {
        fn kept<T>(all: Vec<T>, files: &HashMap<u32, u32>, file: impl Fn(&mut T) -> &mut u32) -> Vec<T> {
            let moved = all.into_iter().filter_map(|mut one| {
                let number = file(&mut one);
                *number = *files.get(number)?;
                Some(one)
            });
            moved.collect()
        }
        self.index.tests = kept(old.tests, files, |test: &mut TestOutline| &mut test.place.file);
        self.index.mocks = kept(old.mocks, files, |mock: &mut MockOutline| &mut mock.place.file);
        let mut timing = kept(old.timing, files, |timing: &mut TimingOutline| &mut timing.place.file);
        for entry in &mut timing {
            if let Some(party) = old.parties.get(entry.party as usize) {
                entry.party = self.party(party.clone());
            }
        }
        self.index.timing = timing;
        self.index.started =
            old.started.and_then(|started| Some(Started { file: *files.get(&started.file)?, ..started }));
        self.index.secrets = kept(old.secrets, files, |place: &mut SecretPlace| &mut place.file);
    }

    /// Reads a file, and checks everything that is in it.
    pub(super) fn read(&mut self, name: &str, path: &Path, bodies: &InFolder) -> Result<(), Error> {
        // Before it is read: a change while it is read is then seen the next time.
        let meta = path.metadata().map_err(Error::io(path))?;
        let stamped = Stamped { name: name.into(), len: 0, changed_ns: changed_ns(&meta), hash: 0 };
        let file = self.file(stamped);
        let cut = if name == layout::TIMING { Cut::Keys } else { Cut::Documents };
        let mut scanner = Scanner::open(path, cut)?;
        let mut count = 0;
        while let Some(piece) = scanner.next()? {
            let place = Place::of(file, &piece);
            let at = |fault| Error::at(path, fault);
            let mut nodes = yaml::documents_from(&piece.text, piece.line).map_err(at)?;
            let Some(node) = nodes.pop() else { continue };
            if !nodes.is_empty() {
                return Err(at(Fault { line: node.line, reason: "a document begins with `---`".into() }));
            }
            count += 1;
            if name == layout::TIMING {
                self.timing(&node, place).map_err(at)?;
            } else if name.starts_with(layout::TESTS) {
                if count > 1 {
                    return Err(at(Fault { line: node.line, reason: "expected one document".into() }));
                }
                let test = document::read_test(&node, slug(name), bodies).map_err(at)?;
                self.test(&test, place).map_err(|reason| at(Fault { line: node.line, reason }))?;
            } else {
                message::expect_map(&node).map_err(at)?;
                let mock = document::read_mock(&node, bodies).map_err(at)?;
                self.mock(&mock, place).map_err(|reason| at(Fault { line: node.line, reason }))?;
            }
        }
        if count == 0 && name.starts_with(layout::TESTS) {
            return Err(Error::at(path, Fault { line: 1, reason: "expected one document".into() }));
        }
        let (len, hash) = scanner.content();
        if let Some(stamped) = self.index.files.get_mut(file as usize) {
            (stamped.len, stamped.hash) = (len, hash);
        }
        Ok(())
    }

    /// Adds a test.
    pub(crate) fn test(&mut self, test: &Test, place: Place) -> Result<(), String> {
        let unknown = || "an effect is of a protocol that this version of reel does not have".to_owned();
        self.index.tests.push(TestOutline::of(test, place).ok_or_else(unknown)?);
        Ok(())
    }

    /// Adds a mock.
    pub(crate) fn mock(&mut self, mock: &Mock, place: Place) -> Result<(), String> {
        let unknown = || "`cue` names a protocol that this version of reel does not have".to_owned();
        self.index.mocks.push(MockOutline::of(mock, place).ok_or_else(unknown)?);
        if let (Some(request), Some(protocol)) = (&mock.exchange.request, ProtocolId::of(&mock.exchange.protocol)) {
            note_secrets(place.file, protocol, request, &mut self.index.secrets);
        }
        Ok(())
    }

    /// Adds an entry of `timing.yaml`.
    pub(crate) fn timed(&mut self, owner: Owner, place: Place, at: &Circumstance) {
        let party = self.party(Party::of(at));
        let Circumstance { at_ns, latency_ns, .. } = *at;
        self.index.timing.push(TimingOutline { owner, place, at_ns, latency_ns, party });
    }

    /// The number of a party.
    fn party(&mut self, party: Party) -> u32 {
        let parties = &mut self.index.parties;
        *self.parties.entry(party).or_insert_with_key(|party| {
            parties.push(party.clone());
            u32::try_from(parties.len() - 1).unwrap_or(u32::MAX)
        })
    }

    /// Says when the recording began.
    pub(crate) fn started(&mut self, started: Started) {
        self.index.started = Some(started);
    }

    fn timing(&mut self, node: &Node, place: Place) -> Result<(), Fault> {
        let Kind::Map(pairs) = &node.kind else { return Ok(()) };
        for (key, value) in pairs {
            if key.as_str() == Some(layout::START) {
                if self.index.started.is_some() {
                    return Err(Fault { line: key.line, reason: twice(layout::START) });
                }
                self.started(Started { at_ns: document::read_start(value)?, file: place.file });
                continue;
            }
            let at = document::read_circumstance(value)?;
            // What belongs to nothing that is here says nothing.
            if let Some(owner) = key.as_str().and_then(Owner::of) {
                self.timed(owner, place, &at);
            }
        }
        Ok(())
    }

    /// Puts everything in order, and looks at what must hold between documents.
    pub(crate) fn finish(self, dir: &Path) -> Result<Index, Error> {
        let mut index = self.index;
        index.tests.sort_by_key(|test| test.id);
        index.mocks.sort_by_key(|mock| mock.id);
        index.timing.sort_by_key(|timing| timing.owner);
        if let Some(pair) = index.timing.windows(2).find(|pair| pair[0].owner == pair[1].owner) {
            let line = pair[0].place.line.max(pair[1].place.line);
            let reason = twice(pair[0].owner);
            return Err(Error::at(&dir.join(layout::TIMING), Fault { line, reason }));
        }
        for body in files(dir, layout::BODIES)? {
            // Its name says what is in it, and whoever reads it holds it to that.
            let hash = body.name.rsplit('/').next().and_then(|name| u64::from_str_radix(name.get(..16)?, 16).ok());
            if let Some(hash) = hash {
                index.bodies.push(Stamped { name: body.name, len: body.len, changed_ns: body.changed_ns, hash });
            }
        }
        Ok(index)
    }
}

fn twice(key: impl std::fmt::Display) -> String {
    format!("the key `{key}` stands here twice")
}

/// The part of a test's file name that people read: `tests/0001-get-orders.yaml` is `get-orders`.
pub(crate) fn slug(name: &str) -> &str {
    let stem = name.rsplit('/').next().unwrap_or(name);
    stem.strip_suffix(".yaml").unwrap_or(stem).split_once('-').map_or("", |(_, slug)| slug)
}
