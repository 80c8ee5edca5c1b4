//! An index as text, a line for each thing that it knows (`reel debug index`).

use std::fmt;

use super::{Index, Stamped};
use crate::recording::outline::{CueOutline, Place, SecretStep};

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |place: Place| At { index: self, place };
        for file in self.files.iter().chain(&self.bodies) {
            let Stamped { name, len, changed_ns, hash } = file;
            writeln!(f, "file {name}: {len} bytes, changed {changed_ns}, hash {hash:016x}")?;
        }
        for test in &self.tests {
            writeln!(f, "test {}: {}", test.id, at(test.place))?;
            writeln!(f, "  {:?} at {}: {} -> {}", test.protocol, test.addr, test.title, test.answer)?;
            for effect in &test.effects {
                writeln!(f, "  {}: {}", effect.attribution.name(), effect.call)?;
            }
            test.tags.iter().try_for_each(|tag| writeln!(f, "  tag {tag}"))?;
            test.secrets.iter().try_for_each(|token| writeln!(f, "  secret {token}"))?;
            test.flows.iter().try_for_each(|flow| writeln!(f, "  {} from {} {}", flow.to, flow.from, flow.at))?;
        }
        for mock in &self.mocks {
            write!(f, "mock {}: {}\n  {} at {}", mock.id, at(mock.place), mock.scope.name(), mock.addr)?;
            match mock.cue {
                None => {}
                Some(CueOutline::Connect) => write!(f, ", cue connect")?,
                Some(CueOutline::After(id)) => write!(f, ", cue after {id}")?,
            }
            let words = [(mock.has_request, "request"), (mock.has_response, "response"), (mock.is_cut, "cut")];
            words.iter().filter(|(holds, _)| *holds).try_for_each(|(_, word)| write!(f, ", {word}"))?;
            mock.ending.iter().try_for_each(|ending| write!(f, ", {}", ending.name()))?;
            mock.operation.iter().try_for_each(|operation| write!(f, ", operation {operation:016x}"))?;
            writeln!(f)?;
        }
        if let Some(started) = self.started {
            let name = self.files.get(started.file as usize).map_or("?", |file| &file.name);
            writeln!(f, "started {} ns after 1970: {name}", started.at_ns)?;
        }
        for timing in &self.timing {
            writeln!(f, "timing {}: {}", timing.owner, at(timing.place))?;
        }
        for secret in &self.secrets {
            let schema = secret.protocol.protocol().schema();
            let field = schema.fields.get(secret.field().0 as usize).map_or("?", |field| &field.name);
            write!(f, "secret {:?} {field}", secret.protocol)?;
            for step in &secret.steps {
                match step {
                    SecretStep::Name(name) => write!(f, ".{name}")?,
                    SecretStep::Index(index) => write!(f, "[{index}]")?,
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// A place with the name of its file.
struct At<'a> {
    index: &'a Index,
    place: Place,
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { file, line, offset, len, hash } = self.place;
        let name = self.index.files.get(file as usize).map_or("?", |file| &file.name);
        write!(f, "{name}:{line}, offset {offset}, {len} bytes, hash {hash:016x}")
    }
}
