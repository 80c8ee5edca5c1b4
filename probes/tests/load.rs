//! Every kind of program that reel attaches, on the running kernel.
//!
//! Each program counts or reports only what this process does, or what runs in a cgroup of its own.
#![allow(clippy::unwrap_used, clippy::panic)]

mod elf;

use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;
use std::time::{Duration, Instant};

use elf::{ARRAY, EXIT, MAP, PER_CPU_ARRAY, RING, call, count_and_return, ins, mov, object, only_in};
use reel_probes::attach::{Attach, SampleRate, TcDirection};
use reel_probes::catalog::btf::Btf;
use reel_probes::cgroup::Cgroup;
use reel_probes::doctor::Capability;
use reel_probes::inspect;
use reel_probes::load::{LoadError, Loaded};
use reel_probes::ringbuf::RingReader;
use reel_probes::spawn::Spawn;

/// Leaves the test where this machine lacks something, saying what.
macro_rules! needs {
    ($($capability:ident),*) => {
        if $(!Capability::$capability.needs() ||)* false {
            return;
        }
    };
}

fn getppid() {
    std::hint::black_box(std::os::unix::process::parent_id());
}

fn count(loaded: &Loaded) -> u64 {
    let values = loaded.map("map").unwrap().lookup(&[0; 4]).unwrap().unwrap();
    values.iter().map(|value| u64::from_le_bytes(value[..].try_into().unwrap())).sum()
}

/// A program that counts its runs in this process.
fn counter(section: &str) -> Loaded {
    let body = count_and_return(0);
    let mut code = only_in(std::process::id(), body.len() as i16 - 2);
    code.extend(body);
    Loaded::new(&object(section, &code, Some(ARRAY))).unwrap()
}

fn tracepoint(name: &str) -> Attach {
    Attach::TracePoint { category: "syscalls".into(), name: name.into() }
}

#[test]
fn a_tracepoint_program_counts_each_of_its_points() {
    needs!(Tracepoint, Tracefs);
    let mut loaded = counter("tracepoint");
    loaded.attach("prog", &tracepoint("sys_enter_getppid")).unwrap();
    getppid();
    assert_eq!(count(&loaded), 1);
    loaded.attach("prog", &tracepoint("sys_exit_getppid")).unwrap();
    getppid();
    assert_eq!(count(&loaded), 3);
    loaded.detach();
    getppid();
    assert_eq!(count(&loaded), 3);
}

#[test]
fn raw_tracepoint_programs_see_every_syscall() {
    needs!(BtfTracepoint, RawTracepoint);
    for (section, at) in [
        ("raw_tp", Attach::RawTracePoint { name: "sys_enter".into() }),
        ("tp_btf", Attach::BtfTracePoint { name: "sys_enter".into() }),
    ] {
        let mut loaded = counter(section);
        loaded.attach("prog", &at).unwrap();
        getppid();
        assert!(count(&loaded) >= 1, "{section}");
    }
}

#[test]
fn one_btf_program_is_verified_anew_for_each_target() {
    needs!(BtfTracepoint);
    let mut loaded = counter("tp_btf");
    loaded.attach("prog", &Attach::BtfTracePoint { name: "sys_enter".into() }).unwrap();
    loaded.attach("prog", &Attach::BtfTracePoint { name: "sys_exit".into() }).unwrap();
    assert_eq!(loaded.program_ids().unwrap().len(), 2);
}

#[test]
fn a_kfunc_is_called_by_its_number() {
    needs!(BtfTracepoint, RdonlyCast);
    let btf = Btf::kernel().unwrap();
    let kfunc = |name| ins(0x85, 0, 2, 0, btf.function_id(name).unwrap() as i32);
    let code = [kfunc("bpf_rcu_read_lock"), kfunc("bpf_rcu_read_unlock"), mov(0, 0), EXIT];
    let mut loaded = Loaded::new(&object("tp_btf", &code, None)).unwrap();
    loaded.check("prog", &Attach::BtfTracePoint { name: "sys_enter".into() }).unwrap();
}

#[test]
fn a_uprobe_fires_at_a_file_offset() {
    needs!(Uprobe);
    let exe = std::env::current_exe().unwrap();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let address = uprobe_target as fn() -> u64 as usize as u64;
    let offset = maps.lines().find_map(|line| offset_in(line, address)).unwrap();
    for section in ["uprobe", "uretprobe"] {
        let mut loaded = counter(section);
        let at = Attach::UProbe { path: exe.clone(), offset, pid: Some(std::process::id()) };
        loaded.attach("prog", &at).unwrap();
        assert_eq!(std::hint::black_box(uprobe_target as fn() -> u64)(), 42);
        assert_eq!(count(&loaded), 1, "{section}");
    }
}

#[inline(never)]
fn uprobe_target() -> u64 {
    std::hint::black_box(42)
}

