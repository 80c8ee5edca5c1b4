//! Random well-typed programs, the same for the same seed, and the messages that they see.
//!
//! Every clause begins with its variables, so that each name has one type; maps have one type by their name. What only one side has is
//! only in programs of [`Flavour::Messages`]: fields, JSON paths, patterns, durations, nil.

use reel::engine::environment::Machine;
use reel_lang::env::Environment;
use reel_lang::schema::Side;
use reel_lang::value::Value;

use super::tree::{Kind, Node};

/// What a program may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// What runs in the kernel and natively.
    Both,
    /// What runs over messages.
    Messages,
}

/// A small generator of numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

const NUMBERS: [&str; 18] = [
    "0",
    "1",
    "2",
    "3",
    "-1",
    "-2",
    "7",
    "10",
    "64",
    "100",
    "255",
    "256",
    "-128",
    "65536",
    "2147483647",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
];
const WORDS: [&str; 9] =
    ["", "a", "ab", "abc", "b", "GET", "/orders/12", "x-id", "a text of more than thirty-two bytes in all"];
const INTS: [&str; 4] = ["$i0", "$i1", "$i2", "$n0"];
const TEXTS: [&str; 2] = ["$s0", "$s1"];
const TRUTHS: [&str; 2] = ["$b0", "$b1"];
/// The variables of a clause, by type.
const VARIABLES: [&str; 10] = [
    "$i0 = 1;",
    "$i1 = -5;",
    "$i2 = (int64)3;",
    "$n0 = (uint8)200;",
    "$s0 = \"abc\";",
    "$s1 = \"\";",
    "$b0 = true;",
    "$b1 = false;",
    "$t0 = (1, \"one\");",
    "$t1 = (1, (\"two\", true));",
];
/// What gives each map its type; it never runs.
const MAPS: [&str; 18] = [
    "@n = 0;",
    "@i[0] = 0;",
    "@s[\"\"] = 0;",
    "@is[0, \"\"] = 0;",
    "@v[0] = \"\";",
    "@p[\"\"] = (0, \"\");",
    "@b[\"\"] = true;",
    "@t[(0, \"\")] = 0;",
    "@pp[0] = (0, (\"\", true));",
    "@count[0] = count();",
    "@sum[\"\"] = sum(0);",
    "@min[0, \"\"] = min(0);",
    "@max = max(0);",
    "@avg = avg(0);",
    "@stats[0] = stats(0);",
    "@hist[\"\"] = hist(0);",
    "@fine[0, \"\"] = hist(0, 2);",
    "@lhist[0] = lhist(0, -5, 100, 7);",
];
/// Statements of a program; each nested one counts.
const BUDGET: usize = 22;

/// Makes a program.
pub fn program(seed: u64, flavour: Flavour) -> Node {
    let random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut maker = Maker { random, flavour, budget: BUDGET, loops: 0, depth: 0, has_variables: false };
    let headers: &[&str] = match flavour {
        Flavour::Both => &["begin", "end"],
        Flavour::Messages => &["begin", "http:exchange", "http:out:exchange", "end"],
    };
    let mut clauses = Vec::new();
    for header in headers {
        maker.budget = BUDGET;
        let is_of_messages = header.contains(':');
        maker.flavour = if is_of_messages { flavour } else { Flavour::Both };
        maker.has_variables = false;
        let predicate = match is_of_messages && maker.random.below(2) == 0 {
            true => Node::of(Kind::Fixed, " /{}/", vec![maker.truth(2)]),
            false => Node::text(Kind::Fixed, ""),
        };
        maker.has_variables = true;
        let start = lines(&VARIABLES, "");
        let maps = if *header == "begin" { lines(&MAPS, "if (nsecs == 1) ") } else { Node::text(Kind::Fixed, "") };
        let body = maker.body();
        clauses.push(Node::of(
            Kind::Fixed,
            &format!("{header}{{}} {{\n{{}}{{}}{{}}}}\n"),
            vec![predicate, start, maps, body],
        ));
    }
    let template = "{}".repeat(clauses.len());
    Node::of(Kind::Fixed, &template, clauses)
}

