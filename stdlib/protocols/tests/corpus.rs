//! Runs the fuzz corpus, and a transcript of every fixture, through what the fuzz targets check.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::Path;

#[path = "../../../tests/fuzz/src/drive.rs"]
mod drive;

fn corpus(target: &str, run: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus").join(target);
    let mut count = 0;
    for file in fs::read_dir(&folder).unwrap() {
        run(&fs::read(file.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "no corpus in {}", folder.display());
}

#[test]
fn http() {
    corpus("http", |data| drive::conversation("http", data));
}

#[test]
fn redis() {
    corpus("redis", |data| drive::conversation("redis", data));
}

#[test]
fn dns() {
    corpus("dns", |data| drive::conversation("dns", data));
}

#[test]
fn datagrams() {
    corpus("datagrams", |data| drive::datagrams("dns", data));
}

#[test]
fn postgres() {
    corpus("postgres", |data| drive::conversation("postgres", data));
}

#[test]
fn postgres_messages() {
    corpus("postgres_messages", drive::postgres_messages);
}

#[test]
fn tcp() {
    corpus("tcp", |data| drive::conversation("tcp", data));
}

#[test]
fn json() {
    corpus("json", drive::json);
}
