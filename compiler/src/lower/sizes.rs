//! Finds how large texts are: of scratch variables, map keys and map values.
//!
//! The language has one `string`; the kernel wants buffers of a fixed size. Each producer knows how long its text can be;
//! a variable or map is as large as the largest text that is stored in it or, for a key, asked for. Shapes only grow, up to
//! `max_strlen`, so repeating until nothing changes ends.

use std::collections::HashMap;

use reel_lang::hir::{self, ClauseId, Expr, ExprKind, Header, MapId, Stmt, StmtKind, VarId};
use reel_lang::ty::Ty;

use super::shape::Shape;
use super::uses::Uses;
use super::walk;
use crate::builtins::{COMM_LEN_BYTES, text_argument_len, timestamp_len};

/// The shapes of what a program stores.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    vars: HashMap<(ClauseId, VarId), Shape>,
    keys: HashMap<MapId, Vec<Shape>>,
    values: HashMap<MapId, Shape>,
    max_strlen: u32,
}

impl Shapes {
    /// Finds the shapes of a program's kernel clauses.
    pub(crate) fn infer<'a>(program: &hir::Program, clauses: impl Iterator<Item = &'a hir::Clause> + Clone) -> Shapes {
        let mut shapes = Shapes { max_strlen: program.config.max_strlen, ..Shapes::default() };
        for map in &program.maps {
            let keys = map.keys.iter().map(Shape::of).collect();
            shapes.keys.insert(map.id, keys);
            shapes.values.insert(map.id, Shape::of(&map.value));
        }
        loop {
            let mut grew = false;
            for clause in clauses.clone() {
                grew |= shapes.clause(clause);
            }
            if !grew {
                return shapes;
            }
        }
    }

    /// Finds the shapes of a program's kernel clauses, with room for what message clauses store in maps of theirs. Of a message's
    /// text nobody knows the length beforehand, so as a value it has `max_strlen`, as what `str()` reads; a key has the room that
    /// kernel clauses and constants ask for, since a longer one is none that the kernel could look for.
    pub(crate) fn infer_shared<'a>(
        program: &'a hir::Program,
        kernel: impl Iterator<Item = &'a hir::Clause> + Clone,
        uses: &Uses,
    ) -> Shapes {
        let mut shapes = Shapes::infer(program, kernel.clone());
        loop {
            let mut grew = false;
            for clause in program.clauses.iter().filter(|clause| !matches!(clause.header, Header::Kernel(_))) {
                grew |= shapes.native_stores(clause, &clause.body, uses);
            }
            for clause in kernel.clone() {
                grew |= shapes.clause(clause);
            }
            if !grew {
                return shapes;
            }
        }
    }

    fn native_stores(&mut self, clause: &hir::Clause, stmts: &[Stmt], uses: &Uses) -> bool {
        let mut grew = false;
        for stmt in stmts {
            match &stmt.kind {
                StmtKind::MapSet { map, key, value } if uses.is_shared(*map) => {
                    let old = self.value(*map);
                    let new = old.join(&self.expr(clause.id, value));
                    grew |= old != new;
                    self.values.insert(*map, new);
                    grew |= self.grow_keys_by(*map, key.iter().map(constant_shape));
                }
                StmtKind::MapAdd { map, key, .. } | StmtKind::MapAggregate { map, key, .. } if uses.is_shared(*map) => {
                    grew |= self.grow_keys_by(*map, key.iter().map(constant_shape));
                }
                _ => {}
            }
            for inner in walk::blocks(stmt) {
                grew |= self.native_stores(clause, inner, uses);
            }
        }
        grew
    }

    pub(crate) fn var(&self, clause: ClauseId, var: VarId, ty: &Ty) -> Shape {
        let known = self.vars.get(&(clause, var)).cloned();
        known.unwrap_or_else(|| Shape::of(ty))
    }

    pub(crate) fn keys(&self, map: MapId) -> &[Shape] {
        self.keys.get(&map).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn value(&self, map: MapId) -> Shape {
        let known = self.values.get(&map).cloned();
        known.unwrap_or(Shape::Bytes(8))
    }

    /// The shape of an expression's value.
    pub(crate) fn expr(&self, clause: ClauseId, expr: &Expr) -> Shape {
        match &expr.kind {
            ExprKind::Str(text) => Shape::Text(text.len() as u32 + 1),
            ExprKind::Var(var) => self.var(clause, *var, &expr.ty),
            ExprKind::MapGet { map, .. } => self.value(*map),
            ExprKind::Builtin("comm") => Shape::Text(COMM_LEN_BYTES),
            ExprKind::Tuple(items) => Shape::Tuple(items.iter().map(|item| self.expr(clause, item)).collect()),
            ExprKind::TupleItem { base, index } => match self.expr(clause, base) {
                Shape::Tuple(items) => items.get(*index as usize).cloned().unwrap_or_else(|| Shape::of(&expr.ty)),
                _ => Shape::of(&expr.ty),
            },
            ExprKind::Ternary { then, otherwise, .. } => self.expr(clause, then).join(&self.expr(clause, otherwise)),
            ExprKind::Block { value, .. } => self.expr(clause, value),
            ExprKind::Cast(from) => self.cast(clause, expr, from),
            ExprKind::Call { function: "strftime", args } => Shape::Bytes(timestamp_len(args)),
            ExprKind::Call { function, args } if expr.ty == Ty::Str => {
                Shape::Text(text_argument_len(function, args, self.max_strlen))
            }
            _ if expr.ty == Ty::Str => Shape::Text(self.max_strlen),
            _ => Shape::of(&expr.ty),
        }
    }

    /// Casts keep a text's length, and change the parts of a tuple one by one.
    fn cast(&self, clause: ClauseId, to: &Expr, from: &Expr) -> Shape {
        match (&to.ty, &from.ty, self.expr(clause, from)) {
            (Ty::Str, Ty::Array(_, len), _) => Shape::Text(len + 1),
            (Ty::Str, _, shape @ Shape::Text(_)) => shape,
            (Ty::Tuple(types), _, Shape::Tuple(shapes)) if types.len() == shapes.len() => {
                let part = |(ty, shape): (&Ty, Shape)| match shape {
                    Shape::Scalar(_) => Shape::of(ty),
                    other => other,
                };
                Shape::Tuple(types.iter().zip(shapes).map(part).collect())
            }
            _ => Shape::of(&to.ty),
        }
    }

    fn clause(&mut self, clause: &hir::Clause) -> bool {
        let mut grew = false;
        let mut asked: Vec<(MapId, &[Expr])> = Vec::new();
        let mut collect = |expr| lookups(expr, &mut asked);
        clause.predicate.iter().for_each(|predicate| walk::expr(predicate, &mut collect));
        walk::stmts(&clause.body, &mut collect);
        for (map, key) in asked {
            grew |= self.grow_keys(clause.id, map, key);
        }
        grew | self.stmts(clause.id, &clause.body)
    }

    fn stmts(&mut self, clause: ClauseId, stmts: &[Stmt]) -> bool {
        let mut grew = false;
        for stmt in stmts {
            match &stmt.kind {
                StmtKind::Assign { var, value } => {
                    let shape = self.expr(clause, value);
                    let old = self.vars.get(&(clause, *var));
                    let new = old.map_or_else(|| shape.clone(), |old| old.join(&shape));
                    if old != Some(&new) {
                        self.vars.insert((clause, *var), new);
                        grew = true;
                    }
                }
                StmtKind::MapSet { map, key, value } => {
                    grew |= self.grow_keys(clause, *map, key);
                    let old = self.value(*map);
                    let new = old.join(&self.expr(clause, value));
                    grew |= old != new;
                    self.values.insert(*map, new);
                }
                StmtKind::MapAdd { map, key, .. } | StmtKind::MapAggregate { map, key, .. } => {
                    grew |= self.grow_keys(clause, *map, key);
                }
                _ => {}
            }
            for inner in walk::blocks(stmt) {
                grew |= self.stmts(clause, inner);
            }
            let mut bodies = Vec::new();
            walk::parts(stmt, &mut |expr| {
                if let ExprKind::Block { body, .. } = &expr.kind {
                    bodies.push(body);
                }
            });
            for body in bodies {
                grew |= self.stmts(clause, body);
            }
        }
        grew
    }

    fn grow_keys(&mut self, clause: ClauseId, map: MapId, key: &[Expr]) -> bool {
        let parts: Vec<Shape> = key.iter().map(|part| self.expr(clause, part)).collect();
        self.grow_keys_by(map, parts.into_iter())
    }

    fn grow_keys_by(&mut self, map: MapId, parts: impl Iterator<Item = Shape>) -> bool {
        let Some(old) = self.keys.get_mut(&map) else {
            return false;
        };
        let mut grew = false;
        for (old, part) in old.iter_mut().zip(parts) {
            let new = old.join(&part);
            grew |= new != *old;
            *old = new;
        }
        grew
    }
}

/// The shape that a constant has, or the smallest that a value of its type can have.
fn constant_shape(part: &Expr) -> Shape {
    match &part.kind {
        ExprKind::Str(text) => Shape::Text(text.len() as u32 + 1),
        _ => Shape::of(&part.ty),
    }
}

/// Notes the keys that an expression looks up.
fn lookups<'a>(expr: &'a Expr, asked: &mut Vec<(MapId, &'a [Expr])>) {
    match &expr.kind {
        ExprKind::MapGet { map, key } => asked.push((*map, key)),
        ExprKind::Call { args, .. } => {
            if let Some((Expr { kind: ExprKind::Map(map), .. }, key)) = args.split_first()
                && !key.is_empty()
            {
                asked.push((*map, key));
            }
        }
        _ => {}
    }
}