/// Statements that stand one below the other.
fn lines(all: &[&str], before: &str) -> Node {
    let line = |text: &&str| {
        Node::text(
            Kind::Stmt,
            match before {
                "" => format!("{text}\n"),
                _ => format!("{before}{{ {text} }}\n"),
            },
        )
    };
    Node::of(Kind::Fixed, &"{}".repeat(all.len()), all.iter().map(line).collect())
}

struct Maker {
    random: Random,
    flavour: Flavour,
    budget: usize,
    /// Loops and blocks made so far: each has a variable of its own.
    loops: usize,
    /// Loops around this place.
    depth: usize,
    /// A predicate has no variables.
    has_variables: bool,
}

impl Maker {
    fn body(&mut self) -> Node {
        let mut nodes = Vec::new();
        for _ in 0..2 + self.random.below(8) {
            if self.budget == 0 {
                break;
            }
            self.budget -= 1;
            nodes.push(self.stmt());
        }
        Node::of(Kind::Fixed, &"{}".repeat(nodes.len()), nodes)
    }

    fn stmt(&mut self) -> Node {
        let stmt = |template: &str, nodes: Vec<Node>| Node::of(Kind::Stmt, &format!("{template}\n"), nodes);
        match self.random.below(34) {
            0..=2 => {
                let var = self.random.of(&INTS);
                stmt(&format!("{var} = {{}};"), vec![self.int(2)])
            }
            3 => {
                let (var, op) = (self.random.of(&INTS), self.random.of(&["+", "-", "*", "/", "%", "&", "|", "^"]));
                stmt(&format!("{var} {op}= {{}};"), vec![self.int(1)])
            }
            4 => {
                let var = self.random.of(&INTS);
                stmt(&format!("{var}{};", self.random.of(&["++", "--"])), vec![])
            }
            5 => {
                let var = self.random.of(&TEXTS);
                stmt(&format!("{var} = {{}};"), vec![self.str(2)])
            }
            6 => {
                let var = self.random.of(&TRUTHS);
                stmt(&format!("{var} = {{}};"), vec![self.truth(2)])
            }
            7 => match self.random.below(3) {
                0 => stmt("$t1 = ({}, ({}, {}));", vec![self.int(1), self.str(1), self.truth(1)]),
                1 => stmt("print($t1);", vec![]),
                _ => stmt("$t0 = ({}, {});", vec![self.int(1), self.str(1)]),
            },
            8..=12 => self.map_stmt(),
            13..=16 => self.aggregate(),
            17 => stmt("delete({});", vec![self.entry()]),
            18 => stmt(&format!("{}({});", self.random.of(&["clear", "zero"]), self.random.of(&ALL_MAPS)), vec![]),
            19 => stmt(&format!("print({});", self.random.of(&ALL_MAPS)), vec![]),
            20 => {
                let (map, top, div) = (self.random.of(&ALL_MAPS), self.random.below(4), self.random.below(4));
                stmt(&format!("print({map}, {top}, {div});"), vec![])
            }
            21 => stmt("print({});", vec![self.int(2)]),
            22 => stmt("print({});", vec![self.str(2)]),
            23 => stmt("print(({}, {}, {}));", vec![self.int(1), self.truth(1), self.str(1)]),
            24..=26 => self.printf(),
            27..=29 => self.branch(),
            30 | 31 if self.depth < 2 => self.repeat(),
            32 if self.depth > 0 => {
                let word = self.random.of(&["break", "continue"]);
                stmt(&format!("if ({{}}) {{ {word}; }}"), vec![self.truth(1)])
            }
            33 if self.random.below(3) == 0 => stmt("if ({}) { return; }", vec![self.truth(2)]),
            _ => stmt("print({});", vec![self.truth(2)]),
        }
    }

    fn branch(&mut self) -> Node {
        let condition = self.truth(2);
        let then = self.body();
        match self.random.below(3) {
            0 => Node::of(Kind::Stmt, "if ({}) {\n{}}\n", vec![condition, then]),
            1 => Node::of(Kind::Stmt, "if ({}) {\n{}} else {\n{}}\n", vec![condition, then, self.body()]),
            _ => {
                let template = "if ({}) {\n{}} else if ({}) {\n{}} else {\n{}}\n";
                let more = self.truth(1);
                let nodes = vec![condition, then, more, self.body(), self.body()];
                Node::of(Kind::Stmt, template, nodes)
            }
        }
    }

