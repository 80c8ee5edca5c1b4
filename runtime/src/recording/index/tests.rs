//! The index against the files it is made of.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use reel_lang::schema::Direction;

use super::*;
use crate::recording::testing::{Maker, exchange};
use crate::recording::{About, Attribution, Circumstance, Cue, Recording, Scope, secret_name};

/// A recording with everything that an index knows of.
fn write(dir: &Path) -> Recording {
    let mut maker = Maker { about: About { clock: "real".into(), ..About::default() }, ..Maker::default() };
    let first = maker.redis("AUTH {{secret:auth:n1}}", "+OK\r\n");
    let large = format!("${}\r\n{}\r\n", 100_000, "x".repeat(100_000));
    let second = maker.redis("GET a:\u{e9}", &large);
    maker.mock(Scope::Startup, Some(Cue::Connect), exchange("tcp", Direction::Out, 25, "", "220 ready\n"));
    maker.mock(
        Scope::Background,
        Some(Cue::After(first.clone())),
        exchange("tcp", Direction::Out, 25, "", "line\n\n---\n"),
    );
    maker.test(Attribution::Window, &[&first, &second]);
    maker.test(Attribution::Candidate, &[&second]);
    maker.tests[0].exchange = exchange(
        "http",
        Direction::In,
        8080,
        "GET /?key={{secret:query_key:n1}} HTTP/1.1\r\nHost: a\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
    );
    maker.tests[1].tags.push("slow".into());
    maker.timing.insert("test-0001".into(), Circumstance { at_ns: 5, ..Circumstance::default() });
    maker.write(dir);
    Recording::open(dir).unwrap()
}

/// What is kept in a recording now.
fn kept(dir: &Path) -> Index {
    store::load(dir).unwrap().0
}

/// Sets every file's time back, so that only content and the index's own time tell.
fn age(dir: &Path) {
    let long_ago = SystemTime::now() - Duration::from_secs(60);
    for name in ["tests", "mocks", "bodies"] {
        for file in files(dir, name).unwrap() {
            fs::File::open(dir.join(&*file.name)).unwrap().set_modified(long_ago).unwrap();
        }
    }
    fs::File::open(dir.join(layout::TIMING)).unwrap().set_modified(long_ago).unwrap();
}

#[test]
fn the_recorder_writes_the_index_that_reading_the_files_gives() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("r");
    write(&dir);
    let written = kept(&dir);
    assert_eq!(
        written.tests[0].secrets.iter().map(|token| secret_name(token.as_bytes())).collect::<Vec<_>>(),
        [Some("query_key")]
    );
    assert_eq!((written.secrets.len(), written.bodies.len(), written.timing.len()), (1, 1, 6));
    fs::remove_file(dir.join(layout::INDEX)).unwrap();
    let read = Recording::open(&dir).unwrap().index().clone();
    let by_name = |index: &Index| {
        let mut files = index.files.clone();
        files.sort_by(|a, b| a.name.cmp(&b.name));
        files
    };
    assert_eq!(by_name(&written), by_name(&read));
    assert_eq!(written.bodies, read.bodies);
    // Files are numbered as they come.
    let unnumbered = |mut index: Index| {
        index.tests.iter_mut().for_each(|test| test.place.file = 0);
        index.mocks.iter_mut().for_each(|mock| mock.place.file = 0);
        index.timing.iter_mut().for_each(|timing| timing.place.file = 0);
        index.secrets.iter_mut().for_each(|secret| secret.file = 0);
        (index.tests, index.mocks, index.timing, index.secrets)
    };
    assert_eq!(unnumbered(written), unnumbered(read));
}

#[test]
fn only_what_changed_is_read_anew() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("r");
    write(&dir);
    age(&dir);
    Recording::open(&dir).unwrap();
    let inode = || std::os::unix::fs::MetadataExt::ino(&dir.join(layout::INDEX).metadata().unwrap());
    let before = inode();
    Recording::open(&dir).unwrap();
    assert_eq!(inode(), before, "nothing changed, so nothing is written");
    // One file of the same size and time, but it was read anew only where its time told: here the hash on reading does.
    let file = dir.join("tests/0002-get-2.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("body: ok", "body: no")).unwrap();
    let recording = Recording::open(&dir).unwrap();
    assert_ne!(inode(), before);
    let body =
        |recording: &Recording| format!("{:?}", recording.test(&recording.tests()[1]).unwrap().exchange.response);
    assert!(body(&recording).contains("no"));
    // A change while the recording is open.
    fs::write(&file, &text).unwrap();
    let error = recording.test(&recording.tests()[1]).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{}:1: the file changed while the recording was used; run it again", file.display())
    );
    assert!(body(&Recording::open(&dir).unwrap()).contains("ok"));
}

