//! As much of SQL as it takes to know what a statement does to the transaction, and where one ends.

use crate::reader::Reader;

/// A transaction's state, as ReadyForQuery tells it (section 55.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Status {
    #[default]
    Idle,
    Transaction,
    Failed,
}

impl Status {
    pub(super) fn of(letter: u8) -> Self {
        match letter {
            b'T' => Status::Transaction,
            b'E' => Status::Failed,
            _ => Status::Idle,
        }
    }

    pub(super) fn letter(self) -> u8 {
        match self {
            Status::Idle => b'I',
            Status::Transaction => b'T',
            Status::Failed => b'E',
        }
    }

    /// The word in recordings.
    pub(super) fn name(self) -> &'static str {
        match self {
            Status::Idle => "idle",
            Status::Transaction => "transaction",
            Status::Failed => "failed",
        }
    }

    /// The state after so many of a text's statements succeeded, and after an error if there was one.
    pub(super) fn after(self, sql: &[u8], succeeded: usize, has_failed: bool) -> Self {
        let mut status = self;
        for statement in statements(sql).take(succeeded) {
            status = status.after_one(statement);
        }
        match (status, has_failed) {
            (Status::Transaction, true) => Status::Failed,
            (status, _) => status,
        }
    }

    fn after_one(self, statement: &[u8]) -> Self {
        let words = words(statement);
        let word = |index: usize| words.get(index).map_or("", String::as_str);
        let chains = words.windows(2).any(|pair| matches!(pair, [and, chain] if and == "AND" && chain == "CHAIN"));
        let ended = if chains { Status::Transaction } else { Status::Idle };
        match (word(0), word(1)) {
            ("BEGIN", _) | ("START", "TRANSACTION") if self == Status::Idle => Status::Transaction,
            ("COMMIT" | "ROLLBACK", "PREPARED") => self,
            ("ROLLBACK" | "ABORT", _) if words.iter().any(|word| word == "TO") => match self {
                Status::Idle => Status::Idle,
                _ => Status::Transaction,
            },
            ("COMMIT" | "END" | "ROLLBACK" | "ABORT", _) if self != Status::Idle => ended,
            ("PREPARE", "TRANSACTION") => Status::Idle,
            _ => self,
        }
    }
}

/// How many words of a statement are looked at.
const WORDS_MAX: usize = 8;

/// The first words of a statement in upper case, without comments.
fn words(statement: &[u8]) -> Vec<String> {
    let mut reader = Reader::at(statement, 0);
    let mut words = Vec::new();
    while words.len() < WORDS_MAX {
        pass_blank(&mut reader);
        let word = reader.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if word.is_empty() {
            break;
        }
        words.push(String::from_utf8_lossy(word).to_ascii_uppercase());
    }
    words
}

/// Passes over white space and comments.
fn pass_blank(reader: &mut Reader<'_>) {
    loop {
        reader.take_while(|byte| byte.is_ascii_whitespace());
        match reader.rest() {
            [b'-', b'-', ..] => {
                reader.take_while(|byte| byte != b'\n');
            }
            [b'/', b'*', ..] => pass_comment(reader),
            _ => return,
        }
    }
}

/// Passes over a comment, which may hold others.
fn pass_comment(reader: &mut Reader<'_>) {
    let mut depth = 0_usize;
    while !reader.rest().is_empty() {
        if reader.eat_all(b"/*") {
            depth = depth.saturating_add(1);
        } else if reader.eat_all(b"*/") {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return;
            }
        } else {
            reader.byte();
        }
    }
}

/// The statements of a text: what stands between semicolons, but for what has no words.
pub(super) fn statements(sql: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut reader = Reader::at(sql, 0);
    std::iter::from_fn(move || {
        loop {
            pass_blank(&mut reader);
            if reader.rest().is_empty() {
                return None;
            }
            let statement = take_statement(&mut reader, sql);
            if !statement.is_empty() {
                return Some(statement);
            }
        }
    })
}