    fn repeat(&mut self) -> Node {
        self.depth += 1;
        self.loops += 1;
        let (counter, count) = (format!("$w{}", self.loops), 1 + self.random.below(3));
        let body = self.body();
        self.depth -= 1;
        let template = match self.random.below(4) {
            2 => format!("unroll ({count}) {{\n{{}}}}\n"),
            0 => format!("{counter} = 0; while ({counter} < {count}) {{ {counter}++;\n{{}}}}\n"),
            1 => format!("for ({counter} : {}..{count}) {{\n{{}}}}\n", self.random.below(2)),
            // `break` and `continue` stand in loops only, and this one is written out.
            _ => format!("{counter} = {count}; while ({counter} > 0) {{ {counter}--;\n{{}}}}\n"),
        };
        Node::of(Kind::Stmt, &template, vec![body])
    }

    fn printf(&mut self) -> Node {
        let number = self
            .random
            .of(&["%d", "%5d", "%-6d|", "%05d", "%+d", "%u", "%x", "%#x", "%X", "%o", "%lld", "%hhd", "%.3d"]);
        let text = self.random.of(&["%s", "%8s", "%-8s|", "%.2s"]);
        match self.random.below(4) {
            0 => Node::of(Kind::Stmt, &format!("printf(\"{number}\\n\", {{}});\n"), vec![self.int(2)]),
            1 => Node::of(Kind::Stmt, &format!("printf(\"{text}\\n\", {{}});\n"), vec![self.str(2)]),
            2 => Node::of(
                Kind::Stmt,
                &format!("printf(\"{text} {number}\\n\", {{}}, {{}});\n"),
                vec![self.str(1), self.int(1)],
            ),
            _ => Node::of(Kind::Stmt, &format!("errorf(\"{number} %%\\n\", {{}});\n"), vec![self.int(1)]),
        }
    }

    fn map_stmt(&mut self) -> Node {
        let stmt = |template: &str, nodes: Vec<Node>| Node::of(Kind::Stmt, &format!("{template}\n"), nodes);
        match self.random.below(9) {
            7 => stmt("@t[({}, {})] = {};", vec![self.key(), self.key_str(), self.int(1)]),
            8 => stmt("@pp[{}] = ({}, ({}, {}));", vec![self.key(), self.int(1), self.str(1), self.truth(1)]),
            0 | 1 => {
                let entry = self.number_entry();
                stmt("{} = {};", vec![entry, self.int(2)])
            }
            2 => {
                let op = self.random.of(&["+", "-", "*", "|", "/"]);
                let entry = self.number_entry();
                stmt(&format!("{{}} {op}= {{}};"), vec![entry, self.int(1)])
            }
            3 => {
                let entry = self.number_entry();
                stmt(&format!("{{}}{};", self.random.of(&["++", "--"])), vec![entry])
            }
            4 => stmt("@v[{}] = {};", vec![self.key(), self.str(2)]),
            5 => stmt("@p[{}] = ({}, {});", vec![self.key_str(), self.int(1), self.str(1)]),
            _ => stmt("@b[{}] = {};", vec![self.key_str(), self.truth(1)]),
        }
    }

    fn aggregate(&mut self) -> Node {
        let (map, call) = self.random.of(&AGGREGATIONS);
        let head = match KEYS.iter().find(|(name, _)| *name == map).map(|(_, keys)| *keys) {
            Some("i") => Node::of(Kind::Fixed, &format!("{map}[{{}}]"), vec![self.key()]),
            Some("s") => Node::of(Kind::Fixed, &format!("{map}[{{}}]"), vec![self.key_str()]),
            Some("is") => Node::of(Kind::Fixed, &format!("{map}[{{}}, {{}}]"), vec![self.key(), self.key_str()]),
            _ => Node::text(Kind::Fixed, map),
        };
        let nodes = if call.contains("{}") { vec![head, self.int(2)] } else { vec![head] };
        Node::of(Kind::Stmt, &format!("{{}} = {call};\n"), nodes)
    }