#[test]
fn a_file_as_young_as_the_index_is_looked_into() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("r");
    write(&dir);
    Recording::open(&dir).unwrap();
    let file = dir.join("tests/0002-get-2.yaml");
    let (text, time) = (fs::read_to_string(&file).unwrap(), file.metadata().unwrap().modified().unwrap());
    fs::write(&file, text.replace("body: ok", "body: no")).unwrap();
    for path in [&file, &dir.join(layout::INDEX)] {
        fs::File::open(path).unwrap().set_modified(time).unwrap();
    }
    let recording = Recording::open(&dir).unwrap();
    assert!(format!("{:?}", recording.test(&recording.tests()[1])).contains("no"));
}

#[test]
fn no_index_is_an_error() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("r");
    let whole = write(&dir).index().clone();
    let path = dir.join(layout::INDEX);
    let good = fs::read(&path).unwrap();
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let other = good.iter().map(|byte| if *byte == b'1' { b'2' } else { *byte }).collect();
    for bad in [vec![], b"nonsense".to_vec(), good[..good.len() / 2].to_vec(), flipped, other] {
        fs::write(&path, bad).unwrap();
        assert!(store::load(&dir).is_none());
        assert_eq!(*Recording::open(&dir).unwrap().index(), whole);
        assert_eq!(kept(&dir), whole);
    }
    // An index whose numbers lead nowhere, as one that was made by hand may.
    let mut hollow = whole.clone();
    hollow.files.clear();
    hollow.save(&dir).unwrap();
    assert!(store::load(&dir).is_none());
    // Neither is one that cannot be written: a folder stands in its way.
    fs::remove_file(&path).unwrap();
    fs::create_dir(dir.join(layout::INDEX_NEW)).unwrap();
    for _ in 0..2 {
        assert_eq!(*Recording::open(&dir).unwrap().index(), whole);
        assert!(!path.exists());
    }
}

#[test]
fn a_body_that_changed_is_found_by_its_document() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("r");
    write(&dir);
    age(&dir);
    Recording::open(&dir).unwrap();
    let body = dir.join(&*files(&dir, "bodies").unwrap()[0].name);
    // A copy is as good as the original.
    let bytes = fs::read(&body).unwrap();
    fs::write(&body, &bytes).unwrap();
    Recording::open(&dir).unwrap();
    fs::write(&body, &bytes[1..]).unwrap();
    let error = Recording::open(&dir).unwrap_err().to_string();
    assert!(error.contains("mocks/redis-0001.yaml:") && error.contains("does not have the SHA-256"), "{error}");
}

#[test]
fn git_does_not_see_what_is_derived() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("r");
    write(&dir);
    let ignored = fs::read_to_string(dir.join(layout::GITIGNORE)).unwrap();
    for name in [layout::INDEX, layout::INDEX_NEW, layout::GITIGNORE] {
        assert!(ignored.lines().any(|line| line == format!("/{name}")), "{ignored}");
    }
    // A user's own file stays.
    fs::write(dir.join(layout::GITIGNORE), "/notes\n").unwrap();
    fs::remove_file(dir.join(layout::INDEX)).unwrap();
    Recording::open(&dir).unwrap();
    assert_eq!(fs::read_to_string(dir.join(layout::GITIGNORE)).unwrap(), "/notes\n");
}

#[test]
fn a_link_that_leads_nowhere_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("r");
    write(&dir);
    std::os::unix::fs::symlink("/nowhere/at/all", dir.join("tests/0003-gone.yaml")).unwrap();
    let error = Recording::open(&dir).unwrap_err();
    assert_eq!(error.exit(), crate::exit::Exit::Recording);
    assert!(error.to_string().ends_with("r/tests/0003-gone.yaml:1: the link leads to no file"), "{error}");
}