/// The file offset of an address, if this line of /proc/self/maps covers it.
fn offset_in(line: &str, address: u64) -> Option<u64> {
    let mut words = line.split_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let hex = |word: &str| u64::from_str_radix(word, 16).ok();
    let file = hex(words.nth(1)?)?;
    (hex(start)?..hex(end)?).contains(&address).then_some(address - hex(start)? + file)
}

#[test]
fn sampling_fires_while_this_process_is_busy() {
    needs!(Sampling);
    let mut loaded = counter("perf_event");
    loaded.attach("prog", &Attach::Sample { every: SampleRate::Hz(999) }).unwrap();
    let end = Instant::now() + Duration::from_secs(10);
    while count(&loaded) == 0 {
        assert!(Instant::now() < end, "no sample in 10 s of CPU time");
    }
}

#[test]
fn a_program_runs_once_without_any_event() {
    needs!(RawTracepoint);
    let code = count_and_return(7);
    let mut loaded = Loaded::new(&object("raw_tp", &code, Some(PER_CPU_ARRAY))).unwrap();
    assert_eq!(loaded.run_once("prog").unwrap(), 7);
    assert_eq!(loaded.run_once("prog").unwrap(), 7);
    assert_eq!(count(&loaded), 2);
}

/// Writes the 8 bytes 0xC0FFEE to the ring, with these flags.
fn to_ring(flags: i32) -> Vec<[u8; 8]> {
    vec![
        ins(0x7a, 10, 0, -8, 0xC0FFEE), // *(u64 *)(r10 - 8) = 0xC0FFEE
        MAP,
        ins(0, 0, 0, 0, 0),
        ins(0xbf, 2, 10, 0, 0),
        ins(0x07, 2, 0, 0, -8),
        mov(3, 8),
        mov(4, flags),
        call(130), // bpf_ringbuf_output
        mov(0, 0),
        EXIT,
    ]
}

#[test]
fn the_ring_is_read_in_order_and_woken_only_when_the_program_says_so() {
    needs!(RingBuffer, RawTracepoint);
    const NO_WAKEUP: i32 = 1;
    const FORCE_WAKEUP: i32 = 2;
    let ring = |flags| Loaded::new(&object("raw_tp", &to_ring(flags), Some(RING))).unwrap();
    let long = Duration::from_secs(10);

    let mut silent = ring(NO_WAKEUP);
    let mut reader = RingReader::new(silent.map("map").unwrap()).unwrap();
    reader.wait(Duration::ZERO).unwrap();
    silent.run_once("prog").unwrap();
    silent.run_once("prog").unwrap();
    let start = Instant::now();
    reader.wait(Duration::from_millis(20)).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(20), "woken without a wakeup");
    let mut records = Vec::new();
    assert_eq!(reader.consume(|record| records.push(record.to_vec())), 2);
    assert_eq!(records, vec![0xC0FFEE_u64.to_le_bytes(); 2]);

    let mut loud = ring(FORCE_WAKEUP);
    let mut reader = RingReader::new(loud.map("map").unwrap()).unwrap();
    loud.run_once("prog").unwrap();
    let start = Instant::now();
    reader.wait(long).unwrap();
    assert!(start.elapsed() < long);
    assert_eq!(reader.consume_up_to(5, |_| ()), 1);
}

#[test]
fn a_reader_also_wakes_for_the_descriptors_that_it_watches() {
    needs!(RingBuffer);
    let loaded = Loaded::new(&object("raw_tp", &to_ring(0), Some(RING))).unwrap();
    let reader = RingReader::new(loaded.map("map").unwrap()).unwrap();
    let (receive, send) = std::io::pipe().unwrap();
    reader.watch(receive.as_fd(), 7).unwrap();
    assert!(reader.wait(Duration::ZERO).unwrap().is_empty());
    drop(send);
    assert_eq!(reader.wait(Duration::from_secs(10)).unwrap(), [7]);
}

/// Tries to connect from inside the cgroup, and returns what the shell said.
fn connect_in(cgroup: &Cgroup, port: u16) -> String {
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port} && echo connected");
    let mut app = Spawn::new(&["bash", "-c", &script]).unwrap();
    let mut app = app.stdout(Stdio::piped()).stderr(Stdio::piped()).start(cgroup).unwrap();
    let (mut out, mut err) = (app.streams().stdout.take(), app.streams().stderr.take());
    let text = std::io::read_to_string(out.as_mut().unwrap()).unwrap();
    text + &std::io::read_to_string(err.as_mut().unwrap()).unwrap()
}

#[test]
fn a_cgroup_hook_refuses_as_long_as_anybody_holds_its_link() {
    needs!(Connect4, Cgroup);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let cgroup = Cgroup::create().unwrap();
    assert!(connect_in(&cgroup, port).starts_with("connected"));

    let mut loaded = Loaded::new(&object("cgroup/connect4", &[mov(0, 0), EXIT], None)).unwrap();
    loaded.attach("prog", &Attach::Cgroup { path: cgroup.path().into() }).unwrap();
    assert!(connect_in(&cgroup, port).contains("Operation not permitted"));
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok(), "outside it is not refused");

    let held: Vec<OwnedFd> = loaded.link_fds().iter().map(|fd| fd.try_clone_to_owned().unwrap()).collect();
    drop(loaded);
    assert!(connect_in(&cgroup, port).contains("Operation not permitted"));
    drop(held);
    assert!(connect_in(&cgroup, port).starts_with("connected"));
}