    /// An entry of a map of numbers.
    fn number_entry(&mut self) -> Node {
        match self.random.below(5) {
            4 => Node::of(Kind::Fixed, "@t[({}, {})]", vec![self.key(), self.key_str()]),
            0 => Node::text(Kind::Fixed, "@n"),
            1 => Node::of(Kind::Fixed, "@i[{}]", vec![self.key()]),
            2 => Node::of(Kind::Fixed, "@s[{}]", vec![self.key_str()]),
            _ => Node::of(Kind::Fixed, "@is[{}, {}]", vec![self.key(), self.key_str()]),
        }
    }

    /// An entry of a map with keys.
    fn entry(&mut self) -> Node {
        match self.random.below(6) {
            5 => Node::of(Kind::Fixed, "@t[({}, {})]", vec![self.key(), self.key_str()]),
            0 => Node::of(Kind::Fixed, "@i[{}]", vec![self.key()]),
            1 => Node::of(Kind::Fixed, "@s[{}]", vec![self.key_str()]),
            2 => Node::of(Kind::Fixed, "@v[{}]", vec![self.key()]),
            3 => Node::of(Kind::Fixed, "@count[{}]", vec![self.key()]),
            _ => Node::of(Kind::Fixed, "@is[{}, {}]", vec![self.key(), self.key_str()]),
        }
    }

    /// A key that is likely to be met again.
    fn key(&mut self) -> Node {
        match self.random.below(3) {
            0 => self.int(1),
            1 => Node::of(Kind::Int, "{} % 3", vec![self.int(0)]),
            _ => Node::text(Kind::Int, self.random.below(3).to_string()),
        }
    }

    fn key_str(&mut self) -> Node {
        self.str(1)
    }

    fn int(&mut self, depth: usize) -> Node {
        if depth == 0 || self.random.below(4) == 0 {
            let text = if self.has_variables && self.random.below(2) == 0 {
                self.random.of(&INTS)
            } else {
                self.random.of(&NUMBERS)
            };
            return Node::text(Kind::Int, text);
        }
        let less = depth - 1;
        match self.random.below(if self.flavour == Flavour::Messages { 23 } else { 18 }) {
            0..=3 => {
                let op = self.random.of(&["+", "-", "*", "/", "%", "&", "|", "^"]);
                Node::of(Kind::Int, &format!("({{}} {op} {{}})"), vec![self.int(less), self.int(less)])
            }
            4 => {
                let op = self.random.of(&["<<", ">>"]);
                Node::of(Kind::Int, &format!("({{}} {op} {{}})"), vec![self.int(less), self.int(0)])
            }
            5 => Node::of(Kind::Int, &format!("({}({{}}))", self.random.of(&["-", "~"])), vec![self.int(less)]),
            6 => {
                let ty = self.random.of(&["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"]);
                Node::of(Kind::Int, &format!("({ty})({{}})"), vec![self.int(less)])
            }
            7 => Node::of(Kind::Int, "({} ? {} : {})", vec![self.truth(less), self.int(less), self.int(less)]),
            8 | 9 => {
                let entry = self.number_entry();
                Node::of(Kind::Int, "{}", vec![entry])
            }
            10 => Node::of(Kind::Int, "(int64)strlen({})", vec![self.str(less)]),
            11 => Node::text(Kind::Int, if self.has_variables { "$t0.0" } else { "11" }),
            12 => {
                let limit = self.random.below(5);
                Node::of(Kind::Int, &format!("strncmp({{}}, {{}}, {limit})"), vec![self.str(less), self.str(less)])
            }
            13 => Node::of(Kind::Int, "(int64)@count[{}]", vec![self.key()]),
            14 => Node::text(Kind::Int, self.random.of(&["(int64)@max", "(int64)@avg", "@p[\"a\"].0"])),
            15 => Node::text(Kind::Int, if self.has_variables { "$t1.0" } else { "12" }),
            16 if self.has_variables => {
                self.loops += 1;
                let template = format!("{{ $x{0} = {{}}; $x{0} + {{}} }}", self.loops);
                Node::of(Kind::Int, &template, vec![self.int(less), self.int(less)])
            }
            16 => Node::text(Kind::Int, "@pp[1].0"),
            17 => Node::text(
                Kind::Int,
                self.random.of(&[
                    "(int64)@sum[\"a\"]",
                    "(int64)@min[1, \"a\"]",
                    "bswap((uint32)0x01020304)",
                    "@pp[0].0",
                ]),
            ),
            18 => Node::text(Kind::Int, "status"),
            19 => Node::of(Kind::Int, "int({})", vec![self.str(less)]),
            20 => Node::text(Kind::Int, self.random.of(&["(int64)len(@i)", "(int64)len(@count)", "(int64)len(@t)"])),
            21 => Node::text(
                Kind::Int,
                self.random.of(&["int(body.count)", "int(body.items[0].id)", "int(query[\"page\"])"]),
            ),
            _ => Node::text(Kind::Int, self.random.of(&["(int64)len(body.items)", "(int64)len(headers[\"x-id\"])"])),
        }
    }

