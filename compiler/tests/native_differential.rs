//! Random functions over random messages do the same in the evaluator and as native code: results, what is printed, maps.
//!
//! A function reads fields and steps through them, compares, matches, calls, makes tuples, uses maps and branches; at the
//! end it prints all its registers. A failure names its seed; `REEL_FUZZ_SEEDS=N` runs more than the usual number, and
//! `REEL_FUZZ_SEED=S` one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
mod random;

use random::Random;
use reel_compiler::eval::Evaluator;
use reel_compiler::ir::*;
use reel_compiler::jit::{self, Native, Record};
use reel_compiler::native::View;
use reel_compiler::native::host::{Event, Recorder};
use reel_lang::hir::Pattern;
use reel_lang::schema::FieldId;
use reel_lang::span::Span;
use reel_lang::ty::{Agg, IntTy, Ty};
use reel_lang::value::Value;

/// Seeds that a plain test run tries.
const SEEDS: u64 = 400;
/// Messages tried on each function.
const MESSAGES: usize = 6;
const FIELDS: usize = 6;
/// Value registers, then bools, then integers.
const VALUES: usize = 6;
const BOOLS: usize = 4;
const INTS: [IntTy; 6] = [
    IntTy::I64,
    IntTy::U64,
    IntTy::I32,
    IntTy { bits: 8, signed: true },
    IntTy { bits: 16, signed: false },
    IntTy::I64,
];
const WORDS: &[&str] = &["", "a", "id", "GET", "x-a", "X-A", "/orders/12", "/orders/12/items", "12", "-3", "10.0.0.1"];
const AGGS: [Agg; 5] = [
    Agg::Count,
    Agg::Sum { signed: true },
    Agg::Max { signed: false },
    Agg::Hist { bits: 1 },
    Agg::Lhist { min: 0, max: 10, step: 2 },
];

fn word(random: &mut Random) -> &'static str {
    WORDS[random.below(WORDS.len())]
}

/// A value of any kind; `depth` bounds how it nests.
fn value(random: &mut Random, depth: usize) -> Value {
    let count = random.below(4);
    match random.below(if depth == 0 { 10 } else { 14 }) {
        0 => Value::Nil,
        1 => Value::Null,
        2 => Value::Bool(random.below(2) == 0),
        3 => Value::Int(random.number().cast_signed()),
        4 => Value::from(random.number()),
        5 => Value::Duration(random.number().cast_signed()),
        6 => Value::Time(random.below(1000) as i64),
        7 => Value::Decimal(["1.0", "-2.5", "1e3", "18446744073709551616", "12"][random.below(5)].into()),
        8 => Value::Ip([10, 0, 0, random.below(2) as u8].into()),
        9 => Value::text(word(random)),
        10 | 11 => Value::List((0..count).map(|_| value(random, depth - 1)).collect()),
        12 => Value::Tagged("tag", Box::new(value(random, depth - 1))),
        _ => {
            let pair = |random: &mut Random| {
                let key = if random.below(4) == 0 { value(random, 0) } else { Value::text(word(random)) };
                (key, value(random, depth - 1))
            };
            Value::Map((0..count).map(|_| pair(random)).collect())
        }
    }
}

fn path(random: &mut Random) -> Vec<PathStep> {
    let step = |random: &mut Random| match random.below(5) {
        0 | 1 => PathStep::Name(word(random).into()),
        2 => PathStep::Index(random.below(5) as i64 - 2),
        3 => PathStep::Header(word(random).into()),
        _ => PathStep::AllHeaders(word(random).into()),
    };
    (0..random.below(3)).map(|_| step(random)).collect()
}

fn map(agg: Option<Agg>) -> MapDef {
    MapDef {
        name: "m".into(),
        script: None,
        kind: MapKind::Hash,
        keys: vec![OutputArg { ty: Ty::Any, offset: 0, len_bytes: 8, items: Vec::new() }],
        value: agg.map_or(Ty::Int(IntTy::I32), Ty::Agg),
        value_items: Vec::new(),
        key_len_bytes: 8,
        value_len_bytes: 8,
        max_entries: 5,
    }
}

struct Generator {
    random: Random,
    insts: Vec<(Inst, Span)>,
    blocks: Vec<BlockData>,
}

impl Generator {
    fn push(&mut self, inst: Inst) {
        self.insts.push((inst, Span::default()));
    }

