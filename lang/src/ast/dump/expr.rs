//! Expressions on one line.

use super::super::{
    AccessKind, AccessStep, Arg, Block, Expr, ExprKind, Fix, ForOver, If, StepOp, Stmt, StmtKind, TypeOrExpr,
};
use super::ty;

pub(super) fn show(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Int { value, suffix } => {
            let unsigned = if suffix.unsigned { "u" } else { "" };
            format!("{value}{unsigned}{}", "l".repeat(suffix.longs.into()))
        }
        ExprKind::Decimal(text) => format!("{text}d"),
        ExprKind::Percent(text) => format!("{text}%"),
        ExprKind::Duration { ns, unit } => format!("{ns}ns[{}]", unit.name()),
        ExprKind::Size { bytes, unit } => format!("{bytes}B[{}]", unit.name()),
        ExprKind::Str(bytes) => format!("\"{}\"", bytes.escape_ascii()),
        ExprKind::Regex(text) => format!("/{text}/"),
        ExprKind::Bool(value) => value.to_string(),
        ExprKind::Nil => "nil".to_owned(),
        ExprKind::Null => "null".to_owned(),
        ExprKind::Name(name) => name.clone(),
        ExprKind::Var(name) => format!("${name}"),
        ExprKind::Map { name, keys } if keys.is_empty() => format!("@{name}"),
        ExprKind::Map { name, keys } => format!("@{name}[{}]", list(keys)),
        ExprKind::Positional(number) => format!("${number}"),
        ExprKind::PositionalCount => "$#".to_owned(),
        ExprKind::Discard => "_".to_owned(),
        ExprKind::Access { base, steps } => {
            let steps: Vec<String> = steps.iter().map(step).collect();
            format!("({}{})", show(base), steps.concat())
        }
        ExprKind::Call { name, args } => {
            let args: Vec<String> = args.iter().map(arg).collect();
            format!("{}({})", name.name, args.join(", "))
        }
        ExprKind::Unary { op, operand } => format!("({} {})", op.symbol(), show(operand)),
        ExprKind::Binary { op, left, right } => {
            format!("({} {} {})", op.symbol(), show(left), show(right))
        }
        ExprKind::Ternary { cond, then, otherwise } => {
            let then = then.as_ref().map_or(String::new(), |t| format!("{} ", show(t)));
            format!("(? {} {then}: {})", show(cond), show(otherwise))
        }
        ExprKind::Cast { ty, operand } => format!("(cast {} {})", ty::show(ty), show(operand)),
        ExprKind::Sizeof(of) => format!("(sizeof {})", type_or_expr(of)),
        ExprKind::Typeinfo(of) => format!("(typeinfo {})", type_or_expr(of)),
        ExprKind::Offsetof { of, path } => {
            let path: Vec<&str> = path.iter().map(|p| p.name.as_str()).collect();
            format!("(offsetof {} {})", type_or_expr(of), path.join("."))
        }
        ExprKind::TypeArg(ty) => format!("(type {})", ty::show(ty)),
        ExprKind::Tuple(elements) => format!("(tuple {})", list(elements)),
        ExprKind::Record(fields) => {
            let fields: Vec<String> = fields.iter().map(|f| format!("{}={}", f.name.name, show(&f.value))).collect();
            format!("(record {})", fields.join(", "))
        }
        ExprKind::Block(body) => block(body),
        ExprKind::If(x) => if_expr(x),
        ExprKind::Comptime(operand) => format!("(comptime {})", show(operand)),
        ExprKind::AddressOf(operand) => format!("(& {})", show(operand)),
        ExprKind::Step { op, fix, target } => {
            let symbol = if *op == StepOp::Inc { "++" } else { "--" };
            match fix {
                Fix::Prefix => format!("({symbol} {})", show(target)),
                Fix::Postfix => format!("({} {symbol})", show(target)),
            }
        }
        ExprKind::Error => "<error>".to_owned(),
    }
}

pub(super) fn type_or_expr(of: &TypeOrExpr) -> String {
    match of {
        TypeOrExpr::Type(ty) => format!("type {}", ty::show(ty)),
        TypeOrExpr::Expr(expr) => show(expr),
    }
}

fn list(exprs: &[Expr]) -> String {
    exprs.iter().map(show).collect::<Vec<_>>().join(", ")
}

fn step(step: &AccessStep) -> String {
    match &step.kind {
        AccessKind::Field(name) => format!(".{name}"),
        AccessKind::Arrow(name) => format!("->{name}"),
        AccessKind::Element(index) => format!(".{index}"),
        AccessKind::Index(index) => format!("[{}]", show(index)),
        AccessKind::Each => "[*]".to_owned(),
        AccessKind::Deep => ".**".to_owned(),
    }
}

fn arg(arg: &Arg) -> String {
    match &arg.name {
        Some(name) => format!("{}: {}", name.name, show(&arg.value)),
        None => show(&arg.value),
    }
}

fn if_expr(x: &If) -> String {
    let arms: Vec<String> = x.arms.iter().map(|a| format!("if {} {}", show(&a.cond), block(&a.body))).collect();
    let otherwise = x.otherwise.as_ref().map_or(String::new(), |b| format!(" else {}", block(b)));
    format!("({}{otherwise})", arms.join(" else "))
}

fn block(body: &Block) -> String {
    let mut parts: Vec<String> = body.stmts.iter().map(|s| format!("{};", stmt(s))).collect();
    parts.extend(body.value.as_ref().map(|v| show(v)));
    format!("{{ {} }}", parts.join(" "))
}

fn stmt(stmt: &Stmt) -> String {
    match &stmt.kind {
        StmtKind::Let { name, ty, value } => {
            let ty = ty.as_ref().map_or(String::new(), |t| format!(": {}", ty::show(t)));
            let value = value.as_ref().map_or(String::new(), |v| format!(" = {}", show(v)));
            format!("let ${}{ty}{value}", name.name)
        }
        StmtKind::Assign { target, op, value } => {
            format!("set {} {}= {}", show(target), op.map_or("", |op| op.symbol()), show(value))
        }
        StmtKind::Expr(expr) => show(expr),
        StmtKind::While { cond, body } => format!("while {} {}", show(cond), block(body)),
        StmtKind::For { name, over, body } => {
            let over = match over {
                ForOver::Range { start, end } => format!("{}..{}", show(start), show(end)),
                ForOver::Each(each) => show(each),
            };
            format!("for ${} : {over} {}", name.name, block(body))
        }
        StmtKind::Unroll { count, body } => format!("unroll {} {}", show(count), block(body)),
        StmtKind::Return(value) => value.as_ref().map_or("return".to_owned(), |v| format!("return {}", show(v))),
        StmtKind::Break => "break".to_owned(),
        StmtKind::Continue => "continue".to_owned(),
        StmtKind::Import(import) => format!("import {:?}", import.path),
    }
}
