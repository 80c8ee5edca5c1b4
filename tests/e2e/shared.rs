//! Maps that kernel clauses and message clauses share: each side counts and stores, and each reads what both have.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use reel_probes::doctor::Capability;

use super::support::{Ran, has, reel};

/// A server that answers so many requests, each on a connection of its own.
fn server(count: usize) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        for _ in 0..count {
            let (mut client, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").unwrap();
        }
    });
    (port, thread)
}

/// Runs a script on a client that asks for `/a`, then for `/b`: `begin` comes before them, `end` after them.
#[track_caller]
fn two_requests(script: &str) -> Option<Ran> {
    if !Capability::TcpHooks.needs() || !Capability::UserDynptr.needs() || !has("bash") {
        return None;
    }
    let (port, server) = server(2);
    let ask = |path: &str| {
        format!(
            "exec 3<>/dev/tcp/127.0.0.1/{port}; printf \"GET {path} HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n\" >&3; cat <&3 >&2"
        )
    };
    let client = format!("bash -c '{}; {}'", ask("/a"), ask("/b"));
    let ran = Ran::of(&mut reel(["-q", "-e", script, "-c", &client])).exits(0);
    server.join().unwrap();
    Some(ran)
}

#[test]
fn an_aggregation_is_the_sum_of_both_sides_wherever_it_is_read() {
    let script = r#"
        begin {
            @n = count(); @sum["a"] = sum(3); @min = min(5); @max = max(-5); @avg = avg(4); @stats = stats(10);
            @size = hist(2); @ms = lhist(5, 0, 100, 10); @by["begin"] = count();
        }
        http:out:exchange {
            @n = count(); @sum["a"] = sum(4); @sum["b"] = sum(1); @min = min(-7); @max = max(-6); @avg = avg(1); @stats = stats(1);
            @size = hist(2); @ms = lhist(95, 0, 100, 10); @by[path] = count();
            printf("native %d %d %d\n", @n, @sum["a"], @sum["none"]);
        }
        end { printf("kernel %d %d %d %d %d %d\n", @n, @sum["a"], @sum["b"], @min, @max, @avg); }"#;
    let Some(ran) = two_requests(script) else { return };
    let ran = ran.prints("native 2 7 0\nnative 3 11 0\nkernel 3 11 2 -7 -5 2\n");
    let ran = ran.prints("@n: 3\n").prints("@sum[b]: 2\n@sum[a]: 11\n").prints("@min: -7\n").prints("@max: -5\n");
    let ran = ran.prints("@avg: 2\n").prints("@stats: count 3, average 4, total 12\n");
    ran.prints("[2, 4)                  3 |")
        .prints("[90, 100)               2 |")
        .prints("@by[/a]: 1\n@by[/b]: 1\n@by[begin]: 1\n");
}

#[test]
fn both_sides_know_which_probe_fired_and_how_many_entries_there_are() {
    let script = r#"
        begin { @by[probe] = count(); @last["k"] = probe; @other[1] = 1; }
        http:out:exchange {
            printf("%d %d %d %s\n", len(@by), len(@last), len(@other), @last["k"]);
            @by[probe] = count(); @last["k"] = probe; @other[2] = 1;
        }
        end { @by[probe] = count(); printf("%s\n", @last["k"]); }"#;
    let Some(ran) = two_requests(script) else { return };
    let ran = ran.prints("1 1 1 begin\n2 1 2 http:out:exchange\nhttp:out:exchange\n");
    ran.prints("@by[begin]: 1\n").prints("@by[end]: 1\n").prints("@by[http:out:exchange]: 2\n");
}

#[test]
fn plain_values_are_what_was_written_last() {
    let script = r#"
        begin { @number["k"] = 1; @text[1] = "begin"; @pair = (1, "one"); @up["k"] = 40; @gone["k"] = 1; }
        http:out:exchange {
            printf("native %d %s %s %d %d\n", @number["k"], @text[1], @pair.1, @up["k"], has_key(@gone["k"]));
            @number["k"] = 7; @text[1] = path; @pair = (2, method); @up["k"]++; @up["new"] += 2;
            delete(@gone["k"]); @text[2] = query["none"];
        }
        end {
            printf("kernel %d %s %d %s %d %d\n", @number["k"], @text[1], @pair.0, @pair.1, @up["k"], @up["new"]);
            printf("kernel %d %d\n", has_key(@gone["k"]), has_key(@text[2]));
            if (@text[1] == "/b") { printf("whole\n"); }
        }"#;
    let Some(ran) = two_requests(script) else { return };
    let ran = ran
        .prints("native 1 begin one 40 1\nnative 7 /a GET 41 0\n")
        .prints("kernel 7 /b 2 GET 42 4\nkernel 0 0\nwhole\n");
    assert!(!ran.err.contains("cannot hold"), "{}", ran.err);
}

#[test]
fn both_sides_are_cleared_zeroed_and_deleted_from_together() {
    let script = r#"
        begin { @c = count(); @z["a"] = sum(5); @d["a"] = count(); @d["b"] = count(); @k["a"] = count(); @p[1] = 1; }
        http:out:exchange /path == "/a"/ {
            @c = count(); @z["a"] = sum(5); @z["n"] = sum(5); @d["a"] = count(); @k["a"] = count(); @k["n"] = count(); @p[2] = 2;
            clear(@c); zero(@z); clear(@p);
            printf("%d %d\n", delete(@d["a"]), has_key(@d["a"]));
        }
        end { printf("%d %d %d\n", delete(@k["a"]), delete(@k["n"]), has_key(@k["a"])); printf("%d %d\n", has_key(@p[1]), has_key(@p[2])); }"#;
    let Some(ran) = two_requests(script) else { return };
    let ran = ran.prints("1 0\n1 1 0\n0 0\n").prints("@z[a]: 0\n@z[n]: 0\n").prints("@d[b]: 1\n");
    assert!(!ran.out.contains("@c") && !ran.out.contains("@d[a]") && !ran.out.contains("@k"), "{}", ran.out);
}

#[test]
fn a_key_that_the_kernel_cannot_hold_is_counted_or_kept_on_the_native_side() {
    let script = r#"
        begin { @plain["key"] = 1; @count["key"] = count(); @read["key"] = count(); }
        http:out:exchange {
            @plain["key"] = 2; @plain[header["host"]] = 3; @plain[header["none"]] = 4;
            @plain[comm] = 5; @count[user] = count(); @read[user] = count();
        }
        end { printf("%d\n", @read["key"]); }"#;
    let script = script.replace("user", "upper(\"longer than the kernel\")");
    let Some(ran) = two_requests(&script) else { return };
    let ran =
        ran.prints("@count[key]: 1\n@count[LONGER THAN THE KERNEL]: 2\n").prints("@plain[key]: 2\n@plain[a]: 3\n");
    let ran = ran
        .says("@plain is shared with kernel probes: 2 updates had a key or a value that the kernel's side cannot hold");
    ran.says("@read is shared with kernel probes: 2 updates").prints("@read[key]: 1\n");
}

#[test]
fn what_the_kernel_cannot_hold_is_refused_with_a_way_out() {
    let refused = |script: &str| Ran::of(&mut reel(["--dry-run", "-e", script])).exits(2);
    refused("begin { @[1] = count(); } http:request { @[body.id] = count(); }")
        .says("error[E0707]")
        .says("a key of type any");
    refused("begin { @ = 1; } http:request { @ = body.id; }").says("error[E0707]").says("int(...)");
    refused("begin { @++; } http:request { @ += 2; }").says("error[E0703]").says("@ = sum(...)");
}
