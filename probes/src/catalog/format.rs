//! The record of a tracepoint: its `format` file in tracefs.
//!
//! See the kernel's Documentation/trace/events.rst, "Event formats". The fields that every record
//! begins with (`common_*`) are left out.

use reel_lang::ty::{IntTy, Space, Ty};

use super::ctype;

/// One field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The name after which scripts ask.
    pub name: String,
    /// The type as the kernel wrote it, without an array's length.
    pub c_type: String,
    /// How it lies in the record.
    pub form: Form,
    /// Where it begins in the record.
    pub offset: u32,
    /// How long it is in the record: 4 for a `__data_loc` word.
    pub len_bytes: u32,
    /// Whether it is signed, for integers.
    pub signed: bool,
}

/// How a field lies in its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One value.
    Value,
    /// An array in the record itself.
    Array,
    /// A word with the offset (low half) and the length (high half) of data behind the fields.
    DataLoc,
}

/// Reads the fields of a format file; lines that are not understood are left out.
#[must_use]
pub fn parse(text: &str) -> Vec<Field> {
    let fields = text.lines().filter_map(field);
    fields.filter(|field| !field.name.starts_with("common_")).collect()
}

/// Reads one line: `field:char comm[16]; offset:8; size:16; signed:0;`
fn field(line: &str) -> Option<Field> {
    let mut parts = line.trim().split(';').map(str::trim);
    let declaration = parts.next()?.strip_prefix("field:")?;
    let mut number = |key: &str| parts.next()?.strip_prefix(key)?.parse::<u32>().ok();
    let (offset, len_bytes) = (number("offset:")?, number("size:")?);
    let signed = number("signed:")? == 1;
    if declaration.starts_with("__rel_loc ") {
        return None;
    }
    let (form, declaration) = match declaration.strip_prefix("__data_loc ") {
        Some(rest) => (Form::DataLoc, rest),
        None if declaration.contains('[') => (Form::Array, declaration),
        None => (Form::Value, declaration),
    };
    // `char name[16]`, but `__data_loc char[] name`.
    let before = match (form, declaration.split_once('[')) {
        (Form::Array, Some((before, _))) => before,
        _ => declaration,
    };
    let (c_type, name) = before.trim_end().rsplit_once([' ', '*'])?;
    let stars = if before[c_type.len()..].starts_with('*') { "*" } else { "" };
    let c_type = format!("{c_type}{stars}").replace("[]", "");
    let name = name.to_string();
    Some(Field { name, c_type: c_type.trim().to_string(), form, offset, len_bytes, signed })
}

impl Field {
    /// Returns the type that scripts see; pointers point into `space`.
    #[must_use]
    pub fn ty(&self, space: Space) -> Ty {
        let is_text = self.c_type == "char";
        match self.form {
            Form::Value => ctype::of_text(&self.c_type, self.len_bytes, self.signed, space),
            Form::Array | Form::DataLoc if is_text => Ty::Str,
            Form::Array => {
                let element = ctype::of_text(&self.c_type, 1, self.signed, space);
                let count = self.len_bytes / element_len_bytes(&element);
                Ty::Array(Box::new(element), count)
            }
            // The word has 16 bits for the length.
            Form::DataLoc => Ty::Buf(0xffff),
        }
    }
}

fn element_len_bytes(ty: &Ty) -> u32 {
    ty.int().map_or(1, IntTy::len_bytes).max(1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(line: &str, expect: &str) {
        let field = field(line).unwrap();
        let text =
            format!("{} {} {:?} {}+{}", field.ty(Space::Kernel), field.name, field.form, field.offset, field.len_bytes);
        assert_eq!(text, expect);
    }

    #[test]
    fn reads_each_form_of_field() {
        check("\tfield:const char * filename;\toffset:24;\tsize:8;\tsigned:0;", "int8 * filename Value 24+8");
        check("field:const char *name;\toffset:8;\tsize:8;\tsigned:0;", "int8 * name Value 8+8");
        check("field:char comm[16];\toffset:8;\tsize:16;\tsigned:0;", "string comm Array 8+16");
        check("field:unsigned long args[6];\toffset:16;\tsize:48;\tsigned:0;", "uint64[6] args Array 16+48");
        check("field:__u8 saddr[4];\toffset:32;\tsize:4;\tsigned:0;", "uint8[4] saddr Array 32+4");
        check("field:__data_loc char[] filename;\toffset:8;\tsize:4;\tsigned:0;", "string filename DataLoc 8+4");
        check("field:long ret;\toffset:16;\tsize:8;\tsigned:1;", "int64 ret Value 16+8");
        check("field:dev_t dev;\toffset:8;\tsize:4;\tsigned:0;", "uint32 dev Value 8+4");
    }

    #[test]
    fn leaves_out_what_is_no_field_and_what_all_records_have() {
        let text = "name: x\nID: 5\nformat:\n\
            \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n\
            \tfield:int prio;\toffset:8;\tsize:4;\tsigned:1;\n\
            \tfield:__rel_loc char[] x;\toffset:8;\tsize:4;\tsigned:1;\n\
            \tfield:broken;\toffset:x;\n\nprint fmt: \"field:%d\", REC->prio\n";
        let names: Vec<String> = parse(text).into_iter().map(|field| field.name).collect();
        assert_eq!(names, ["prio"]);
    }
}
