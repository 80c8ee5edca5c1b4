//! Tools: scripts that answer one question each, to be run by name or copied and changed.
//!
//! A tool is a file in `tools/` and a line in [`TOOLS`]. Its first line is `// NAME: what it shows.`, and its header comment has a line
//! `// Example: reel tool NAME ...`.

/// A script that comes with reel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    pub name: &'static str,
    pub text: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool { name: "apilat", text: include_str!("tools/apilat.rr") },
    Tool { name: "dnsslow", text: include_str!("tools/dnsslow.rr") },
    Tool { name: "httperr", text: include_str!("tools/httperr.rr") },
    Tool { name: "httpslow", text: include_str!("tools/httpslow.rr") },
    Tool { name: "httptop", text: include_str!("tools/httptop.rr") },
    Tool { name: "pgslow", text: include_str!("tools/pgslow.rr") },
    Tool { name: "pgtop", text: include_str!("tools/pgtop.rr") },
    Tool { name: "rediscmd", text: include_str!("tools/rediscmd.rr") },
    Tool { name: "redisslow", text: include_str!("tools/redisslow.rr") },
    Tool { name: "tcpconn", text: include_str!("tools/tcpconn.rr") },
];

/// All tools, by name.
pub fn tools() -> &'static [Tool] {
    TOOLS
}

/// Finds a tool.
pub fn tool(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}

impl Tool {
    /// What it shows, in a line.
    pub fn doc(&self) -> &'static str {
        let first = self.text.lines().next().unwrap_or_default();
        first.split_once(": ").map_or(first, |(_, doc)| doc)
    }

    /// A command line that runs it.
    pub fn example(&self) -> Option<&'static str> {
        self.text.lines().find_map(|line| line.strip_prefix("// Example: "))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_header_and_an_example() {
        for tool in tools() {
            let name = tool.name;
            assert!(tool.text.starts_with(&format!("// {name}: ")), "{name}");
            assert!(tool.doc().ends_with('.'), "{name}");
            assert!(tool.example().unwrap().starts_with(&format!("reel tool {name}")), "{name}");
        }
    }

    #[test]
    fn each_file_is_registered_in_order() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tools");
        let mut files: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        let registered: Vec<_> = tools().iter().map(|tool| format!("{}.rr", tool.name)).collect();
        assert_eq!(files, registered);
    }
}
