//! The `config` block: settings of a program, and what the environment says over them.
//!
//! bpftrace's keys are all known. Those that reel has no use for are accepted with a warning, so that a script which sets
//! them still runs and its author is not misled.

use super::Options;
use crate::ast;
use crate::diagnostic::{Diagnostic, Diagnostics, code, nearest};
use crate::hir::Config;

/// What to do about a header that attaches nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Missing {
    #[default]
    Error,
    Warn,
    Ignore,
}

/// The settings, for the checker and for the stages after it.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    pub(super) program: Config,
    pub(super) missing_probes: Missing,
}

/// Keys that do something.
const USED: &[&str] = &["max_strlen", "max_map_keys", "print_maps_on_exit", "missing_probes"];

/// bpftrace's other keys.
const UNUSED: &[&str] = &[
    "cache_user_symbols",
    "cpp_demangle",
    "lazy_symbolication",
    "license",
    "log_size",
    "max_bpf_progs",
    "max_cat_bytes",
    "max_probes",
    "on_stack_limit",
    "perf_rb_pages",
    "show_debug_info",
    "stack_mode",
    "str_trunc_trailer",
    "symbol_source",
    "unstable_import",
    "unstable_macro",
    "unstable_map_decl",
    "unstable_tseries",
    "unstable_addr",
    "use_blazesym",
];

/// The longest text and the most map entries that can be asked for.
const MAX_STRLEN: u64 = 1 << 20;
const MAX_MAP_KEYS: u64 = 1 << 26;

/// Reads the config blocks of all programs in order, then the environment's settings.
pub(super) fn config(programs: &[ast::Program], options: &Options, diagnostics: &mut Diagnostics) -> Settings {
    let mut settings = Settings::default();
    for entry in programs.iter().flat_map(|program| &program.config) {
        let value = match &entry.value.kind {
            ast::ExprKind::Int { value, .. } => value.to_string(),
            ast::ExprKind::Size { bytes, .. } => bytes.to_string(),
            ast::ExprKind::Bool(b) => b.to_string(),
            ast::ExprKind::Name(name) => name.clone(),
            ast::ExprKind::Str(text) => String::from_utf8_lossy(text).into_owned(),
            ast::ExprKind::Error => continue,
            _ => String::new(),
        };
        match settings.set(&entry.key.name, &value) {
            Ok(()) => {}
            Err(Wrong::Key) => diagnostics.push(unknown(&entry.key)),
            Err(Wrong::Value(expected)) => diagnostics.push(Diagnostic::expected(
                code::BAD_SETTING,
                entry.value.span,
                expected,
                if value.is_empty() { "something else" } else { &value },
            )),
        }
    }
    for (key, value) in &options.config {
        // Only names that are settings get here; a bad value leaves the setting alone.
        let _ = settings.set(key, value);
    }
    settings
}

fn unknown(key: &ast::Ident) -> Diagnostic {
    let name = &key.name;
    if UNUSED.contains(&name.as_str()) {
        return Diagnostic::new(code::SETTING_UNUSED, key.span, format!("the setting `{name}` has no effect here"));
    }
    let diagnostic = Diagnostic::new(code::UNKNOWN_SETTING, key.span, format!("unknown setting `{name}`"));
    match nearest(name, USED.iter().chain(UNUSED).copied()) {
        Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
        None => diagnostic.hint(format!("write one of {}", USED.join(", "))),
    }
}

/// Which half of an entry is wrong.
enum Wrong {
    Key,
    /// What would be right.
    Value(&'static str),
}

impl Settings {
    fn set(&mut self, key: &str, value: &str) -> Result<(), Wrong> {
        match key {
            "max_strlen" => {
                self.program.max_strlen = number(value, MAX_STRLEN, "a length from 1 to 1048576")?;
            }
            "max_map_keys" => {
                self.program.max_map_keys = number(value, MAX_MAP_KEYS, "a number from 1 to 67108864")?;
            }
            "print_maps_on_exit" => {
                self.program.print_maps_on_exit = match value {
                    "true" | "1" => true,
                    "false" | "0" => false,
                    _ => return Err(Wrong::Value("`true` or `false`")),
                }
            }
            "missing_probes" => {
                self.missing_probes = match value {
                    "error" => Missing::Error,
                    "warn" => Missing::Warn,
                    "ignore" => Missing::Ignore,
                    _ => return Err(Wrong::Value("`error`, `warn` or `ignore`")),
                }
            }
            _ => return Err(Wrong::Key),
        }
        Ok(())
    }
}

fn number(value: &str, max: u64, expected: &'static str) -> Result<u32, Wrong> {
    match value.parse::<u64>() {
        Ok(n) if (1..=max).contains(&n) => u32::try_from(n).map_err(|_| Wrong::Value(expected)),
        _ => Err(Wrong::Value(expected)),
    }
}
