//! The reel program: command line, engine, record, recording, replay, report.

pub mod app;
pub mod capture;
pub mod cli;
pub mod clock;
pub mod demo;
pub mod diff;
pub mod engine;
pub mod exit;
pub mod flow;
pub mod learn;
pub mod list;
pub mod matching;
pub mod mock;
pub mod noise;
pub mod output;
pub mod record;
pub mod recording;
pub mod repl;
pub mod replay;
pub mod report;
pub mod rules;
pub mod sandbox;
pub mod show;
pub mod update;