#[test]
fn the_verifiers_refusal_names_the_program_the_slot_and_the_reason() {
    needs!(RawTracepoint);
    // r2 = *(u64 *)(r3 + 0), where r3 was never set.
    let code = [mov(0, 0), ins(0x79, 2, 3, 0, 0), EXIT];
    let mut loaded = Loaded::new(&object("raw_tp", &code, None)).unwrap();
    let Err(LoadError::Rejected(rejection)) = loaded.run_once("prog") else {
        panic!("not rejected");
    };
    assert_eq!((rejection.program.as_str(), rejection.slot), ("prog", Some(1)));
    assert_eq!(rejection.reason(), "R3 !read_ok");
}

/// Runs the test of this name again, in a network namespace of its own; false in that second run.
fn rerun_in_own_network(test: &str) -> bool {
    const INSIDE: &str = "REEL_TEST_INSIDE_NETWORK";
    if std::env::var_os(INSIDE).is_some() {
        return false;
    }
    let exe = std::env::current_exe().unwrap();
    let mut command = std::process::Command::new("unshare");
    command.args(["--net", "--"]).arg(exe).args(["--exact", test, "--nocapture"]).env(INSIDE, "1");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    true
}

#[test]
fn packet_programs_see_the_packets_of_their_interface() {
    needs!(RawTracepoint);
    if rerun_in_own_network("packet_programs_see_the_packets_of_their_interface") {
        return;
    }
    let up = std::process::Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap();
    assert!(up.success());
    // XDP_PASS is 2, TCX_PASS is 0.
    let counting = |section, verdict| Loaded::new(&object(section, &count_and_return(verdict), Some(ARRAY))).unwrap();
    let mut xdp = counting("xdp", 2);
    xdp.attach("prog", &Attach::Xdp { interface: "lo".into() }).unwrap();
    let mut sent = counting("classifier", 0);
    sent.attach("prog", &Attach::Tc { interface: "lo".into(), direction: TcDirection::Egress }).unwrap();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
    assert_eq!(socket.recv(&mut [0; 8]).unwrap(), 1);
    assert_eq!((count(&xdp), count(&sent)), (1, 1));
    let error = sent.attach("prog", &Attach::Tc { interface: "nonsense".into(), direction: TcDirection::Ingress });
    assert_eq!(error.unwrap_err().to_string(), "network interface nonsense does not exist");
}

#[test]
fn what_does_not_exist_or_does_not_fit_is_said() {
    needs!(Tracepoint, Tracefs, BtfTracepoint, Uprobe);
    let mut loaded = counter("tracepoint");
    let error = |result: Result<(), LoadError>| result.unwrap_err().to_string();
    assert_eq!(
        error(loaded.attach("prog", &tracepoint("sys_enter_nonsense"))),
        "tracepoint syscalls:sys_enter_nonsense does not exist"
    );
    assert_eq!(
        error(loaded.attach("prog", &Attach::RawTracePoint { name: "sys_enter".into() })),
        "a program of kind tracepoint cannot be attached to raw tracepoint sys_enter"
    );
    assert_eq!(error(loaded.attach("other", &tracepoint("sys_enter_getppid"))), "the eBPF object has no program other");
    let mut btf = counter("tp_btf");
    assert_eq!(
        error(btf.attach("prog", &Attach::BtfTracePoint { name: "nonsense".into() })),
        "raw tracepoint nonsense does not exist"
    );
    let mut raw = counter("raw_tp");
    assert_eq!(
        error(raw.attach("prog", &Attach::RawTracePoint { name: "nonsense".into() })),
        "raw tracepoint nonsense does not exist"
    );
    let mut probe = counter("uprobe");
    let at = Attach::UProbe { path: "/no/such/file".into(), offset: 0, pid: None };
    assert_eq!(error(probe.attach("prog", &at)), "/no/such/file:0x0 does not exist");
    assert!(matches!(Loaded::new(b"not an object"), Err(LoadError::Object(_))));
}

#[test]
fn dropping_it_leaves_nothing_in_the_kernel() {
    needs!(Tracepoint, Tracefs);
    let mut loaded = counter("tracepoint");
    loaded.attach("prog", &tracepoint("sys_enter_getppid")).unwrap();
    let ours = loaded.program_ids().unwrap();
    assert!(inspect::program_ids().unwrap().contains(&ours[0]));
    drop(loaded);
    // The kernel may free a program a moment after its last descriptor is closed.
    let end = Instant::now() + Duration::from_secs(10);
    while inspect::program_ids().unwrap().contains(&ours[0]) {
        assert!(Instant::now() < end, "program {} is still there", ours[0]);
        std::thread::yield_now();
    }
}