    fn value(&mut self) -> Reg {
        Reg(self.random.below(VALUES) as u32)
    }

    fn bool(&mut self) -> Reg {
        Reg((VALUES + self.random.below(BOOLS)) as u32)
    }

    fn int(&mut self) -> Reg {
        Reg((VALUES + BOOLS + self.random.below(INTS.len())) as u32)
    }

    /// A register of any kind.
    fn any(&mut self) -> Reg {
        match self.random.below(4) {
            0 => self.bool(),
            1 => self.int(),
            _ => self.value(),
        }
    }

    fn data(&mut self) -> Data {
        Data(self.random.below(WORDS.len()) as u32)
    }

    fn compare(&mut self) -> CompareOp {
        use CompareOp::*;
        [Eq, Ne, Lt, Le, Gt, Ge][self.random.below(6)]
    }

    fn start(&mut self) {
        for reg in 0..VALUES as u32 {
            self.push(Inst::Field { dst: Reg(reg), field: FieldId(reg) });
        }
        for reg in VALUES..VALUES + BOOLS {
            let value = self.random.below(2) as i64;
            self.push(Inst::Const { dst: Reg(reg as u32), value });
        }
        for reg in VALUES + BOOLS..VALUES + BOOLS + INTS.len() {
            let value = self.random.number().cast_signed();
            self.push(Inst::Const { dst: Reg(reg as u32), value });
        }
    }

    fn inst(&mut self) -> Inst {
        let (dst, src, truth) = (self.value(), self.value(), self.bool());
        match self.random.below(13) {
            0 => Inst::Field { dst, field: FieldId(self.random.below(FIELDS + 1) as u32) },
            1 => Inst::Text { dst, data: self.data() },
            2 => Inst::Copy { dst, src },
            3 => Inst::TextEqual { dst: truth, value: src, data: self.data() },
            4 => Inst::CompareInt { op: self.compare(), dst: truth, value: src, number: self.int() },
            5 => Inst::Matches { dst: truth, value: src, pattern: PatternId(self.random.below(6) as u32) },
            6 | 7 => Inst::Path { dst, value: src, path: PathId(self.random.below(6) as u32) },
            8 => Inst::ToInt { dst: self.int(), value: src },
            9 => {
                let ty = [ValueTy::Bool, ValueTy::Int, ValueTy::Duration, ValueTy::Time][self.random.below(4)];
                Inst::FromInt { dst, src: self.int(), ty }
            }
            10 => Inst::IsNil { dst: truth, value: src },
            _ => self.host(dst, truth),
        }
    }

    fn host(&mut self, dst: Reg, truth: Reg) -> Inst {
        let (first, second) = (self.any(), self.any());
        let agg = AGGS[self.random.below(AGGS.len())];
        let agg_map = 1 + AGGS.iter().position(|known| *known == agg).unwrap() as u32;
        let names = ["int", "len", "lower", "upper", "strlen", "header", "headers", "strcontains", "engine"];
        let (dst, op, args) = match self.random.below(15) {
            0 => (Some(truth), HostOp::Equal, vec![first, second]),
            1 => (Some(truth), HostOp::Compare(self.compare()), vec![first, second]),
            2 | 3 => (Some(dst), HostOp::Index, vec![first, second]),
            4 => (Some(dst), HostOp::Null, Vec::new()),
            5 => (Some(dst), HostOp::Builtin("nsecs"), Vec::new()),
            6 => (Some(dst), HostOp::Call(names[self.random.below(names.len())]), vec![first, second]),
            7 => (Some(dst), HostOp::Tuple, vec![first, second]),
            8 => (Some(dst), HostOp::TupleItem(self.random.below(3) as u32), vec![first]),
            9 => (None, HostOp::MapSet(0), vec![first, second]),
            10 => (None, HostOp::MapAdd(0), vec![first, second]),
            11 => (Some(dst), HostOp::MapGet(0), vec![first]),
            12 if self.random.below(2) == 0 => (Some(truth), HostOp::MapDelete(0), vec![first]),
            12 => (Some(truth), HostOp::MapHas(0), vec![first]),
            13 => (None, HostOp::Action(self.random.below(3) as u32), vec![first]),
            _ if agg == Agg::Count => (None, HostOp::MapAggregate(agg_map, agg), vec![first]),
            _ => (None, HostOp::MapAggregate(agg_map, agg), vec![first, second]),
        };
        Inst::Host { dst, op, args }
    }

