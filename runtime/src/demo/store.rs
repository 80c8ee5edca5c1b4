//! The demonstration's store: a few Redis commands over RESP2, in memory.

use std::collections::HashMap;
use std::io::{self, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use super::resp::{Reply, read_command, write_reply};

type Data = Arc<Mutex<HashMap<String, String>>>;

/// Serves until the process is killed. Prints its port first.
///
/// # Errors
/// No socket can be had.
pub fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    // The demonstration holds the other end of our standard input: where it is killed, we end too.
    std::thread::spawn(|| {
        let _ = io::stdin().read(&mut [0; 1]);
        std::process::exit(0);
    });
    let data: Data = Arc::default();
    data.lock().unwrap_or_else(PoisonError::into_inner).insert("stock:tea".to_owned(), "12".to_owned());
    for stream in listener.incoming() {
        let data = Arc::clone(&data);
        let stream = stream?;
        std::thread::spawn(move || talk(stream, &data));
    }
    Ok(())
}

fn talk(mut stream: TcpStream, data: &Data) -> io::Result<()> {
    let mut input = BufReader::new(stream.try_clone()?);
    while let Some(words) = read_command(&mut input)? {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        write_reply(&mut stream, &answer(&words, data))?;
    }
    Ok(())
}

fn answer(words: &[&str], data: &Data) -> Reply {
    let mut data = data.lock().unwrap_or_else(PoisonError::into_inner);
    match words {
        ["PING"] => Reply::Simple("PONG"),
        ["GET", key] => Reply::Bulk(data.get(*key).cloned()),
        ["SET", key, value] => {
            data.insert((*key).to_owned(), (*value).to_owned());
            Reply::Simple("OK")
        }
        ["DECRBY", key, by] => {
            let entry = data.entry((*key).to_owned()).or_insert_with(|| "0".to_owned());
            let left = entry.parse::<i64>().unwrap_or(0) - by.parse::<i64>().unwrap_or(0);
            *entry = left.to_string();
            Reply::Integer(left)
        }
        [command, ..] => Reply::Error(format!("ERR unknown command '{command}'")),
        [] => Reply::Error("ERR no command".to_owned()),
    }
}
