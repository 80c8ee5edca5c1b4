//! The interactive prompt, through a pipe and on a terminal (a pty, whose Ctrl-C is the kernel's own).
#![allow(clippy::unwrap_used, clippy::panic)]

mod pty;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use reel_probes::doctor::Capability;
use reel_probes::inspect::program_ids;

use pty::{PATIENCE, PLAIN, Terminal};

const REEL: &str = env!("CARGO_BIN_EXE_reel");

fn piped(input: &str) -> Output {
    let mut command = Command::new(REEL);
    command.arg("repl").env("NO_COLOR", "1").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_pipe_is_read_input_by_input() {
    if !Capability::RawTracepoint.needs() {
        return;
    }
    let output = piped(
        "macro twice(x) { x * 2 }\nbegin {\n  print(twice(21));\n}\nbegin { print(nope); }\n:halp\n\
         interval:ms:10 { @n = count(); exit(); }\n:wait\n:print @n\n:quit\nbegin { print(99); }\n",
    );
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(2), "two inputs are wrong: {err}");
    let numbers: Vec<&str> = out.lines().filter(|line| line.parse::<u32>().is_ok()).collect();
    assert_eq!(numbers, ["42"], "what is wrong runs nothing, and nothing runs after :quit:\n{out}");
    let rest: Vec<&str> = out.lines().skip(1).filter(|line| !line.is_empty()).collect();
    assert_eq!(rest, ["[1] Attached 1 probe", "@n: 1", "[1] ended", "@n: 1"], "a map outlives its clause");
    for part in ["unknown name `nope`", "prompt:1:15", "there is no command `:halp`", "`:help` lists what there is"] {
        assert!(err.contains(part), "{part} is missing in\n{err}");
    }
}

#[test]
fn a_pipe_ends_as_the_worst_of_its_inputs_did() {
    if !Capability::RawTracepoint.needs() {
        return;
    }
    let code = |input: &str| piped(input).status.code();
    assert_eq!(code("begin { nope(); }\nbegin { exit(); }\n"), Some(2));
    assert_eq!(code("begin { exit(3); }\nbegin { }\n"), Some(3));
    assert_eq!(code("interval:ms:10 { exit(4); }\n"), Some(4), "what is waited for counts");
    assert_eq!(code("interval:s:100 { }\nend { exit(5); }\n:quit\n"), Some(5));
    assert_eq!(code("begin { exit(); }\n:quit\n"), Some(0));
}

#[test]
fn the_end_of_a_pipe_waits_for_what_runs() {
    if !Capability::RawTracepoint.needs() {
        return;
    }
    let output = piped("interval:ms:10 { @n++; if (@n == 3) { printf(\"three\\n\"); clear(@n); exit(); } }\n");
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(out, "[1] Attached 1 probe\nthree\n[1] ended\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn commands_answer() {
    let output = piped(
        ":list\n:maps\n:stop 7\n:stop\n:print @m\n:clear @m\n:doc histt\n:doc len\n:probes redis:re*\n:plan\n\
         :plan http:request /method == \"GET\"/ { }\n:probes -v tcp:close\n:live 4194999\n:live /tmp\n\
         :pcap /no/such/file\n:pcap /tmp\n:from /tmp\n:load /no/such/file\n:save /tmp\n:run\n",
    );
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let said = [
        "nothing runs\n",
        "there are no maps\n",
        "len(value)\n  message probes: ",
        "redis:request\nredis:response\n",
        "http:request\n    runs: native\n",
        "tcp:close\n    string   closer ",
    ];
    let wrong = [
        "nothing runs as 7",
        "there is no map `@m`",
        "did you mean `hist`?",
        "no clause runs",
        "cannot read the script /no/such/file",
        "there is nothing to save",
        "there is no process 4194999",
        "/tmp: this is no cgroup",
        "/no/such/file: No such file or directory",
        "/tmp: the prompt reads packets from files alone",
        "a command line is missing",
    ];
    for part in said {
        assert!(out.contains(part), "{part} is missing in\n{out}");
    }
    for part in wrong {
        assert!(err.contains(part), "{part} is missing in\n{err}");
    }
}

#[test]
fn what_is_saved_can_be_loaded() {
    if !Capability::RawTracepoint.needs() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("saved.rr");
    let save = format!(":save {}\n", file.display());
    let output = piped(&format!("macro twice(x) {{ x * 2 }}\ninterval:ms:1 {{ @n = twice(4); }}\n{save}{save}:quit\n"));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("a file that does not exist yet"),
        "nothing is overwritten"
    );
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "macro twice(x) { x * 2 }\n\ninterval:ms:1 { @n = twice(4); }\n"
    );
    let output = piped(&format!(":load {}\n:list\n:quit\n", file.display()));
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(out.contains("[1] macro twice(x) { x * 2 } interval:ms:1 { @n = twice(4); }\n"), "{out}");
}

