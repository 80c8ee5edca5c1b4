//! Secrets: replaced by tokens before anything reaches the disk.
//!
//! A token is `{{secret:NAME:TOKEN}}`. The same value has the same token under one key, which never lies in the recording.
//! A value that could be guessed from its token (a short one) gets an ordinal instead.

/// What every token begins with.
const OPEN: &str = "{{secret:";
/// What every token ends with.
const CLOSE: &str = "}}";

/// Whether a text is a token, whole.
pub fn is_secret(text: &[u8]) -> bool {
    secret_name(text).is_some()
}

/// The name in a token.
pub fn secret_name(text: &[u8]) -> Option<&str> {
    let inner = std::str::from_utf8(text).ok()?.strip_prefix(OPEN)?.strip_suffix(CLOSE)?;
    inner.split_once(':').map(|(name, _)| name)
}