/// Takes a statement and its semicolon.
fn take_statement<'a>(reader: &mut Reader<'a>, sql: &'a [u8]) -> &'a [u8] {
    let start = reader.position();
    loop {
        let end = reader.position();
        match reader.rest() {
            [] => return sql.get(start..end).unwrap_or_default(),
            [b'-', b'-', ..] | [b'/', b'*', ..] => pass_blank(reader),
            [b'E' | b'e', b'\'', ..] => {
                reader.byte();
                pass_quoted(reader, true);
            }
            [b'\'' | b'"', ..] => pass_quoted(reader, false),
            [b'$', ..] => pass_dollar(reader),
            [byte, ..] if byte.is_ascii_alphanumeric() || *byte == b'_' || !byte.is_ascii() => {
                // A whole word, so that a dollar within it begins no quotation.
                let is_escape = matches!(reader.rest(), [b'E' | b'e', b'\'', ..]);
                if !is_escape {
                    reader.take_while(|byte| {
                        byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || !byte.is_ascii()
                    });
                }
            }
            [b';', ..] => {
                reader.byte();
                return sql.get(start..end).unwrap_or_default();
            }
            _ => {
                reader.byte();
            }
        }
    }
}

/// Passes over a text in quotes; a doubled quote is in it.
fn pass_quoted(reader: &mut Reader<'_>, has_escapes: bool) {
    let Some(quote) = reader.byte() else { return };
    while let Some(byte) = reader.byte() {
        if has_escapes && byte == b'\\' {
            reader.byte();
        } else if byte == quote && !reader.eat(quote) {
            return;
        }
    }
}

/// Passes over a text in dollar quotes: `$$ ... $$`, `$tag$ ... $tag$`. A dollar that begins none is a parameter's.
fn pass_dollar(reader: &mut Reader<'_>) {
    let begin = reader.rest();
    reader.byte();
    let tag = reader.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii());
    if !reader.eat(b'$') || tag.first().is_some_and(u8::is_ascii_digit) {
        return;
    }
    let mark = begin.get(..tag.len().saturating_add(2)).unwrap_or_default();
    let rest = reader.rest();
    let len = memchr::memmem::find(rest, mark).map_or(rest.len(), |at| at.saturating_add(mark.len()));
    reader.take(len);
}

/// The name of the statement that a text gives up: DEALLOCATE, of one and nothing else.
pub(super) fn deallocated(sql: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(sql).ok()?.trim().trim_end_matches(';');
    let mut words = text.split_ascii_whitespace();
    let verb = words.next().filter(|verb| verb.eq_ignore_ascii_case("DEALLOCATE"));
    let name = verb.and_then(|_| words.next())?;
    let name = if name.eq_ignore_ascii_case("PREPARE") { words.next()? } else { name };
    let is_plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if words.next().is_some() || name.eq_ignore_ascii_case("ALL") {
        return None;
    }
    match name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => (!quoted.contains('"')).then(|| quoted.as_bytes().to_vec()),
        // A name without quotes is one in lower case.
        None => is_plain(name).then(|| name.to_ascii_lowercase().into_bytes()),
    }
}

/// Whether a text may change what later statements are answered. A function that writes within a SELECT is not seen.
pub(super) fn writes(sql: &[u8]) -> bool {
    statements(sql).any(|statement| {
        let words = words(statement);
        match words.first().map_or("", String::as_str) {
            "SELECT" | "SHOW" | "VALUES" | "TABLE" | "EXPLAIN" | "SET" | "RESET" | "BEGIN" | "START" => false,
            "WITH" => ["INSERT", "UPDATE", "DELETE", "MERGE"].iter().any(|verb| holds(statement, verb)),
            "COPY" => !holds(statement, "STDOUT"),
            _ => true,
        }
    })
}

