//! The typed program as text: `reel debug hir`.
//!
//! One line for each statement, expressions in prefix form with their types where they are not plain from the operands.
//! Deterministic, and free of places, so that a test's answer does not change when a comment does.

use std::fmt::Write as _;

use super::{
    Action, BinaryOp, Clause, Expr, ExprKind, Header, Path, Pattern, Program, Rule, Segment, Stage, Step, Stmt,
    StmtKind, Tolerance, UnaryOp,
};

/// The most attach points of a clause that are listed.
const MAX_POINTS: usize = 8;

/// Shows a program.
pub fn dump(program: &Program) -> String {
    let mut out = String::new();
    for map in &program.maps {
        let keys: Vec<String> = map.keys.iter().map(ToString::to_string).collect();
        let keys = if keys.is_empty() { String::new() } else { format!("[{}]", keys.join(", ")) };
        let size = map.max_entries.map_or(String::new(), |n| format!(" of {n}"));
        let _ = writeln!(out, "{} {}{keys}: {}{size}", map.id, map.name, map.value);
    }
    for noise in &program.noise {
        let _ = writeln!(out, "{} {} = {}", noise.id, noise.name, expr(&noise.body));
    }
    for clause in &program.clauses {
        dump_clause(&mut out, clause);
    }
    out
}

fn dump_clause(out: &mut String, clause: &Clause) {
    let _ = writeln!(out, "{} {}", clause.id, header(&clause.header));
    for (index, var) in clause.vars.iter().enumerate() {
        let _ = writeln!(out, "  var{index} ${}: {}", var.name, var.ty);
    }
    if let Some(predicate) = &clause.predicate {
        let _ = writeln!(out, "  when {}", expr(predicate));
    }
    stmts(out, &clause.body, 1);
}

fn header(header: &Header) -> String {
    let direction = |direction: Option<crate::schema::Direction>| {
        direction.map_or(String::new(), |direction| format!(":{}", direction.name()))
    };
    match header {
        Header::Kernel(points) => {
            let mut names: Vec<&str> = points.iter().take(MAX_POINTS).map(|point| point.name.as_str()).collect();
            let more = points.len().saturating_sub(MAX_POINTS);
            let more = if more == 0 { String::new() } else { format!(", and {more} more") };
            if names.is_empty() {
                names.push("nothing");
            }
            format!("on {}{more}", names.join(", "))
        }
        Header::Message(probe) => format!("on {probe}"),
        Header::Rule(Rule { stage, protocol, direction: way, side }) => {
            let stage = match stage {
                Stage::Capture => "capture",
                Stage::Match => "match",
                Stage::Mock => "mock",
            };
            let side = side.map_or(String::new(), |side| format!(":{}", side.name()));
            format!("rule {stage}:{protocol}{}{side}", direction(*way))
        }
    }
}

fn stmts(out: &mut String, body: &[Stmt], depth: usize) {
    for stmt in body {
        dump_stmt(out, &stmt.kind, depth);
    }
}

fn dump_stmt(out: &mut String, kind: &StmtKind, depth: usize) {
    let pad = "  ".repeat(depth);
    let line = match kind {
        StmtKind::Assign { var, value } => format!("{var} = {}", expr(value)),
        StmtKind::MapSet { map, key, value } => format!("{map}{} = {}", keys(key), expr(value)),
        StmtKind::MapAdd { map, key, delta } => format!("{map}{} += {}", keys(key), expr(delta)),
        StmtKind::MapAggregate { map, key, agg, value } => {
            let value = value.as_ref().map_or(String::new(), expr);
            format!("{map}{} <- {agg:?} {value}", keys(key)).trim_end().to_owned()
        }
        StmtKind::Expr(value) => expr(value),
        StmtKind::If { condition, then, otherwise } => {
            let _ = writeln!(out, "{pad}if {}", expr(condition));
            stmts(out, then, depth + 1);
            if !otherwise.is_empty() {
                let _ = writeln!(out, "{pad}else");
                stmts(out, otherwise, depth + 1);
            }
            return;
        }
        StmtKind::While { condition, body } => {
            let _ = writeln!(out, "{pad}while {}", expr(condition));
            return stmts(out, body, depth + 1);
        }
        StmtKind::ForRange { var, from, to, body } => {
            let _ = writeln!(out, "{pad}for {var} in {} .. {}", expr(from), expr(to));
            return stmts(out, body, depth + 1);
        }
        StmtKind::Break => "break".to_owned(),
        StmtKind::Continue => "continue".to_owned(),
        StmtKind::Return(None) => "return".to_owned(),
        StmtKind::Return(Some(value)) => format!("return {}", expr(value)),
        StmtKind::Action(action) => dump_action(action),
    };
    let _ = writeln!(out, "{pad}{line}");
}

fn dump_action(action: &Action) -> String {
    match action {
        Action::Skip => "skip".to_owned(),
        Action::Redact(path) => format!("redact {}", show_path(path)),
        Action::Tag(tag) => format!("tag {tag:?}"),
        Action::Sample(n) => format!("sample {n}"),
        Action::Limit(n) => format!("limit {n}"),
        Action::Ignore(path) => format!("ignore {}", show_path(path)),
        Action::Like(path, class) => format!("like {} {class}", show_path(path)),
        Action::Within(path, Tolerance::Absolute(by)) => format!("within {} {by}", show_path(path)),
        Action::Within(path, Tolerance::Relative(by)) => format!("within {} {by} of it", show_path(path)),
        Action::Unordered(path) => format!("unordered {}", show_path(path)),
        Action::Optional(path) => format!("optional {}", show_path(path)),
        Action::Require(condition, why) => format!("require {} {why:?}", expr(condition)),
        Action::Key(paths) => {
            format!("key {}", paths.iter().map(show_path).collect::<Vec<_>>().join(" "))
        }
        Action::Respond(fields) => {
            let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", expr(value))).collect();
            format!("respond {}", fields.join(" "))
        }
        Action::Delay(ns) => format!("delay {ns}ns"),
        Action::Abort(how) => format!("abort {how:?}"),
        Action::Passthrough => "passthrough".to_owned(),
        Action::Cycle => "cycle".to_owned(),
        Action::Latest => "latest".to_owned(),
    }
}

