//! Where a dependency is reached in replay, where that is not where it was recorded: `--alias redis.ci:6379=127.0.0.1:6379`.
//!
//! Matching is on the recorded destination, so an alias says which one an address of today stands for. The left side is what the
//! app connects to: an address, a name that is looked up once, or `*` for any address with a port. The right side is a recorded
//! destination: its address, or the name that `reel record --name` gave it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use super::Calls;
use crate::exit::{Exit, Failure};
use crate::recording::{Destination, MockOutline};

/// What the app connects to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    Address(SocketAddr),
    /// Any address with this port.
    Port(u16),
}

/// One `--alias`.
#[derive(Debug, Clone)]
pub struct Alias {
    /// As it was written.
    text: Arc<str>,
    asked: Vec<Asked>,
    recorded: SocketAddr,
    is_used: bool,
}

/// The aliases of a run.
#[derive(Debug, Clone, Default)]
pub struct Aliases(Vec<Alias>);

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--alias {}", self.text)
    }
}

impl Aliases {
    /// Reads the aliases of a command line against a recording.
    ///
    /// # Errors
    /// One that is not written as it should be, whose left side is not found or stands in another, or whose right side was never
    /// recorded; a recording that cannot be read.
    pub fn read(texts: &[String], calls: &dyn Calls) -> Result<Aliases, Failure> {
        let mut aliases = Vec::<Alias>::new();
        let known = match texts.is_empty() {
            true => Vec::new(),
            false => destinations(calls).map_err(|reason| Failure::new(Exit::Recording, reason))?,
        };
        for text in texts {
            let wrong = |why: &str| Failure::new(Exit::Usage, format!("--alias {text}: {why}"));
            let (left, right) = text.split_once('=').ok_or_else(|| {
                wrong("expected HOST:PORT=RECORDED").remedy("write it as `--alias 10.0.0.7:6379=127.0.0.1:6379`")
            })?;
            let asked = asked(left).map_err(|why| wrong(&why))?;
            if let Some(other) = aliases.iter().find(|other| other.asked.iter().any(|one| asked.contains(one))) {
                return Err(wrong(&format!("{left} is what `{other}` speaks of already")));
            }
            let recorded = recorded(right, &known).map_err(|why| wrong(&why).remedy(listed(&known)))?;
            aliases.push(Alias { text: text.as_str().into(), asked, recorded, is_used: false });
        }
        Ok(Aliases(aliases))
    }

    /// The recorded destination that an address stands for; an exact address counts before a port.
    pub fn recorded(&mut self, asked: SocketAddr) -> SocketAddr {
        let exact = self.0.iter().position(|alias| alias.asked.contains(&Asked::Address(asked)));
        let port = || self.0.iter().position(|alias| alias.asked.contains(&Asked::Port(asked.port())));
        match exact.or_else(port).and_then(|index| self.0.get_mut(index)) {
            Some(alias) => {
                alias.is_used = true;
                alias.recorded
            }
            None => asked,
        }
    }

    /// Each alias, and whether the app connected to what it speaks of.
    pub fn used(&self) -> impl Iterator<Item = (String, bool)> {
        self.0.iter().map(|alias| (alias.to_string(), alias.is_used))
    }
}

/// Reads `HOST:PORT`; `*` is any host, and a name is looked up.
fn asked(text: &str) -> Result<Vec<Asked>, String> {
    if let Ok(address) = text.parse() {
        return Ok(vec![Asked::Address(address)]);
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(|| format!("`{text}` has no port"))?;
    let port: u16 = port.parse().map_err(|_| format!("`{port}` is not a port"))?;
    if host == "*" {
        return Ok(vec![Asked::Port(port)]);
    }
    let found = (host, port).to_socket_addrs().map_err(|error| format!("`{host}` is not found: {error}"))?;
    let found: Vec<Asked> = found.map(Asked::Address).collect();
    if found.is_empty() { Err(format!("`{host}` has no address")) } else { Ok(found) }
}

/// Finds a recorded destination by address or by name.
fn recorded(text: &str, known: &[Destination]) -> Result<SocketAddr, String> {
    let address: Option<SocketAddr> = text.parse().ok();
    let is_meant = |to: &&Destination| to.host.as_deref() == Some(text) || Some(to.addr) == address;
    let mut found = known.iter().filter(is_meant).map(|to| to.addr);
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (Some(one), Some(other)) => Err(format!("`{text}` was recorded at {one} and at {other}: name one of them")),
        (None, _) => Err(format!("no call to `{text}` was recorded")),
    }
}

