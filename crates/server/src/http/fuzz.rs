//! The parts of the door that read what a stranger wrote, for the fuzz targets.

use axum::http::{HeaderMap, HeaderValue, header};
use bytes::Bytes;
use tidegate_event::json::{Limits, Options, Parser};

use super::budget::Budget;
use super::decode::{Encoding, unpack};
use super::events::{EventsQuery, format_of};
use super::{auth, repeat};

const UNPACKED_BYTES_MAX: usize = 256 << 10;
const BUDGET_BYTES: usize = 1 << 20;

/// A body, from its headers to its rows.
///
/// # Panics
///
/// When it unpacks beyond its bound, or its memory is not given back.
pub fn body(content_type: &[u8], encoding: &[u8], body: &[u8]) {
    let (Ok(content_type), Ok(encoding)) =
        (std::str::from_utf8(content_type), std::str::from_utf8(encoding))
    else {
        return;
    };
    let Ok(encoding) = Encoding::named(encoding) else { return };
    let budget = Budget::new(BUDGET_BYTES);
    let mut lease = budget.lease();
    let body = Bytes::copy_from_slice(body);
    if let Ok(unpacked) = unpack(body.clone(), encoding, UNPACKED_BYTES_MAX, &mut lease) {
        let identity = encoding == Encoding::Identity;
        assert!(identity || unpacked.len() <= UNPACKED_BYTES_MAX, "{} bytes", unpacked.len());
        assert!(identity || budget.free() + unpacked.len() <= BUDGET_BYTES, "memory without lease");
        if let Ok(format) = format_of(content_type, &unpacked) {
            let limits = Limits { event_bytes_max: 4096, ..Limits::default() };
            let options = Options { limits, partial: true, ..Options::default() };
            let _ = Parser::default().parse(&unpacked, format, &options);
            let query = EventsQuery::default();
            let _ = repeat::digests(b"key", &query, format, &unpacked, 0);
        }
    }
    drop(lease);
    assert_eq!(budget.free(), BUDGET_BYTES, "a lease was not given back");
}

/// The headers that name a request and its sender.
///
/// # Panics
///
/// When a key is taken that is not one of visible characters.
pub fn headers(keys: &[&[u8]], authorization: &[u8]) {
    let mut headers = HeaderMap::new();
    for key in keys.iter().filter(|key| !key.is_empty()) {
        if let Ok(value) = HeaderValue::from_bytes(key) {
            headers.append(repeat::KEY, value);
        }
    }
    if let Ok(Some(key)) = repeat::key(&headers) {
        assert!(headers.len() == 1 && key.len() <= 255 && key.iter().all(u8::is_ascii_graphic));
    }
    if let Ok(value) = HeaderValue::from_bytes(authorization) {
        headers.insert(header::AUTHORIZATION, value);
        let carried = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        let passes = carried.and_then(auth::bearer).is_some_and(|token| auth::same(token, "gate"));
        assert!(!passes || authorization.len() >= "bearer gate".len());
    }
}
