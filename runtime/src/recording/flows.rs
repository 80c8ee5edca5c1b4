//! The entries of a test's `flows`: what in its request came from an earlier exchange, as places.

use super::fields::{self, Fields};
use super::outline::Owner;
use super::yaml::{Fault, Node};
use crate::flow::{Flow, Spot};

/// Makes the node of a flow.
pub(super) fn write(flow: &Flow) -> Node {
    let mut entries = write_spot("to", "to_part", &flow.to);
    entries.push(("from", Node::text(flow.from.to_string())));
    entries.extend(write_spot("at", "at_part", &flow.at));
    if flow.latest_of > 1 {
        entries.push(("latest_of", Node::plain(flow.latest_of)));
    }
    if let Some((call, at)) = &flow.plain {
        entries.push(("plain", Node::text(call.to_string())));
        entries.extend(write_spot("plain_at", "plain_part", at));
    }
    Node::map(entries)
}

fn write_spot(place: &'static str, part: &'static str, spot: &Spot) -> Vec<(&'static str, Node)> {
    let mut entries = vec![(place, Node::text(&*spot.place))];
    entries.extend(spot.part.as_ref().map(|pattern| (part, Node::text(pattern.to_string()))));
    entries
}

/// Reads a flow.
pub(super) fn read(node: &Node) -> Result<Flow, Fault> {
    let mut fields = Fields::of(node, "a flow")?;
    let to = read_spot(&mut fields, "to", "to_part")?;
    let from = owner(&mut fields, "from")?;
    let at = read_spot(&mut fields, "at", "at_part")?;
    let latest_of = fields.parsed_if("latest_of", "a number")?.unwrap_or(1);
    let plain = match fields.has("plain") {
        true => Some((owner(&mut fields, "plain")?, read_spot(&mut fields, "plain_at", "plain_part")?)),
        false => None,
    };
    fields.done()?;
    Ok(Flow { to, from, at, latest_of, plain })
}

fn read_spot(fields: &mut Fields<'_>, place: &str, part: &str) -> Result<Spot, Fault> {
    let place = fields.text(place)?.into();
    let part = fields.take(part).map(|node| {
        let text = fields::text(node, part)?;
        text.parse().map_err(|reason| Fault { line: node.line, reason })
    });
    Ok(Spot { place, part: part.transpose()? })
}

fn owner(fields: &mut Fields<'_>, key: &str) -> Result<Owner, Fault> {
    let node = fields.need(key)?;
    let text = fields::text(node, key)?;
    Owner::of(text).ok_or_else(|| Fault {
        line: node.line,
        reason: format!("`{key}` is a test such as `test-0001` or a call such as `redis-0001`, found `{text}`"),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::recording::yaml;

    #[test]
    fn a_flow_reads_back() {
        for text in [
            "to: header.authorization\nto_part: Bearer {}\nfrom: test-0001\nat: body.token\nlatest_of: 2\n",
            "to: body.csrf\nfrom: redis-0003\nat: \"args[1]\"\n",
            "to: header.cookie\nto_part: sid={}\nfrom: test-0001\nat: \"header[\\\"set-cookie\\\"]\"\nat_part: sid={}\nplain: redis-0002\nplain_at: \"args[0]\"\nplain_part: session:{}\n",
        ] {
            let node = yaml::documents(text).unwrap().remove(0);
            let flow = read(&node).unwrap();
            let written = yaml::document(&write(&flow));
            assert_eq!(written.replace('"', ""), text.replace('"', ""));
            assert_eq!(read(&yaml::documents(&written).unwrap().remove(0)), Ok(flow));
        }
        for (text, reason) in [
            ("to: a\nat: b\n", "lacks `from`"),
            ("to: a\nfrom: test-1x\nat: b\n", "found `test-1x`"),
            ("to: a\nto_part: x\nfrom: test-0001\nat: b\n", "where its value stands"),
            ("to: a\nfrom: test-0001\n", "lacks `at`"),
            ("to: a\nfrom: test-0001\nat: b\nx: 1\n", "no key `x`"),
        ] {
            let fault = read(&yaml::documents(text).unwrap()[0]).unwrap_err();
            assert!(fault.reason.contains(reason), "{text}: {fault}");
        }
    }
}
