//! What a request target says: its path and its query (RFC 9112 section 3.2).

/// The path as it was sent. For `*` and for CONNECT's `host:port` that is the whole target.
pub(super) fn path(target: &[u8]) -> &[u8] {
    let start = origin(target);
    let rest = target.get(start..).unwrap_or_default();
    let end = memchr::memchr(b'?', rest).unwrap_or(rest.len());
    match rest.get(..end).unwrap_or_default() {
        // Absolute form without a path, as `http://host`.
        b"" if start > 0 => b"/",
        path => path,
    }
}

/// The query without its `?`, as it was sent.
pub(super) fn query(target: &[u8]) -> &[u8] {
    memchr::memchr(b'?', target).and_then(|mark| target.get(mark.saturating_add(1)..)).unwrap_or_default()
}

/// Where the origin form starts in an absolute form (`http://host/path`), else 0.
fn origin(target: &[u8]) -> usize {
    if target.first() == Some(&b'/') {
        return 0;
    }
    let Some(authority) = memchr::memmem::find(target, b"://").map(|at| at.saturating_add(3)) else { return 0 };
    let rest = target.get(authority..).unwrap_or_default();
    let len = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    authority.saturating_add(len)
}

/// A Host field without its port, and without the brackets of an IPv6 address.
pub(super) fn host(field: &[u8]) -> &[u8] {
    if let Some(rest) = field.strip_prefix(b"[") {
        return rest.split(|byte| *byte == b']').next().unwrap_or_default();
    }
    field.split(|byte| *byte == b':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_four_forms_have_a_path() {
        let cases: &[(&[u8], &[u8], &[u8])] = &[
            (b"/a%2Fb/c?x=1&y=2?", b"/a%2Fb/c", b"x=1&y=2?"),
            (b"/", b"/", b""),
            (b"/a://b", b"/a://b", b""),
            (b"http://h:80/p?q", b"/p", b"q"),
            (b"http://h", b"/", b""),
            (b"http://h?q", b"/", b"q"),
            (b"h:443", b"h:443", b""),
            (b"*", b"*", b""),
        ];
        for (target, expected, query_expected) in cases {
            assert_eq!(path(target), *expected, "{target:?}");
            assert_eq!(query(target), *query_expected, "{target:?}");
        }
    }

    #[test]
    fn a_host_has_no_port() {
        assert_eq!(host(b"example.com:8080"), b"example.com");
        assert_eq!(host(b"[::1]:8080"), b"::1");
        assert_eq!(host(b""), b"");
    }
}
