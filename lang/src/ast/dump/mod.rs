//! The tree as text: what `reel debug ast` prints, and what the parser's tests compare.
//!
//! Deterministic, one node or list a line, indented by two spaces. Expressions are printed in brackets on one line
//! (`(+ 1 (* 2 3))`), so that precedence can be read off. Spans are left out: they would drown the shape.

mod expr;
mod ty;

use std::fmt::Write as _;

use super::{Block, Clause, ForOver, Header, Ident, Item, MacroParam, Piece, Program, Stmt, StmtKind};

/// Prints a program.
pub fn dump(program: &Program) -> String {
    let mut out = Dump { text: String::new(), indent: 0 };
    for entry in &program.config {
        out.line(&format!("config {} = {}", entry.key.name, expr::show(&entry.value)));
    }
    program.imports.iter().for_each(|import| out.line(&format!("import {:?}", import.path)));
    for define in &program.defines {
        let value = define.value.as_ref().map_or(String::new(), |v| format!(" = {}", expr::show(v)));
        out.line(&format!("define {}{value}", define.name.name));
    }
    program.c_defs.iter().for_each(|def| out.line(&ty::show_def(def)));
    program.items.iter().for_each(|item| out.item(item));
    out.text
}

/// Prints one expression.
pub fn dump_expr(expr: &super::Expr) -> String {
    expr::show(expr)
}

struct Dump {
    text: String,
    indent: usize,
}

impl Dump {
    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{:indent$}{line}", "", indent = self.indent * 2);
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Clause(clause) => self.clause(clause),
            Item::Macro(m) => {
                let params: Vec<String> = m.params.iter().map(macro_param).collect();
                self.line(&format!("macro {}({})", m.name.name, params.join(", ")));
                self.block(&m.body);
            }
            Item::MapDecl(decl) => {
                let (name, kind) = (&decl.name.name, &decl.kind.name);
                self.line(&format!("map @{name} = {kind}({})", expr::show(&decl.max_entries)));
            }
            Item::Fn(f) => {
                let params: Vec<String> =
                    f.params.iter().map(|p| format!("${}: {}", p.name.name, ty::show(&p.ty))).collect();
                let result = f.result.as_ref().map_or(String::new(), |r| format!(": {}", ty::show(r)));
                self.line(&format!("fn {}({}){result}", f.name.name, params.join(", ")));
                self.block(&f.body);
            }
            Item::Noise(noise) => {
                let body = expr::show(&noise.body);
                self.line(&format!("noise {}({}) = {body}", noise.name.name, noise.param.name));
            }
        }
    }

    fn clause(&mut self, clause: &Clause) {
        self.line("clause");
        self.indent += 1;
        clause.headers.iter().for_each(|h| self.line(&header(h)));
        if let Some(predicate) = &clause.predicate {
            self.line(&format!("when {}", expr::show(predicate)));
        }
        self.line("do");
        self.block(&clause.body);
        self.indent -= 1;
    }

    fn block(&mut self, block: &Block) {
        self.indent += 1;
        block.stmts.iter().for_each(|stmt| self.stmt(stmt));
        if let Some(value) = &block.value {
            self.line(&format!("value {}", expr::show(value)));
        }
        self.indent -= 1;
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Let { name, ty, value } => {
                let ty = ty.as_ref().map_or(String::new(), |t| format!(": {}", ty::show(t)));
                let value = value.as_ref().map_or(String::new(), |v| format!(" = {}", expr::show(v)));
                self.line(&format!("let ${}{ty}{value}", name.name));
            }
            StmtKind::Assign { target, op, value } => {
                let op = op.map_or("", |op| op.symbol());
                self.line(&format!("set {} {op}= {}", expr::show(target), expr::show(value)));
            }
            StmtKind::Expr(value) => self.expr_stmt(value),
            StmtKind::While { cond, body } => {
                self.line(&format!("while {}", expr::show(cond)));
                self.block(body);
            }
            StmtKind::For { name, over, body } => {
                let over = match over {
                    ForOver::Range { start, end } => {
                        format!("{}..{}", expr::show(start), expr::show(end))
                    }
                    ForOver::Each(each) => expr::show(each),
                };
                self.line(&format!("for ${} : {over}", name.name));
                self.block(body);
            }
            StmtKind::Unroll { count, body } => {
                self.line(&format!("unroll {}", expr::show(count)));
                self.block(body);
            }
            StmtKind::Return(value) => {
                let value = value.as_ref().map_or(String::new(), |v| format!(" {}", expr::show(v)));
                self.line(&format!("return{value}"));
            }
            StmtKind::Break => self.line("break"),
            StmtKind::Continue => self.line("continue"),
            StmtKind::Import(import) => self.line(&format!("import {:?}", import.path)),
        }
    }

    /// A statement's `if` and block are printed over several lines.
    fn expr_stmt(&mut self, expr: &super::Expr) {
        match &expr.kind {
            super::ExprKind::If(x) => {
                for (i, arm) in x.arms.iter().enumerate() {
                    let word = if i == 0 { "if" } else { "else if" };
                    self.line(&format!("{word} {}", expr::show(&arm.cond)));
                    self.block(&arm.body);
                }
                if let Some(otherwise) = &x.otherwise {
                    self.line("else");
                    self.block(otherwise);
                }
            }
            super::ExprKind::Block(block) => {
                self.line("block");
                self.block(block);
            }
            _ => self.line(&format!("do {}", expr::show(expr))),
        }
    }
}

fn macro_param(param: &MacroParam) -> String {
    let (sigil, Ident { name, .. }) = match param {
        MacroParam::Var(ident) => ("$", ident),
        MacroParam::Map(ident) => ("@", ident),
        MacroParam::Expr(ident) => ("", ident),
    };
    format!("{sigil}{name}")
}

fn header(header: &Header) -> String {
    let mut text = match header.stage {
        Some(stage) => format!("rule {} ", stage.name()),
        None => "on ".to_owned(),
    };
    if let Some(label) = &header.label {
        let _ = write!(text, "{}=", label.name);
    }
    text.push_str(&header.provider.name);
    for part in &header.parts {
        let pieces = part.pieces.iter().map(|piece| match piece {
            Piece::Bare(s) => s.clone(),
            Piece::Quoted(s) => format!("{s:?}"),
            Piece::Positional(n) => format!("${n}"),
            Piece::PositionalCount => "$#".to_owned(),
        });
        let _ = write!(text, " : {}", pieces.collect::<String>());
    }
    text
}