    fn str(&mut self, depth: usize) -> Node {
        if depth == 0 || self.random.below(3) == 0 {
            return match self.random.below(2) {
                0 if self.has_variables => Node::text(Kind::Str, self.random.of(&TEXTS)),
                _ => Node::text(Kind::Str, format!("\"{}\"", self.random.of(&WORDS))),
            };
        }
        let less = depth - 1;
        match self.random.below(if self.flavour == Flavour::Messages { 11 } else { 6 }) {
            0 | 1 => Node::of(Kind::Str, "({} ? {} : {})", vec![self.truth(less), self.str(less), self.str(less)]),
            2 => Node::of(Kind::Str, "@v[{}]", vec![self.key()]),
            3 if self.has_variables => Node::text(Kind::Str, "$t0.1"),
            3 | 4 => Node::text(Kind::Str, "@p[\"a\"].1"),
            5 => Node::text(Kind::Str, if self.has_variables { "$t1.1.0" } else { "@pp[0].1.0" }),
            6 => Node::of(Kind::Str, "str({}, 3)", vec![self.str(less)]),
            7 => Node::text(Kind::Str, self.random.of(&["path", "method", "host"])),
            8 => Node::text(Kind::Str, self.random.of(&["header[\"x-id\"]", "query[\"page\"]"])),
            _ => {
                let call = self.random.of(&["lower", "upper", "route"]);
                Node::of(Kind::Str, &format!("{call}({{}})"), vec![self.str(less)])
            }
        }
    }

    fn truth(&mut self, depth: usize) -> Node {
        if depth == 0 || self.random.below(5) == 0 {
            let count = if self.has_variables { 4 } else { 2 };
            return Node::text(Kind::Bool, self.random.of(&["true", "false", "$b0", "$b1"][..count]));
        }
        let less = depth - 1;
        match self.random.below(if self.flavour == Flavour::Messages { 18 } else { 12 }) {
            10 => Node::of(
                Kind::Bool,
                "(({}, {}) == ({}, {}))",
                vec![self.int(less), self.str(less), self.int(less), self.str(less)],
            ),
            11 => Node::text(Kind::Bool, if self.has_variables { "$t1.1.1" } else { "@pp[0].1.1" }),
            0..=3 => {
                let op = self.random.of(&["==", "!=", "<", "<=", ">", ">="]);
                Node::of(Kind::Bool, &format!("({{}} {op} {{}})"), vec![self.int(less), self.int(less)])
            }
            4 | 5 => {
                let op = self.random.of(&["==", "!="]);
                Node::of(Kind::Bool, &format!("({{}} {op} {{}})"), vec![self.str(less), self.str(less)])
            }
            6 => {
                let op = self.random.of(&["&&", "||"]);
                Node::of(Kind::Bool, &format!("({{}} {op} {{}})"), vec![self.truth(less), self.truth(less)])
            }
            7 => Node::of(Kind::Bool, "(!{})", vec![self.truth(less)]),
            8 => Node::of(Kind::Bool, "has_key({})", vec![self.entry()]),
            9 => {
                let part = self.random.of(&["a", "b", "", "bc"]);
                Node::of(Kind::Bool, &format!("strcontains({{}}, \"{part}\")"), vec![self.str(less)])
            }
            12 | 13 => {
                let pattern = self.random.of(&["\"^/orders/[0-9]+\"", "\"a\"", "glob(\"/orders/*\")", "glob(\"**\")"]);
                let op = self.random.of(&["=~", "!~"]);
                Node::of(Kind::Bool, &format!("({{}} {op} {pattern})"), vec![self.str(less)])
            }
            14 => {
                let op = self.random.of(&["<", ">=", "==", "!="]);
                Node::text(Kind::Bool, format!("(latency {op} {})", self.random.of(&["20ms", "0s", "1us"])))
            }
            15 | 16 => {
                let path = self.random.of(&[
                    "body",
                    "body.count",
                    "body.items",
                    "body.items[0].id",
                    "body.items[-1].id",
                    "body.gone",
                ]);
                let with = self
                    .random
                    .of(&["== 1", "!= 1", "< 2", "== 1.50", "== \"a\"", "== nil", "!= null", "> 0.5", "== \"\""]);
                Node::text(Kind::Bool, format!("({path} {with})"))
            }
            _ => Node::text(
                Kind::Bool,
                self.random.of(&["(host == nil)", "(header[\"x-id\"] == nil)", "(query[\"page\"] != nil)"]),
            ),
        }
    }
}