/// Whether a word stands somewhere in a statement.
fn holds(statement: &[u8], word: &str) -> bool {
    let is_of_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    statement.split(|byte| !is_of_word(byte)).any(|found| found.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_where_the_server_ends_them() {
        let check = |sql: &str, expect: &[&str]| {
            let found: Vec<_> = statements(sql.as_bytes()).map(String::from_utf8_lossy).collect();
            assert_eq!(found, expect, "{sql}");
        };
        check("SELECT 1", &["SELECT 1"]);
        check("BEGIN; SELECT ';'; ;COMMIT;", &["BEGIN", "SELECT ';'", "COMMIT"]);
        check("SELECT 'it''s;' ; SELECT \"a;b\"", &["SELECT 'it''s;' ", "SELECT \"a;b\""]);
        check(r"SELECT E'\';'; SELECT '\'", &[r"SELECT E'\';'", r"SELECT '\'"]);
        check("DO $$ BEGIN; END $$; SELECT $1;", &["DO $$ BEGIN; END $$", "SELECT $1"]);
        check("SELECT $a$;$$;$a$, x$y; SELECT 2", &["SELECT $a$;$$;$a$, x$y", "SELECT 2"]);
        check("-- a;\n /* ; /* ; */ ; */ SELECT 1 -- ;\n; ", &["SELECT 1 -- ;\n"]);
        check("SELECT 'open;", &["SELECT 'open;"]);
    }

    #[test]
    fn what_writes_is_known_by_its_verb() {
        for (sql, expect) in [
            ("SELECT 1", false),
            ("-- x\nselect deleted from t", false),
            ("insert into t values (1)", true),
            ("WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a", true),
            ("WITH deleted AS (SELECT 1) SELECT * FROM deleted", false),
            ("COPY t FROM STDIN", true),
            ("COPY t TO STDOUT", false),
            ("BEGIN", false),
            ("COMMIT", true),
            ("SELECT 1; UPDATE t SET a = 1", true),
            ("", false),
        ] {
            assert_eq!(writes(sql.as_bytes()), expect, "{sql}");
        }
    }

    #[test]
    fn a_statement_is_given_up_by_its_name() {
        for (sql, expect) in [
            ("DEALLOCATE pdo_stmt_00000001", Some("pdo_stmt_00000001")),
            (" deallocate PREPARE S_1 ; ", Some("s_1")),
            ("DEALLOCATE \"S_1\"", Some("S_1")),
            ("DEALLOCATE ALL", None),
            ("DEALLOCATE a; SELECT 1", None),
            ("DEALLOCATE a;SELECT", None),
            ("DEALLOCATE \"a\"\"b\"", None),
            ("DEALLOCATE", None),
            ("SELECT a", None),
        ] {
            let found = deallocated(sql.as_bytes());
            assert_eq!(found.as_deref(), expect.map(str::as_bytes), "{sql}");
        }
    }

    #[test]
    fn the_state_follows_the_statements() {
        let check = |before: u8, sql: &str, succeeded: usize, has_failed: bool, expect: u8| {
            let after = Status::of(before).after(sql.as_bytes(), succeeded, has_failed).letter();
            assert_eq!(char::from(after), char::from(expect), "{sql}");
        };
        check(b'I', "BEGIN", 1, false, b'T');
        check(b'I', "/* app */ start transaction read only", 1, false, b'T');
        check(b'T', "SELECT 1", 1, false, b'T');
        check(b'T', "SELECT 1/0", 0, true, b'E');
        check(b'I', "SELECT 1/0", 0, true, b'I');
        check(b'E', "ROLLBACK TO SAVEPOINT a", 1, false, b'T');
        check(b'E', "rollback", 1, false, b'I');
        check(b'T', "COMMIT", 1, false, b'I');
        check(b'T', "COMMIT AND CHAIN", 1, false, b'T');
        check(b'T', "ROLLBACK AND NO CHAIN", 1, false, b'I');
        check(b'T', "PREPARE TRANSACTION 'x'", 1, false, b'I');
        check(b'I', "COMMIT PREPARED 'x'", 1, false, b'I');
        check(b'I', "BEGIN; SELECT 1; COMMIT", 3, false, b'I');
        check(b'I', "BEGIN; SELECT 1/0; COMMIT", 1, true, b'E');
    }
}
