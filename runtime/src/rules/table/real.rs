//! A real dependency on the loopback, for calls that rules pass through.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// A real server, which answers whatever it is sent alike, and tells what it was sent.
pub(super) struct Real {
    addr: SocketAddr,
    thread: std::thread::JoinHandle<String>,
}

impl Real {
    /// Starts one: `ADDRESS ANSWER`.
    pub(super) fn start(text: &str) -> Real {
        let (addr, answer) = text.split_once(' ').unwrap();
        let addr: SocketAddr = addr.parse().unwrap();
        let listener = TcpListener::bind(addr).unwrap();
        let answer = answer.replace("\\r", "\r").replace("\\n", "\n");
        let thread = std::thread::spawn(move || {
            let mut heard = String::new();
            let mut buffer = [0; 4096];
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut connection = String::new();
                if let Some(greeting) = answer.strip_prefix("greets ") {
                    stream.write_all(greeting.as_bytes()).unwrap();
                }
                while let Ok(len) = stream.read(&mut buffer)
                    && len > 0
                {
                    if buffer[..len] == *b"bye" {
                        return heard;
                    }
                    connection += &format!("real: {}\n", buffer[..len].escape_ascii());
                    if !answer.starts_with("greets ") {
                        stream.write_all(answer.as_bytes()).unwrap();
                    }
                }
                heard += &connection;
            }
            heard
        });
        Real { addr, thread }
    }

    /// Stops it, and says what it heard.
    pub(super) fn heard(self) -> String {
        TcpStream::connect(self.addr).and_then(|mut stream| stream.write_all(b"bye")).unwrap();
        self.thread.join().unwrap()
    }
}
