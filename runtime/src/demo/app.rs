//! The demonstration's service: a shop that sells from its stock.
//!
//! `--bug` makes it forget to reserve what it sells, which no response shows.

use std::io::{self, BufReader};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

use super::http;
use super::resp::{read_reply, write_command};

/// Serves until the process is ended.
///
/// # Errors
/// The port is in use.
pub fn serve(port: u16, store_port: u16, has_bug: bool) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    for stream in listener.incoming() {
        let stream = stream?;
        std::thread::spawn(move || talk(stream, store_port, has_bug));
    }
    Ok(())
}

struct Store {
    stream: TcpStream,
    input: BufReader<TcpStream>,
}

impl Store {
    fn connect(port: u16) -> io::Result<Store> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        let input = BufReader::new(stream.try_clone()?);
        Ok(Store { stream, input })
    }

    fn ask(&mut self, words: &[&str]) -> io::Result<Option<String>> {
        write_command(&mut self.stream, words)?;
        read_reply(&mut self.input)
    }
}

fn talk(mut stream: TcpStream, store_port: u16, has_bug: bool) -> io::Result<()> {
    let mut input = BufReader::new(stream.try_clone()?);
    let mut store = Store::connect(store_port)?;
    while let Some(request) = http::read(&mut input)? {
        let (status, body) = match answer(&request, &mut store, has_bug) {
            Ok(answer) => answer,
            Err(error) => ("502 Bad Gateway", json!({ "error": error.to_string() })),
        };
        http::write(&mut stream, &format!("HTTP/1.1 {status}"), "", &body.to_string())?;
    }
    Ok(())
}

fn answer(request: &http::Message, store: &mut Store, has_bug: bool) -> io::Result<(&'static str, Value)> {
    let mut words = request.first_line.split(' ');
    match (
        words.next(),
        words.next().map(|path| path.trim_start_matches('/').split('/').collect::<Vec<_>>()).as_deref(),
    ) {
        (Some("GET"), Some(["stock", item])) => {
            let left = store.ask(&["GET", &format!("stock:{item}")])?;
            Ok(("200 OK", json!({ "item": item, "left": left.and_then(|n| n.parse::<i64>().ok()) })))
        }
        (Some("POST"), Some(["orders", id])) => sell(id, &request.body, store, has_bug),
        (Some("GET"), Some(["orders", id])) => match store.ask(&["GET", &format!("order:{id}")])? {
            Some(order) => Ok(("200 OK", serde_json::from_str(&order).unwrap_or(Value::Null))),
            None => Ok(("404 Not Found", json!({ "error": "no such order" }))),
        },
        _ => Ok(("404 Not Found", json!({ "error": "no such page" }))),
    }
}

fn sell(id: &str, body: &str, store: &mut Store, has_bug: bool) -> io::Result<(&'static str, Value)> {
    let Ok(order) = serde_json::from_str::<Value>(body) else {
        return Ok(("400 Bad Request", json!({ "error": "the body is no JSON" })));
    };
    let item = order["item"].as_str().unwrap_or("tea").to_owned();
    let count = order["count"].as_i64().unwrap_or(1).to_string();
    if !has_bug {
        store.ask(&["DECRBY", &format!("stock:{item}"), &count])?;
    }
    store.ask(&["SET", &format!("order:{id}"), body])?;
    Ok(("201 Created", json!({ "order": id, "item": item })))
}