/// Where calls were recorded to, in order: one call for each address tells its name.
fn destinations(calls: &dyn Calls) -> Result<Vec<Destination>, String> {
    let first: BTreeMap<SocketAddr, &MockOutline> =
        calls.outlines().iter().rev().map(|call| (call.addr, call)).collect();
    first.into_values().map(|call| Ok(calls.read(call)?.exchange.destination)).collect()
}

/// What was recorded, as a remedy.
fn listed(known: &[Destination]) -> String {
    let known: Vec<String> = known.iter().map(ToString::to_string).collect();
    match known.is_empty() {
        true => "the recording has no calls".to_owned(),
        false => format!("recorded were calls to {}", known.join(", ")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::recording::testing::Maker;

    fn recording() -> Maker {
        let mut maker = Maker::default();
        maker.redis("GET a", "$-1\r\n");
        maker.redis("GET b", "$-1\r\n");
        maker.mocks[0].exchange.destination.host = Some("store".into());
        maker.mocks[1].exchange.destination.addr = ([10, 0, 0, 9], 6380).into();
        maker
    }

    fn read(texts: &[&str]) -> Result<Aliases, String> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        Aliases::read(&texts, recording().calls().as_ref()).map_err(|failure| {
            assert_eq!(failure.exit, Exit::Usage);
            format!("{} ({})", failure.message, failure.remedy.unwrap_or_default())
        })
    }

    #[test]
    fn an_address_of_today_stands_for_a_recorded_one() {
        let mut aliases =
            read(&["10.0.0.7:6379=store", "*:7000=10.0.0.9:6380", "10.0.0.8:7000=127.0.0.1:6379"]).unwrap();
        for (asked, expect) in [
            ("10.0.0.7:6379", "127.0.0.1:6379"),
            ("10.0.0.7:6380", "10.0.0.7:6380"),
            ("192.168.1.1:7000", "10.0.0.9:6380"),
            ("[::1]:7000", "10.0.0.9:6380"),
            ("127.0.0.1:6379", "127.0.0.1:6379"),
        ] {
            assert_eq!(aliases.recorded(asked.parse().unwrap()).to_string(), expect, "{asked}");
        }
        let used: Vec<_> = aliases.used().map(|(_, used)| used).collect();
        assert_eq!(used, [true, true, false]);
        assert_eq!(aliases.recorded("10.0.0.8:7000".parse().unwrap()).to_string(), "127.0.0.1:6379");
        let mut local = read(&["localhost:99=store"]).unwrap();
        assert_eq!(local.recorded("127.0.0.1:99".parse().unwrap()).to_string(), "127.0.0.1:6379");
    }

    #[test]
    fn a_wrong_alias_is_told_with_what_was_recorded() {
        let known = "recorded were calls to 10.0.0.9:6380, store (127.0.0.1:6379)";
        for (texts, expect) in [
            (vec!["10.0.0.7:6379"], "expected HOST:PORT=RECORDED (write it as".to_owned()),
            (vec!["10.0.0.7=store"], "`10.0.0.7` has no port".to_owned()),
            (vec!["10.0.0.7:x=store"], "`x` is not a port".to_owned()),
            (vec!["10.0.0.7:1=cache"], format!("no call to `cache` was recorded ({known})")),
            (vec!["10.0.0.7:1=10.0.0.9:1"], format!("no call to `10.0.0.9:1` was recorded ({known})")),
            (vec!["no.such.invalid:1=store"], "`no.such.invalid` is not found".to_owned()),
            (
                vec!["10.0.0.7:1=store", "10.0.0.7:1=10.0.0.9:6380"],
                "10.0.0.7:1 is what `--alias 10.0.0.7:1=store` speaks of already".to_owned(),
            ),
        ] {
            let error = read(&texts).unwrap_err();
            assert!(error.contains(&expect), "{error}");
        }
    }
}
