//! Is this a request that was accepted before, sent again?
//!
//! Its sender says so with the `Idempotency-Key` that it chose for the request and keeps for every
//! repeat. The journal remembers digests: of the key, and of all that decides what the request
//! means, so that one key for two different requests is noticed instead of losing the second.
//!
//! Two keys of different producers must never meet, so theirs is SHA-256. The other guards against
//! a mistake: who looks for two bodies with one digest finds them, and loses a request of their own.
//! So it is XXH3, which reads a body at the speed of memory; SHA-256 of every body was a seventh of
//! all that the server did.

use axum::http::{HeaderMap, HeaderName};
use sha2::{Digest as _, Sha256};
use tidegate_event::json::Format;
use tidegate_journal::RequestKey;
use twox_hash::XxHash3_64;

use super::events::EventsQuery;
use super::refusal::Refusal;

/// The header that names a request.
pub(super) const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header of an answer to a request that was accepted before.
pub(super) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Characters of a key.
const KEY_CHARS_MAX: usize = 255;

/// The key of a request, if it has one.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<&[u8]>, Refusal> {
    let mut keys = headers.get_all(KEY).iter().map(axum::http::HeaderValue::as_bytes);
    let Some(key) = keys.next() else { return Ok(None) };
    let sound = (1..=KEY_CHARS_MAX).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic);
    if keys.next().is_some() || !sound {
        return Err(Refusal::BadKey);
    }
    Ok(Some(key))
}

/// What the journal remembers of a request with this key, which came at `unix_millis`.
pub(super) fn digests(
    key: &[u8],
    query: &EventsQuery,
    format: Format,
    body: &[u8],
    unix_millis: i64,
) -> RequestKey {
    let EventsQuery { partial, class, service } = query;
    let parts = [class.as_bytes(), service.as_bytes(), name(format), &[u8::from(*partial)], body];
    digests_of(key, &parts, unix_millis)
}

/// The same of a request that consists of these parts.
pub(super) fn digests_of(key: &[u8], parts: &[&[u8]], unix_millis: i64) -> RequestKey {
    // Each part seeds the next, so that two different lists of parts are not the same bytes.
    let body = parts.iter().fold(0, |seed, part| XxHash3_64::oneshot_with_seed(seed, part));
    RequestKey {
        digest: number(&Sha256::digest(key), 16),
        body,
        at: u64::try_from(unix_millis).unwrap_or(0),
    }
}

/// Written down, so it must stay what it is.
const fn name(format: Format) -> &'static [u8] {
    match format {
        Format::Ndjson => b"ndjson",
        Format::Json => b"json",
        Format::Text => b"text",
    }
}

/// The first bytes of a hash, as a number.
fn number(hash: &[u8], bytes: usize) -> u128 {
    hash.iter().take(bytes).fold(0, |sum, byte| (sum << 8) | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn with(values: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(KEY, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_key_is_one_header_of_visible_ascii() {
        let long = "k".repeat(256);
        assert_eq!(key(&with(&[])).unwrap(), None);
        assert_eq!(key(&with(&[b"a-1"])).unwrap(), Some(&b"a-1"[..]));
        assert!(key(&with(&[&long.as_bytes()[..255]])).is_ok());
        let bad = [vec![""], vec!["a b"], vec!["\u{e4}"], vec![long.as_str()], vec!["a", "a"]];
        for values in bad {
            let values: Vec<&[u8]> = values.into_iter().map(str::as_bytes).collect();
            let refusal = key(&with(&values)).unwrap_err();
            assert_eq!(refusal.status().0, axum::http::StatusCode::BAD_REQUEST);
        }
    }

    #[test]
    fn whatever_changes_the_meaning_changes_the_digest_of_the_body() {
        let digest = |class: &str, service: &str, partial, format, body: &str| {
            let (class, service) = (class.to_owned(), service.to_owned());
            let query = EventsQuery { partial, class, service };
            digests(b"k", &query, format, body.as_bytes(), 5)
        };
        let first = digest("a", "b", false, Format::Ndjson, "x");
        assert_eq!(first, digest("a", "b", false, Format::Ndjson, "x"));
        assert_eq!(first.at, 5);
        for other in [
            digest("ab", "", false, Format::Ndjson, "x"),
            digest("a", "b", true, Format::Ndjson, "x"),
            digest("a", "b", false, Format::Text, "x"),
            digest("a", "b", false, Format::Ndjson, "y"),
        ] {
            assert_eq!(other.digest, first.digest);
            assert_ne!(other.body, first.body);
        }
    }
}
