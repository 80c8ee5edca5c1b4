//! Reads a schema file: a protocol's fields, written once for people and for the build.
//!
//! ```text
//! /// What the protocol is.
//! protocol http;
//!
//! request {
//!     /// What the field is.
//!     method: string key;
//!     query: strings derived;
//! }
//! ```
//!
//! What can be listened to besides messages is `event NAME { ... }`, after a comment of its own. Messages that have something
//! in common can have a name: `probe query: request if operation == "query";`, or `... if notices != nil;`.
//!
//! A field has a type word of `FieldType` and any of three marks: `key` (part of the operation's name in listings), `derived`
//! (computed from other fields, so not stored) and `uncompared` (another field says the same). Everything is documented: a
//! field without a `///` comment is an error. Field numbers follow the order in the file, after the connection's fields.

use super::model::{CONN_FIELDS, Event, Field, FieldId, FieldType, Named, Schema, Side};

/// A schema file that cannot be read: its author's fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaError {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    pub reason: String,
}

impl std::fmt::Display for SchemaError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.reason)
    }
}

impl std::error::Error for SchemaError {}

/// Reads a schema file.
///
/// # Errors
/// The first thing that is wrong, with its line and column.
pub fn parse(text: &str) -> Result<Schema, SchemaError> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0 };
    let doc = parser.doc("the protocol")?;
    parser.word_that_is("protocol")?;
    let (protocol, _) = parser.name("the protocol's name")?;
    parser.punctuation(';')?;
    let mut schema = Schema { protocol, doc, fields: conn_fields(), ..Schema::default() };
    while parser.peek() != &Kind::End {
        if matches!(parser.peek(), Kind::Doc(_)) {
            parser.documented(&mut schema)?;
        } else {
            let side = parser.side()?;
            parser.fields(Some(side), &mut schema)?;
        }
    }
    Ok(schema)
}

fn conn_fields() -> Vec<Field> {
    (0..)
        .zip(CONN_FIELDS)
        .map(|(id, (name, ty, doc))| Field {
            id: FieldId(id),
            name: (*name).to_owned(),
            ty: *ty,
            side: None,
            compared: false,
            derived: true,
            key: false,
            doc: (*doc).to_owned(),
        })
        .collect()
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// The text after `///`.
    Doc(String),
    Word(String),
    /// The text between quotes, in which nothing is special.
    Text(String),
    Punctuation(char),
    /// `==` or `!=`
    Comparison(&'static str),
    End,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Kind::Doc(_) => write!(f, "a doc comment"),
            Kind::Word(word) => write!(f, "`{word}`"),
            Kind::Text(text) => write!(f, "`\"{text}\"`"),
            Kind::Comparison(sign) => write!(f, "`{sign}`"),
            Kind::Punctuation(c) => write!(f, "`{c}`"),
            Kind::End => write!(f, "the end of the file"),
        }
    }
}

#[derive(Debug, Clone)]
struct Token {
    kind: Kind,
    line: usize,
    column: usize,
}

impl Token {
    fn error(&self, reason: String) -> SchemaError {
        SchemaError { line: self.line, column: self.column, reason }
    }
}

/// Splits the text into tokens; the last one is `End`.
fn tokens(text: &str) -> Result<Vec<Token>, SchemaError> {
    let mut tokens = Vec::new();
    let mut last = (1, 1);
    for (line, content) in (1..).zip(text.lines()) {
        let mut chars = (1..).zip(content.chars()).peekable();
        while let Some((column, c)) = chars.next() {
            last = (line, column + 1);
            let kind = match c {
                _ if c.is_whitespace() => continue,
                '/' => match comment(content, column) {
                    Some(Some(doc)) => Kind::Doc(doc),
                    Some(None) => break,
                    None => return Err(SchemaError { line, column, reason: "expected `//` or `///`".to_owned() }),
                },
                '{' | '}' | ':' | ';' => Kind::Punctuation(c),
                '=' | '!' if chars.next_if(|(_, next)| *next == '=').is_some() => {
                    Kind::Comparison(if c == '=' { "==" } else { "!=" })
                }
                '"' => {
                    let mut text = String::new();
                    while let Some((_, c)) = chars.next_if(|(_, c)| *c != '"') {
                        text.push(c);
                    }
                    if chars.next().is_none() {
                        return Err(SchemaError { line, column, reason: "this text has no closing quote".to_owned() });
                    }
                    Kind::Text(text)
                }
                'a'..='z' | 'A'..='Z' | '_' => {
                    let mut word = String::from(c);
                    while let Some((_, c)) = chars.next_if(|(_, c)| c.is_ascii_alphanumeric() || *c == '_') {
                        word.push(c);
                    }
                    Kind::Word(word)
                }
                _ => return Err(SchemaError { line, column, reason: format!("unexpected `{c}`") }),
            };
            let is_doc = matches!(kind, Kind::Doc(_));
            tokens.push(Token { kind, line, column });
            if is_doc {
                break;
            }
        }
    }
    tokens.push(Token { kind: Kind::End, line: last.0, column: last.1 });
    Ok(tokens)
}