fn show_path(path: &Path) -> String {
    let mut text = format!("{}.{}", path.side.name(), path.field);
    for step in &path.steps {
        match step {
            Step::Name(name) => {
                let _ = write!(text, "[{name:?}]");
            }
            Step::Index(n) => {
                let _ = write!(text, "[{n}]");
            }
            Step::Each => text.push_str("[*]"),
            Step::Deep => text.push_str(".**"),
        }
    }
    text
}

fn keys(key: &[Expr]) -> String {
    if key.is_empty() {
        return String::new();
    }
    format!("[{}]", list(key, ", "))
}

fn list(exprs: &[Expr], between: &str) -> String {
    exprs.iter().map(expr).collect::<Vec<_>>().join(between)
}

/// An expression on one line.
pub(crate) fn expr(value: &Expr) -> String {
    let ty = &value.ty;
    match &value.kind {
        ExprKind::Int(n) => format!("{n}:{ty}"),
        ExprKind::Bool(b) => b.to_string(),
        ExprKind::Str(text) => format!("{:?}", String::from_utf8_lossy(text)),
        ExprKind::Decimal(digits) => format!("{digits}:decimal"),
        ExprKind::Nil => "nil".to_owned(),
        ExprKind::Null => "null".to_owned(),
        ExprKind::Var(var) => var.to_string(),
        ExprKind::MapGet { map, key } => format!("{map}{}", keys(key)),
        ExprKind::Builtin(name) => format!("{name}:{ty}"),
        ExprKind::Arg(n) => format!("arg{n}:{ty}"),
        ExprKind::Field(field) => format!("{field}:{ty}"),
        ExprKind::Path { base, segments } => {
            let segments: String = segments.iter().map(segment).collect();
            format!("{}{segments}:{ty}", expr(base))
        }
        ExprKind::Member { base, offset_bytes, bits } => {
            let bits = bits.map_or(String::new(), |(at, width)| format!(" bits {at}+{width}"));
            format!("(member {} +{offset_bytes}{bits} :{ty})", expr(base))
        }
        ExprKind::Index { base, index } => format!("(index {} {} :{ty})", expr(base), expr(index)),
        ExprKind::Deref(base) => format!("(deref {} :{ty})", expr(base)),
        ExprKind::TupleItem { base, index } => format!("(item {} {index})", expr(base)),
        ExprKind::Tuple(items) => format!("(tuple {})", list(items, " ")),
        ExprKind::Unary { op, value } => format!("({} {})", unary(*op), expr(value)),
        ExprKind::Binary { op, left, right } => format!("({} {} {})", binary(*op), expr(left), expr(right)),
        ExprKind::Ternary { condition, then, otherwise } => {
            format!("(? {} {} {})", expr(condition), expr(then), expr(otherwise))
        }
        ExprKind::Match { value, pattern, negated } => {
            let op = if *negated { "!~" } else { "=~" };
            match pattern {
                Pattern::Regex(text) => format!("({op} {} {text:?})", expr(value)),
                Pattern::Glob(text) => format!("({op} {} glob {text:?})", expr(value)),
            }
        }
        ExprKind::Noise { class, value } => format!("({class} {})", expr(value)),
        ExprKind::Cast(inner) => format!("(cast {} :{ty})", expr(inner)),
        ExprKind::Call { function, args } if args.is_empty() => format!("({function})"),
        ExprKind::Call { function, args } => format!("({function} {})", list(args, " ")),
        ExprKind::Map(map) => map.to_string(),
        ExprKind::Word(word) => (*word).to_owned(),
        ExprKind::Block { body, value } => block(body, value),
    }
}

/// Statements within an expression, on the same line.
fn block(body: &[Stmt], value: &Expr) -> String {
    let mut out = String::new();
    stmts(&mut out, body, 0);
    let lines: Vec<&str> = out.lines().map(str::trim).collect();
    format!("{{ {} }}", lines.into_iter().map(|line| format!("{line}; ")).collect::<String>() + &expr(value))
}

fn segment(segment: &Segment) -> String {
    match segment {
        Segment::Name(name) => format!("[{name:?}]"),
        Segment::Index(n) => format!("[{n}]"),
        Segment::Key(key) => format!("[{}]", expr(key)),
        Segment::All(name) => format!("[all {name:?}]"),
    }
}

fn unary(op: UnaryOp) -> &'static str {
    match op {
        UnaryOp::Neg => "-",
        UnaryOp::Not => "!",
        UnaryOp::BitNot => "~",
    }
}

fn binary(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
        BinaryOp::Rem => "%",
        BinaryOp::BitAnd => "&",
        BinaryOp::BitOr => "|",
        BinaryOp::BitXor => "^",
        BinaryOp::Shl => "<<",
        BinaryOp::Shr => ">>",
        BinaryOp::Eq => "==",
        BinaryOp::Ne => "!=",
        BinaryOp::Lt => "<",
        BinaryOp::Le => "<=",
        BinaryOp::Gt => ">",
        BinaryOp::Ge => ">=",
        BinaryOp::And => "&&",
        BinaryOp::Or => "||",
    }
}
