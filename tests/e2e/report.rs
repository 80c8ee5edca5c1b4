//! What a replay writes: the same bytes each time, and an XML that another program reads.

use std::fs;
use std::path::Path;
use std::process::Command;

use reel_tests::process::free_port;

use super::network::{client, counter, with_plain};
use super::support::{Ran, folder, has, reel};

/// A reader of XML that is not ours: the counts, and of each test its name and the first line of what is wrong.
const READER: &str = "
import sys, xml.etree.ElementTree as tree
suite = tree.parse(sys.argv[1]).getroot().find('testsuite')
print(suite.get('tests'), suite.get('failures'), suite.get('errors'))
for case in suite.iter('testcase'):
    faults = list(case)
    print(case.get('name'), case.get('classname'), [fault.tag + ': ' + fault.get('message') for fault in faults])
";

/// Makes a recorded response one of long ago: replayed within the second of its recording, its `Date` would not differ.
fn date_back(test: &Path) {
    let text = fs::read_to_string(test).unwrap();
    let at = text.find(" GMT").expect("a Date header");
    let year = at - "2026 12:30:45".len();
    fs::write(test, format!("{}2001{}", &text[..year], &text[year + 4..])).unwrap();
}

#[test]
fn an_app_that_crashes_after_its_last_response_fails() {
    if !has("python3") {
        return;
    }
    let (folder, port) = (folder(), free_port().unwrap());
    let dir = folder.path().join("recording");
    let dependency = counter(([127, 0, 0, 1], 0));
    let mut record = reel(["record", "--drive", &client(port), "-o"]);
    Ran::of(with_plain(record.arg(&dir), port, dependency)).exits(0);
    for (end, code, says) in [
        ("0", 0, "1 passed, 0 failed"),
        ("3", 5, "stopped after the last test: the app ended (exit status: 3)"),
        ("SIGSEGV", 5, "stopped after the last test: the app ended (signal: 11 (SIGSEGV)"),
    ] {
        let mut replay = reel(["replay"]);
        let ran = Ran::of(with_plain(replay.arg(&dir), port, dependency).env("END", end));
        ran.exits(code).prints(says);
    }
}

#[test]
fn the_same_recording_gives_the_same_report_and_an_xml_that_others_read() {
    if !has("python3") {
        return;
    }
    let (folder, port) = (folder(), free_port().unwrap());
    let (dir, xml) = (folder.path().join("recording"), folder.path().join("report.xml"));
    let dependency = counter(([127, 0, 0, 1], 0));
    let mut record = reel(["record", "--drive", &client(port), "-o"]);
    Ran::of(with_plain(record.arg(&dir), port, dependency)).exits(0);
    date_back(&dir.join("tests/0001-get-ping.yaml"));
    let replay = |times: &str, only: &[&str]| {
        let mut replay = reel(["replay", "--junit"]);
        let replay = replay.arg(&xml).args(only).arg(&dir);
        let ran = Ran::of(with_plain(replay, port, dependency).env("TIMES", times));
        (ran, fs::read_to_string(&xml).unwrap())
    };
    let read = || Ran::of(Command::new("python3").args(["-c", READER]).arg(&xml)).exits(0).out;
    for (times, code, expect) in [
        ("1", 0, "1 0 0\n0001 GET /ping tests/0001-get-ping.yaml []\n"),
        (
            "2",
            1,
            "1 1 0\n0001 GET /ping tests/0001-get-ping.yaml [\"failure: the response is not the recorded one\"]\n",
        ),
    ] {
        let (first, first_xml) = replay(times, &[]);
        let (second, second_xml) = replay(times, &[]);
        assert_eq!(first.out, second.out);
        assert_eq!(first_xml, second_xml);
        let said = read();
        assert_eq!(said.replace('\'', "\""), expect, "{}", first.out);
        first.exits(code);
    }
    // No older file is left to be taken for the result of a replay that came to nothing.
    let (none, _) = replay("1", &["--only", "<nothing>"]);
    none.exits(2);
    assert!(read().contains("error: no test matches `<nothing>`"), "{}", read());
}