    /// Ends the block with a branch over the one that follows, or into it.
    fn end(&mut self, is_last: bool) {
        let next = self.blocks.len() as u32 + 1;
        let terminator = if is_last {
            Terminator::Return(self.int())
        } else {
            Terminator::Branch { condition: self.bool(), then: Block(next), otherwise: Block(next + 1) }
        };
        self.blocks.push(BlockData { insts: std::mem::take(&mut self.insts), terminator });
    }
}

fn module(seed: u64) -> Module {
    let mut random = Random::new(seed);
    let paths = (0..6).map(|_| path(&mut random)).collect();
    let patterns = ["^/orders/", "^GET$", "[0-9]+", "a"].map(|text| Pattern::Regex(text.into()));
    let globs = ["/orders/*", "**"].map(|text| Pattern::Glob(text.into()));
    let mut generator = Generator { random, insts: Vec::new(), blocks: Vec::new() };
    generator.start();
    let pairs = 1 + generator.random.below(3);
    for _ in 0..2 * pairs {
        for _ in 0..1 + generator.random.below(8) {
            let inst = generator.inst();
            generator.push(inst);
        }
        generator.end(false);
    }
    // The last branch goes over one block more.
    generator.end(false);
    generator.blocks.last_mut().unwrap().terminator = Terminator::Jump(Block(2 * pairs as u32 + 1));
    let all = (0..(VALUES + BOOLS + INTS.len()) as u32).map(Reg).collect();
    generator.push(Inst::Host { dst: None, op: HostOp::Emit(OutputId(0)), args: all });
    generator.end(true);
    let mut regs = vec![RegTy::Value; VALUES];
    regs.extend([RegTy::Bool; BOOLS]);
    regs.extend(INTS.map(RegTy::Int));
    let maps = [None].into_iter().chain(AGGS.map(Some)).map(map).collect();
    let output = Output { kind: OutputKind::PrintValue, args: Vec::new(), len_bytes: 8, span: Span::default() };
    Module {
        functions: vec![Function { name: "f".into(), regs, bufs: Vec::new(), blocks: generator.blocks }],
        maps,
        data: WORDS.iter().map(|word| word.as_bytes().to_vec()).collect(),
        patterns: patterns.into_iter().chain(globs).collect(),
        paths,
        outputs: vec![output],
    }
}

/// What a run told its host.
fn told(host: &Recorder, maps: usize) -> (Vec<Event>, Vec<String>) {
    let entries = (0..maps as u32).flat_map(|map| host.maps.entries(map)).map(|entry| format!("{entry:?}"));
    (host.events.clone(), entries.collect())
}

fn check(seed: u64) {
    let module = module(seed);
    let text = module.to_string();
    assert_eq!(parse::parse(&text).unwrap(), module, "seed {seed}: the text form loses something");
    let evaluator = Evaluator::new(&module).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
    let native = Native::compile(&module).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
    let mut random = Random::new(seed ^ 0x5eed);
    let mut hosts = [Recorder::new(&module), Recorder::new(&module)];
    for _ in 0..MESSAGES {
        let fields: Vec<Value> = (0..FIELDS).map(|_| value(&mut random, 3)).collect();
        let views: Vec<View<'_>> = fields.iter().map(View::of).collect();
        let wanted = evaluator.call(0, &views, &mut hosts[0]).unwrap();
        let found = native.call(0, &Record::of(&fields), &mut hosts[1]);
        let [wanted, found] =
            [(&hosts[0], wanted), (&hosts[1], found)].map(|(host, result)| (told(host, module.maps.len()), result));
        assert_eq!(found, wanted, "seed {seed}, fields {fields:?}\n{text}");
    }
}

#[test]
fn native_code_does_what_the_evaluator_does() {
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse().ok());
    match number("REEL_FUZZ_SEED") {
        Some(seed) => check(seed),
        None => (0..number("REEL_FUZZ_SEEDS").unwrap_or(SEEDS)).for_each(check),
    }
}

#[test]
fn compiling_twice_gives_the_same_listing() {
    let module = module(7);
    for stage in [jit::Stage::Clif, jit::Stage::Asm] {
        let [first, second] = [(); 2].map(|()| jit::list(&module, stage, None).unwrap());
        assert_eq!(first, second);
    }
}
