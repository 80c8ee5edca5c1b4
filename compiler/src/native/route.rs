//! `route(path)`: a path with its parameters folded, so that requests for one resource after another count as one route.
//!
//! Nothing but the text decides: a segment that looks made by a machine becomes `:id`. What does is told at [`is_parameter`]; a
//! version (`v1`), a word and a word with a digit or two (`oauth2`) stay.

/// What stands for a parameter.
const PARAMETER: &[u8] = b":id";
/// Hexadecimal digits of this length are an id, not a word.
const MIN_HEX_LEN: usize = 8;
/// A text of this length with digits in it is a token.
const MIN_TOKEN_LEN: usize = 16;
/// So many digits behind a word make a number: `ORD-1234`.
const MIN_SUFFIX_LEN: usize = 3;

/// Folds each parameter of a path; what follows `?` is left out.
pub fn route(path: &[u8]) -> Vec<u8> {
    let path = path.split(|&byte| byte == b'?').next().unwrap_or_default();
    let fold = |segment| if is_parameter(segment) { PARAMETER } else { segment };
    path.split(|&byte| byte == b'/').map(fold).collect::<Vec<_>>().join(&b'/')
}

/// A number, a date or an address; hexadecimal digits such as a UUID or a hash; a long token; a word with a number behind it.
fn is_parameter(segment: &[u8]) -> bool {
    let digits = segment.iter().filter(|byte| byte.is_ascii_digit()).count();
    let all = |is: fn(&u8) -> bool| segment.iter().all(is);
    if digits == 0 {
        return false;
    }
    let is_suffix = segment.iter().rposition(|byte| matches!(byte, b'-' | b'_')).is_some_and(|at| {
        let suffix = &segment[at + 1..];
        suffix.len() >= MIN_SUFFIX_LEN && suffix.iter().all(u8::is_ascii_digit)
    });
    all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b':' | b'_' | b','))
        || segment.len() >= MIN_HEX_LEN && all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
        || segment.len() >= MIN_TOKEN_LEN
            && digits > 1
            && all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        || is_suffix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expect: &str) {
        assert_eq!(String::from_utf8_lossy(&route(path.as_bytes())), expect, "{path}");
    }

    #[test]
    fn parameters_are_folded() {
        check("/orders/1001", "/orders/:id");
        check("/orders/1001/items/7?page=2", "/orders/:id/items/:id");
        check("/u/6fa459ea-ee8a-3ca4-894e-db77e160355e", "/u/:id");
        check("/blob/9f86d081884c7d65/raw", "/blob/:id/raw");
        check("/o/ORD-00012345", "/o/:id");
        check("/days/2024-02-29/", "/days/:id/");
        check("/k/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/k/:id");
    }

    #[test]
    fn words_stay() {
        for path in ["/", "", "/healthz", "/api/v1/orders", "/oauth2/token", "/facade", "*", "/a//b", "/md5/top-10"] {
            check(path, path);
        }
    }
}