#[test]
fn message_clauses_hear_the_commands_that_run() {
    if !Capability::TcpHooks.needs() || !Capability::UserDynptr.needs() {
        return;
    }
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let answer = std::thread::spawn(move || {
        let (mut client, _) = server.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            request.extend(byte);
        }
        client.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    });
    let request = "GET /tea HTTP/1.1\\r\\nHost: shop\\r\\n\\r\\n";
    let output = piped(&format!(
        ":live run\nhttp:exchange {{ printf(\"<%s %d>\\n\", path, status); @[path] = count(); }}\n\
         :run exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}; printf \"{request}\" >&3; head -1 <&3'\n\
         :wait\n:print @\n:stop 1\n"
    ));
    answer.join().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    for part in [
        "listen to the commands of `:run`",
        "`:run COMMAND` gives it traffic",
        "</tea 204>",
        "HTTP/1.1 204 No Content",
        "[2] ended",
        "@[/tea]: 1",
    ] {
        assert!(out.contains(part), "{part} is missing in\n{out}\n{err}");
    }
}

#[test]
fn what_a_pipe_leaves_open_is_an_error() {
    let output = piped("begin {\n");
    assert!(String::from_utf8_lossy(&output.stderr).contains("expected `}`"));
}

/// The ids of the programs that a process keeps attached.
fn programs(pid: u32) -> Vec<u32> {
    let id = |line: &str| line.strip_prefix("prog_id:")?.trim().parse().ok();
    let infos = std::fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap();
    let texts = infos.filter_map(|info| std::fs::read_to_string(info.unwrap().path()).ok());
    let mut ids: Vec<u32> = texts.flat_map(|text| text.lines().filter_map(id).collect::<Vec<_>>()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[test]
fn on_a_terminal_a_clause_runs_while_the_next_is_written() {
    if !Capability::RawTracepoint.needs() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(&[], state.path(), PLAIN);
    terminal.wait_for("enter a clause, or :help");
    terminal.wait_for("reel> ");
    terminal.press("begin {\r");
    terminal.press("printf(\"<%d>\", 40 + 2); }\r");
    terminal.wait_for("<42>");
    terminal.wait_for("reel> ");
    terminal.press("begin { print(nope); }\r");
    terminal.wait_for("unknown name `nope`");
    terminal.wait_for("reel> ");
    // It ticks on while half a line stands at the prompt, which is drawn again below each tick.
    terminal.press("interval:ms:5 { @ticks = count(); printf(\"tick\\n\"); }\r");
    terminal.wait_for("[1] Attached 1 probe");
    terminal.wait_for("reel> ");
    terminal.press("begin { print(");
    for _ in 0..3 {
        terminal.wait_for("tick");
        terminal.wait_for("reel> begin { print(");
    }
    terminal.press("\"mine\"); }\r");
    terminal.wait_for("\nmine");
    terminal.wait_for("reel> ");
    terminal.press(":list\r");
    terminal.wait_for("[1] interval:ms:5 {");
    terminal.wait_for("reel> ");
    // Twice, since the second press finds nothing that runs, and clears the line.
    terminal.press("half a line\x03");
    terminal.wait_for("@ticks: ");
    terminal.wait_for("[1] stopped");
    terminal.wait_for("reel> ");
    terminal.press("half a line\x03");
    terminal.wait_for("half a line");
    terminal.wait_for("reel> ");
    terminal.press("begin { print(\"still here\"); }\r");
    terminal.wait_for("\nstill here");
    terminal.wait_for("reel> ");
    terminal.press("\x04");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(0));
    let history = std::fs::read_to_string(state.path().join("reel/history")).unwrap();
    assert!(history.contains("interval:ms:5"), "{history}");
}

#[test]
fn what_was_entered_is_remembered_by_the_next_prompt() {
    let state = tempfile::tempdir().unwrap();
    for keys in ["macro twice(x) { x * 2 }\r", "\x1b[A\r"] {
        let mut terminal = Terminal::start(&[], state.path(), PLAIN);
        terminal.wait_for("reel> ");
        terminal.press(keys);
        terminal.wait_for("macro twice(x) { x * 2 }");
        terminal.wait_for("reel> ");
        terminal.press("\x04");
        assert_eq!(terminal.child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn commands_answer_on_a_terminal() {
    if !Capability::RawTracepoint.needs() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join("saved.rr");
    let (save, load) = (format!(":save {}", file.display()), format!(":load {}", file.display()));
    let mut terminal = Terminal::start(&[], state.path(), PLAIN);
    terminal.wait_for("reel> ");
    let session = [
        (":help", "Enter a clause: it is attached at once"),
        ("macro twice(x) { x * 2 }", "reel> "),
        ("begin { @m[1] = twice(21); } interval:s:900 { @n++; }", "[1] Attached 2 probes"),
        (":maps", "@m  1 entry  [1]"),
        (":print @m", "\n@m[1]: 42"),
        (":clear @m", "reel> "),
        (":maps", "@m  0 entries  [1]"),
        (":plan 1", "runs: kernel"),
        (":probes redis:re*", "\nredis:request"),
        (":doc strlen", "\nstrlen(text)"),
        (&save, "reel> "),
        (&load, "[2] Attached 2 probes"),
        (":list", "\n[2] macro twice(x)"),
        (":stop 1", "\n[1] stopped"),
        // A wrong input changes nothing, not even what was right in it.
        ("macro twice(x) { x * 3 } begin { print(nope); }", "unknown name `nope`"),
        ("begin { print(twice(50)); }", "\n100"),
        (":stop", "\n[2] stopped"),
        (":list", "\nnothing runs"),
        (":halp", "there is no command `:halp`"),
    ];
    for (keys, answer) in session {
        terminal.press(&format!("{keys}\r"));
        // The echo of what is entered comes first.
        terminal.wait_for("\n");
        terminal.wait_for(answer.trim_start_matches('\n'));
        if answer != "reel> " {
            terminal.wait_for("reel> ");
        }
    }
    let saved = std::fs::read_to_string(&file).unwrap();
    assert!(saved.starts_with("macro twice(x) { x * 2 }\n\nbegin { @m[1] = twice(21); }"), "{saved}");
    terminal.press("\x04");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(0));
}

/// One exchange, `GET /ok` of 10.0.0.1 to 10.0.0.2:80, as a packet file: raw IPv4 (draft-ietf-opsawg-pcap, RFC 791, RFC 9293).
fn packets() -> Vec<u8> {
    const SYN: u8 = 2;
    const ACK: u8 = 16;
    let mut file: Vec<u8> =
        [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65_536, 101].iter().flat_map(|word| word.to_le_bytes()).collect();
    let mut seqs = [1u32, 1];
    let (request, response) =
        (&b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n"[..], &b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"[..]);
    for (from, flags, payload) in [(0, SYN, &b""[..]), (1, SYN | ACK, b""), (0, ACK, request), (1, ACK, response)] {
        let len = 40 + payload.len() as u32;
        file.extend([1_700_000_000, seqs[0] + seqs[1], len, len].iter().flat_map(|word| word.to_le_bytes()));
        file.extend([0x45, 0, 0, len as u8, 0, 0, 0, 0, 64, 6, 0, 0]);
        let (addresses, ports) = ([[10, 0, 0, 1], [10, 0, 0, 2]], [50_000u16, 80]);
        file.extend(addresses[from].iter().chain(&addresses[1 - from]));
        file.extend([ports[from], ports[1 - from]].iter().flat_map(|port| port.to_be_bytes()));
        file.extend([seqs[from], seqs[1 - from]].iter().flat_map(|seq| seq.to_be_bytes()));
        file.extend([0x50, flags, 255, 255, 0, 0, 0, 0]);
        file.extend(payload);
        seqs[from] += payload.len() as u32 + u32::from(flags & SYN != 0);
    }
    file
}

/// A recording of one test, `GET /kept`.
fn recording(dir: &std::path::Path) {
    let head = "format: 1\ncomplete: true\ntool: \"0.1.0\"\ncommand: [server]\nclock: real\nprotocols:\n  http:\n    tests: 1\n    \
                mocks: 0\nlosses:\n  dropped_events: 0\n  missing_bytes: 0\n  undecoded_bytes: 0\n  encrypted_connections: 0\n...\n";
    let test = "test: 1\nprotocol: http\ndestination: \"127.0.0.1:80\"\nrequest:\n  method: GET\n  target: /kept\n  version: \"1.1\"\n  \
                header:\n    Host: a\nresponse:\n  status: 204\n  reason: No Content\n  version: \"1.1\"\n  header: {}\neffects: []\n...\n";
    let timing = "start: \"2026-11-29T06:12:22.626347719Z\"\ntest-0001: {at_ns: 100, latency_ns: 20, pid: 7, tid: 7, comm: server, \
                  peer: \"127.0.0.1:50000\", connection: 0}\n...\n";
    std::fs::create_dir_all(dir.join("tests")).unwrap();
    std::fs::write(dir.join("recording.yaml"), head).unwrap();
    std::fs::write(dir.join("timing.yaml"), timing).unwrap();
    std::fs::write(dir.join("tests/0001-get-kept.yaml"), test).unwrap();
}

#[test]
fn a_terminal_goes_from_the_past_to_the_present_and_back() {
    let state = tempfile::tempdir().unwrap();
    let (dir, file) = (state.path().join("rec"), state.path().join("one.pcap"));
    recording(&dir);
    std::fs::write(&file, packets()).unwrap();
    let (from, pcap) = (format!(":from {}", dir.display()), format!(":pcap {}", file.display()));
    let (of_host, of_nobody) = (format!("{pcap} 10.0.0.2:80"), format!("{pcap} 10.0.0.3"));
    let mut terminal = Terminal::start(&[], state.path(), PLAIN);
    terminal.wait_for("reel> ");
    let count = "http:exchange { @p[path] = count(); }";
    let session: &[(&str, &str)] = &[
        (&from, "message clauses run over the recording"),
        (count, "@p[/kept]: 1"),
        (":print @p", "@p[/kept]: 1"),
        (":from /no/such/folder", "/no/such/folder: there is no such folder"),
        (&pcap, "message clauses run over the packets of"),
        (count, "@p[/ok]: 1"),
        ("http:in:exchange { @p[path] = count(); }", "Say where the app is with `--host"),
        (&of_host, "message clauses run over the packets of 10.0.0.2:80 in"),
        ("http:in:exchange { @in[direction] = count(); }", "@in[in]: 1"),
        (&of_nobody, "message clauses run over the packets of 10.0.0.3 in"),
        (count, "1 connection is of no `--host`, and was left out"),
        (":live run", "message clauses listen to the commands of `:run`"),
        (":live", "listening to the whole machine"),
        (&from, "message clauses run over the recording"),
        (count, "@p[/kept]: 1"),
    ];
    for (keys, answer) in session {
        terminal.press(&format!("{keys}\r"));
        terminal.wait_for("\n");
        terminal.wait_for(answer);
        terminal.wait_for("reel> ");
    }
    terminal.press("\x04");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_line_is_coloured_while_it_is_written() {
    let state = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(&[], state.path(), ("CLICOLOR", "1"));
    terminal.wait_for("reel> ");
    terminal.press("begin { @m = strlen(\"abc\"); }");
    // A map, a function, a text.
    for coloured in ["\x1b[35m@m\x1b[0m", "\x1b[34mstrlen\x1b[0m", "\x1b[32m\"abc\"\x1b[0m"] {
        terminal.wait_for(coloured);
    }
    // The line is drawn anew after each key: only the next prompt stands below it.
    terminal.wait_for("; }");
    terminal.press("\x03");
    terminal.wait_for("\n");
    terminal.wait_for("reel> ");
    terminal.press(":lis");
    terminal.wait_for("\x1b[33m:lis\x1b[0m");
    terminal.press("\x03");
    terminal.wait_for("\n");
    terminal.wait_for("reel> ");
    terminal.press("\x04");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_tab_completes_what_stands_before_it() {
    let state = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(&[], state.path(), PLAIN);
    terminal.wait_for("reel> ");
    let file = state.path().join("a-file.rr");
    std::fs::write(&file, "macro five() { 5 }\n").unwrap();
    let (path, whole) = (file.display().to_string(), format!(":load {}", file.display()));
    let load = format!(":lo\t {}\t", path.trim_end_matches("ile.rr"));
    // A protocol and a field, a tracepoint, a function, a map of the same line, a command and a file.
    for (keys, line) in [
        ("http:res\t /reas\t", "http:response /reason"),
        ("tracepoint:sched:sched_process_exe\t", "tracepoint:sched:sched_process_exec"),
        ("begin { strco\t", "begin { strcontains"),
        ("begin { @counted = 1; @cou\t", "begin { @counted = 1; @counted"),
        (&load, &whole),
    ] {
        terminal.press(keys);
        terminal.wait_for(line);
        terminal.press("\x03");
        terminal.wait_for("reel> ");
    }
    terminal.press("\x04");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(0));
}

#[test]
fn ctrl_d_detaches_everything() {
    if !Capability::RawTracepoint.needs() || !Capability::TcpHooks.needs() || !Capability::UserDynptr.needs() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(&[], state.path(), PLAIN);
    terminal.wait_for("reel> ");
    for (number, clause) in [
        "tracepoint:raw_syscalls:sys_enter /comm == \"nobody\"/ { @a = count(); }",
        "uprobe:libc:mlock2 { @b = count(); }",
        "http:exchange { @c = count(); }",
    ]
    .iter()
    .enumerate()
    {
        terminal.press(&format!("{clause}\r"));
        if clause.starts_with("http") {
            terminal.wait_for("listening to the whole machine, but for reel itself");
        }
        terminal.wait_for(&format!("[{}] Attached", number + 1));
        terminal.wait_for("reel> ");
    }
    terminal.press(":run exec sleep 1000\r");
    terminal.wait_for("[4] running");
    let programs = programs(terminal.child.id());
    assert!(programs.len() >= 5, "one each of the first two, three of the capture: {programs:?}");
    let in_kernel = || {
        let all = program_ids().unwrap();
        programs.iter().filter(|id| all.contains(id)).count()
    };
    assert_eq!(in_kernel(), programs.len());
    terminal.wait_for("reel> ");
    terminal.press("\x04");
    for number in [3, 2, 1, 4] {
        terminal.wait_for(&format!("[{number}] stopped"));
    }
    assert_eq!(terminal.child.wait().unwrap().code(), Some(0));
    // The kernel frees a program a moment after its last user has gone.
    let began = Instant::now();
    while in_kernel() > 0 {
        assert!(began.elapsed() < PATIENCE, "a program has stayed in the kernel");
        std::thread::yield_now();
    }
}
