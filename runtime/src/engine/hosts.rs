//! `--host ADDR[:PORT]`: which of the machines in a packet file is the app, so that its connections have a direction.
//!
//! A connection that a host accepted, on its port where one is named, is `in`; one that it opened is `out`. Between two hosts that are
//! both named it is `in`: it is told once, as its server sees it. What no host has to do with is left out, and counted.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use reel_lang::schema::Direction;

use crate::capture::connections::Ends;

/// An address of the app, and the port that it serves on where it has only one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host {
    addr: IpAddr,
    port: Option<u16>,
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Host, String> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(addr) = bare.parse() {
            return Ok(Host { addr, port: None });
        }
        match text.parse::<SocketAddr>() {
            Ok(address) => Ok(Host { addr: address.ip(), port: Some(address.port()) }),
            Err(_) => {
                Err("expected an address with or without a port: 10.0.0.2, 10.0.0.2:8080, [fe80::1]:8080".to_owned())
            }
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.addr, port).fmt(f),
            None => self.addr.fmt(f),
        }
    }
}

impl Host {
    fn accepted(self, ends: &Ends) -> bool {
        self.addr == ends.server.ip() && self.port.is_none_or(|port| port == ends.server.port())
    }

    fn opened(self, ends: &Ends) -> bool {
        self.addr == ends.client.ip()
    }
}

/// The direction of a connection, as the hosts see it; none where it is of none of them. Where no host is named it is what the source says.
pub fn direction(hosts: &[Host], ends: &Ends) -> Option<Direction> {
    if hosts.is_empty() {
        return Some(ends.direction);
    }
    let is_in = hosts.iter().any(|host| host.accepted(ends));
    let is_out = hosts.iter().any(|host| host.opened(ends));
    if is_in { Some(Direction::In) } else { is_out.then_some(Direction::Out) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_in_and_the_client_is_out() {
        let check = |hosts: &[&str], client: &str, server: &str, expect: Option<Direction>| {
            let hosts: Vec<Host> = hosts.iter().map(|host| host.parse().unwrap()).collect();
            let (client, server) = (client.parse().unwrap(), server.parse().unwrap());
            let ends = Ends { direction: Direction::In, server, client };
            assert_eq!(direction(&hosts, &ends), expect, "{hosts:?}: {client} to {server}");
        };
        let (browser, app, store) = ("10.0.0.1:50000", "10.0.0.2:8080", "10.0.0.3:6379");
        let app_as_client = "10.0.0.2:50001";
        for host in ["10.0.0.2", "10.0.0.2:8080"] {
            check(&[host], browser, app, Some(Direction::In));
            check(&[host], app_as_client, store, Some(Direction::Out));
            check(&[host], browser, store, None);
        }
        check(&["10.0.0.2:80"], browser, app, None);
        check(&["10.0.0.2", "10.0.0.3"], app_as_client, store, Some(Direction::In));
        check(&[], browser, app, Some(Direction::In));
        check(&["127.0.0.1:8080"], "127.0.0.1:50000", "127.0.0.1:8080", Some(Direction::In));
        check(&["127.0.0.1:8080"], "127.0.0.1:50000", "127.0.0.1:6379", Some(Direction::Out));
        check(&["[fe80::1]:80"], "[fe80::2]:50000", "[fe80::1]:80", Some(Direction::In));
    }

    #[test]
    fn hosts_are_read_as_they_are_shown() {
        for text in ["10.0.0.2", "10.0.0.2:8080", "fe80::1", "[fe80::1]:80"] {
            assert_eq!(text.parse::<Host>().map(|host| host.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("[::1]".parse::<Host>().map(|host| host.to_string()), Ok("::1".to_owned()));
        for text in ["", "localhost", "10.0.0.2:", "10.0.0.2:99999", "10.0.0.0/8", "fe80::1:80:x"] {
            assert!(text.parse::<Host>().is_err(), "{text}");
        }
    }
}