/// The comment that starts at a column: its text where it documents, nothing where it only comments.
fn comment(line: &str, column: usize) -> Option<Option<String>> {
    let rest: String = line.chars().skip(column - 1).collect();
    match rest.strip_prefix("///") {
        Some(doc) => Some(Some(doc.trim().to_owned())),
        None => rest.starts_with("//").then_some(None),
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
}

impl Parser {
    const END: &Token = &Token { kind: Kind::End, line: 1, column: 1 };

    fn token(&self) -> &Token {
        self.tokens.get(self.next).or(self.tokens.last()).unwrap_or(Self::END)
    }

    fn peek(&self) -> &Kind {
        &self.token().kind
    }

    fn advance(&mut self) -> Token {
        let token = self.token().clone();
        self.next += 1;
        token
    }

    fn expected(&self, what: &str) -> SchemaError {
        self.token().error(format!("expected {what}, found {}", self.peek()))
    }

    /// Reads the doc comment lines that stand here, at least one.
    fn doc(&mut self, of: &str) -> Result<String, SchemaError> {
        let mut lines = Vec::new();
        while let Kind::Doc(line) = self.peek() {
            lines.push(line.clone());
            self.next += 1;
        }
        if lines.is_empty() {
            return Err(self.expected(&format!("a `///` comment that documents {of}")));
        }
        Ok(lines.join(" "))
    }

    fn punctuation(&mut self, wanted: char) -> Result<(), SchemaError> {
        if self.peek() != &Kind::Punctuation(wanted) {
            return Err(self.expected(&format!("`{wanted}`")));
        }
        self.next += 1;
        Ok(())
    }

    fn word_that_is(&mut self, wanted: &str) -> Result<(), SchemaError> {
        match self.peek() {
            Kind::Word(word) if word == wanted => {
                self.next += 1;
                Ok(())
            }
            _ => Err(self.expected(&format!("`{wanted}`"))),
        }
    }

    fn name(&mut self, what: &str) -> Result<(String, Token), SchemaError> {
        match self.peek() {
            Kind::Word(word) => Ok((word.clone(), self.advance())),
            _ => Err(self.expected(what)),
        }
    }

    fn side(&mut self) -> Result<Side, SchemaError> {
        let side = match self.peek() {
            Kind::Word(word) if word == "request" => Side::Request,
            Kind::Word(word) if word == "response" => Side::Response,
            _ => return Err(self.expected("`request`, `response` or a `///` comment")),
        };
        self.next += 1;
        Ok(side)
    }

    /// Reads what has a comment of its own: an event that is no message, or a name for messages.
    fn documented(&mut self, schema: &mut Schema) -> Result<(), SchemaError> {
        let doc = self.doc("it")?;
        let (word, at) = self.name("`event` or `probe`")?;
        match word.as_str() {
            "event" => {
                let event = self.event(doc, schema)?;
                schema.events.push(event);
            }
            "probe" => {
                let named = self.named(doc, schema)?;
                schema.named.push(named);
            }
            _ => return Err(at.error(format!("expected `event` or `probe`, found `{word}`"))),
        }
        Ok(())
    }

    /// Reads `NAME: request|response if FIELD != nil;` or `... if FIELD == "TEXT";`, whose fields were read before.
    fn named(&mut self, doc: String, schema: &Schema) -> Result<Named, SchemaError> {
        let (name, at) = self.name("a name")?;
        if ["in", "out"].contains(&name.as_str()) || schema.probes().any(|probe| probe.name() == name) {
            return Err(at.error(format!("this protocol already has a word `{name}`")));
        }
        self.punctuation(':')?;
        let side = self.side()?;
        self.word_that_is("if")?;
        let (field, at) = self.name("a field's name")?;
        let Some(ty) = schema.field(side, &field).map(|field| field.ty) else {
            return Err(at.error(format!("a {} has no field `{field}`, or has it further down", side.name())));
        };
        let (sign, value) = (self.advance(), self.advance().kind);
        let value = match (&sign.kind, value) {
            (Kind::Comparison("=="), Kind::Text(text)) if ty == FieldType::String => Some(text),
            (Kind::Comparison("!="), Kind::Word(word)) if word == "nil" => None,
            _ => return Err(sign.error("expected `!= nil`, or of a string `== \"TEXT\"`".to_owned())),
        };
        self.punctuation(';')?;
        let event = if side == Side::Request { Event::Request } else { Event::Response };
        Ok(Named { name, event, field, value, doc })
    }

    /// Reads an event that is no message.
    fn event(&mut self, doc: String, schema: &Schema) -> Result<(Event, Schema), SchemaError> {
        let (word, at) = self.name("an event's name")?;
        let known = || Event::ALL.into_iter().filter(|event| !event.is_message());
        let Some(event) = known().find(|event| event.name() == word) else {
            let words: Vec<&str> = known().map(Event::name).collect();
            return Err(at.error(format!("unknown event `{word}`, expected one of {}", words.join(", "))));
        };
        if schema.of(event).is_some() {
            return Err(at.error(format!("this protocol already has an event `{word}`")));
        }
        let protocol = schema.protocol.clone();
        let mut own = Schema { protocol, doc, fields: conn_fields(), ..Schema::default() };
        self.fields(None, &mut own)?;
        Ok((event, own))
    }

    /// Reads the fields of one message, or of an event that is none.
    fn fields(&mut self, side: Option<Side>, schema: &mut Schema) -> Result<(), SchemaError> {
        self.punctuation('{')?;
        while self.peek() != &Kind::Punctuation('}') {
            let field = self.field(side, schema)?;
            schema.fields.push(field);
        }
        self.punctuation('}')
    }

    fn field(&mut self, side: Option<Side>, schema: &Schema) -> Result<Field, SchemaError> {
        let doc = self.doc("the field")?;
        let (name, at) = self.name("a field's name")?;
        if let Some(other) = schema.field(side.unwrap_or(Side::Request), &name) {
            let owner = if other.is_connection() { "every connection has" } else { "this side already has" };
            return Err(at.error(format!("{owner} a field `{name}`")));
        }
        self.punctuation(':')?;
        let ty = self.field_type()?;
        let id = FieldId(u32::try_from(schema.fields.len()).unwrap_or(u32::MAX));
        let mut field = Field { id, name, ty, side, compared: true, derived: false, key: false, doc };
        self.marks(&mut field)?;
        Ok(field)
    }

    fn field_type(&mut self) -> Result<FieldType, SchemaError> {
        let (word, at) = self.name("a type")?;
        FieldType::ALL.into_iter().find(|ty| ty.name() == word).ok_or_else(|| {
            let words: Vec<&str> = FieldType::ALL.iter().map(|ty| ty.name()).collect();
            at.error(format!("unknown type `{word}`, expected one of {}", words.join(", ")))
        })
    }

    fn marks(&mut self, field: &mut Field) -> Result<(), SchemaError> {
        while let Kind::Word(word) = self.peek() {
            match word.as_str() {
                "key" => field.key = true,
                "derived" => field.derived = true,
                "uncompared" => field.compared = false,
                _ => return Err(self.expected("`key`, `derived`, `uncompared` or `;`")),
            }
            self.next += 1;
        }
        self.punctuation(';')
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::model::Probe;
    use super::*;

    const SMALL: &str = "/// A small\n/// protocol.\nprotocol small;\n\n// Not documentation.\nrequest {\n    /// The verb.\n    verb: string key;\n    /// Its parts.\n    parts: list derived uncompared;\n}\nresponse {\n    /// What came back.\n    reply: any;\n}\n";

    #[test]
    fn fields_follow_those_of_the_connection() {
        let schema = parse(SMALL).unwrap();
        assert_eq!((schema.protocol.as_str(), schema.doc.as_str()), ("small", "A small protocol."));
        assert!((0..).zip(&schema.fields).all(|(id, field)| field.id == FieldId(id)));
        let own: Vec<_> = schema.fields.iter().skip(CONN_FIELDS.len()).collect();
        let names: Vec<_> = own.iter().map(|f| (f.name.as_str(), f.ty, f.side)).collect();
        assert_eq!(
            names,
            [
                ("verb", FieldType::String, Some(Side::Request)),
                ("parts", FieldType::List, Some(Side::Request)),
                ("reply", FieldType::Any, Some(Side::Response)),
            ]
        );
        let marks: Vec<_> = own.iter().map(|f| (f.key, f.derived, f.compared)).collect();
        assert_eq!(marks, [(true, false, true), (false, true, false), (false, false, true)]);
    }

    #[test]
    fn an_event_has_fields_of_its_own() {
        let text = format!("{SMALL}/// It ends.\nevent close {{\n    /// Who did it.\n    verb: string;\n}}\n");
        let schema = parse(&text).unwrap();
        assert_eq!(schema.of(Event::Open), None);
        let close = schema.of(Event::Close).unwrap();
        assert_eq!((close.protocol.as_str(), close.doc.as_str()), ("small", "It ends."));
        let own: Vec<_> = close.fields.iter().filter(|field| !field.is_connection()).collect();
        assert_eq!((own.len(), own[0].name.as_str(), own[0].id), (1, "verb", FieldId(CONN_FIELDS.len() as u32)));
        assert_eq!(schema.probes().map(Probe::name).collect::<Vec<_>>(), ["request", "response", "exchange", "close"]);
    }

    #[test]
    fn messages_with_something_in_common_can_have_a_name() {
        let text = format!(
            "{SMALL}/// It asks.\nprobe ask: request if verb == \"ask\";\n/// It says.\nprobe said: response if reply != nil;\n"
        );
        let schema = parse(&text).unwrap();
        let named: Vec<_> =
            schema.named.iter().map(|n| (n.name.as_str(), n.event, &*n.field, n.value.as_deref())).collect();
        assert_eq!(named, [("ask", Event::Request, "verb", Some("ask")), ("said", Event::Response, "reply", None)]);
        assert_eq!(
            schema.probes().map(Probe::name).collect::<Vec<_>>(),
            ["request", "response", "exchange", "ask", "said"]
        );
    }

    #[test]
    fn errors_name_the_place() {
        let cases = [
            ("", "1:1: expected a `///` comment that documents the protocol, found the end of the file"),
            ("/// x\nprotocol 1;", "2:10: unexpected `1`"),
            ("/// x\nprotocol p", "2:11: expected `;`, found the end of the file"),
            ("/// x\nprotocol p;\nreply {}", "3:1: expected `request`, `response` or a `///` comment, found `reply`"),
            (
                "/// x\nprotocol p;\n/// d\nevent bang {}",
                "4:7: unknown event `bang`, expected one of error, open, data, close",
            ),
            (
                "/// x\nprotocol p;\n/// d\nevent open {}\n/// d\nevent open {}",
                "6:7: this protocol already has an event `open`",
            ),
            (
                "/// x\nprotocol p;\n/// d\nevent open { a: int; }",
                "4:14: expected a `///` comment that documents the field, found `a`",
            ),
            (
                "/// x\nprotocol p;\nrequest { a: int; }",
                "3:11: expected a `///` comment that documents the field, found `a`",
            ),
            ("/// x\nprotocol p;\nrequest {\n/// d\n é: int; }", "5:2: unexpected `é`"),
            (
                "/// x\nprotocol p;\nrequest {\n/// d\n a: number; }",
                "5:5: unknown type `number`, expected one of bool, int, duration, time, ip, string, headers, strings, list, any",
            ),
            (
                "/// x\nprotocol p;\nrequest {\n/// d\n a: int odd; }",
                "5:9: expected `key`, `derived`, `uncompared` or `;`, found `odd`",
            ),
            (
                "/// x\nprotocol p;\nrequest {\n/// d\n a: int;\n/// d\n a: int; }",
                "7:2: this side already has a field `a`",
            ),
            ("/// x\nprotocol p;\nrequest {\n/// d\n port: int; }", "5:2: every connection has a field `port`"),
            ("/// x\nprotocol p;\n/// d\nthing a", "4:1: expected `event` or `probe`, found `thing`"),
            ("/// x\nprotocol p;\n/// d\nprobe in: request if a != nil;", "4:7: this protocol already has a word `in`"),
            (
                "/// x\nprotocol p;\n/// d\nprobe a: request if b != nil;",
                "4:21: a request has no field `b`, or has it further down",
            ),
            ("/// x\nprotocol p;\n/// d\nprobe a: request if port == 3;", "4:29: unexpected `3`"),
            (
                "/// x\nprotocol p;\n/// d\nprobe a: request if port != \"x\";",
                "4:26: expected `!= nil`, or of a string `== \"TEXT\"`",
            ),
            ("/// x\nprotocol p;\n/// d\nprobe a: request if port == \"x;", "4:29: this text has no closing quote"),
            ("/// x\nprotocol p; / x", "2:13: expected `//` or `///`"),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).unwrap_err().to_string(), expected, "{text}");
        }
    }
}
