//! The order services of `tests/apps`: the same service in three runtimes.

use std::ffi::OsString;

use crate::process::{root, test_env};

/// A runtime under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum App {
    Flask,
    Node,
    Go,
}

impl App {
    pub const ALL: [App; 3] = [App::Flask, App::Node, App::Go];

    /// The command that starts it.
    pub fn command(self) -> Vec<OsString> {
        let apps = root().join("tests/apps");
        match self {
            App::Flask => vec![test_env().join("venv/bin/python").into(), apps.join("flask/app.py").into()],
            App::Node => vec!["node".into(), apps.join("node/app.js").into()],
            App::Go => vec![test_env().join("go-app").into()],
        }
    }

    /// What it needs in its environment; `bug` is empty for the service as it should be.
    pub fn env(self, port: u16, redis_port: u16, bug: &str) -> Vec<(String, OsString)> {
        vec![
            ("PORT".to_owned(), port.to_string().into()),
            ("REDIS_PORT".to_owned(), redis_port.to_string().into()),
            ("BUG".to_owned(), bug.into()),
            ("NODE_PATH".to_owned(), test_env().join("node/node_modules").into()),
        ]
    }
}