const ALL_MAPS: [&str; 16] = [
    "@n", "@i", "@s", "@is", "@v", "@p", "@pp", "@t", "@b", "@count", "@sum", "@max", "@avg", "@stats", "@hist",
    "@lhist",
];
const AGGREGATIONS: [(&str, &str); 9] = [
    ("@count", "count()"),
    ("@sum", "sum({})"),
    ("@min", "min({})"),
    ("@max", "max({})"),
    ("@avg", "avg({})"),
    ("@stats", "stats({})"),
    ("@hist", "hist({})"),
    ("@fine", "hist({}, 2)"),
    ("@lhist", "lhist({}, -5, 100, 7)"),
];
/// The keys of the aggregations.
const KEYS: [(&str, &str); 7] =
    [("@count", "i"), ("@sum", "s"), ("@min", "is"), ("@stats", "i"), ("@hist", "s"), ("@fine", "is"), ("@lhist", "i")];

/// Random HTTP exchanges as flat records.
pub fn messages(seed: u64, count: usize) -> Vec<Vec<Value>> {
    let mut random = Random((seed ^ 0x5eed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    (0..count).map(|_| message(&mut random)).collect()
}

fn message(random: &mut Random) -> Vec<Value> {
    let machine = Machine::default();
    let schema = machine.schemas().into_iter().find(|schema| schema.protocol == "http").unwrap();
    let mut message = vec![Value::Nil; schema.slots()];
    let mut set = |name: &str, value: Value| {
        let field = schema.field(Side::Request, name).or_else(|| schema.field(Side::Response, name));
        message[field.unwrap_or_else(|| panic!("no field {name}")).id.0 as usize] = value;
    };
    let pair = |key: &str, value: Value| (Value::from(key), value);
    set("method", Value::text(random.of(&["GET", "POST"])));
    set("path", Value::text(random.of(&["/orders/12", "/orders/x", "a", "/"])));
    set("status", Value::Int(random.of(&[200, 404, 503])));
    set("latency", Value::Duration(random.of(&[0, 1000, 25_000_000])));
    if random.below(2) == 0 {
        set("host", Value::text("shop"));
    }
    if random.below(2) == 0 {
        set("query", Value::Map(vec![pair("page", Value::text(random.of(&["2", "x", ""])))]));
    }
    if random.below(2) == 0 {
        set("header", Value::Map(vec![pair("X-Id", Value::text("7")), pair("x-id", Value::text("abc"))]));
    }
    let number = |random: &mut Random| match random.below(4) {
        0 => Value::Int(1),
        1 => Value::Decimal("1.50".into()),
        2 => Value::Uint(u64::MAX),
        _ => Value::text("a"),
    };
    let items = (0..random.below(3)).map(|_| Value::Map(vec![pair("id", number(random))])).collect();
    match random.below(4) {
        0 => set("body", Value::Null),
        1 => set("body", Value::text("a")),
        _ => set(
            "body",
            Value::Map(vec![
                pair("count", number(random)),
                pair("items", Value::List(items)),
                pair("gone", Value::Null),
            ]),
        ),
    }
    message
}
