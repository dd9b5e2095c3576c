//! How is a large answer sent? Compressed, to whoever takes that.

use std::io::Write;

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

/// Less than this is not worth it.
const WORTH: usize = 4096;

/// Whether the client takes gzip.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    accepted.into_iter().flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        gzip && !parts.any(|weight| matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

/// The answer as JSON. It is written and compressed apart from the threads that serve requests.
pub(super) async fn json<T: Serialize + Send + 'static>(
    headers: &HeaderMap,
    answer: T,
) -> Response {
    let gzip = takes_gzip(headers);
    let written = tokio::task::spawn_blocking(move || {
        // Maps with text keys and finite numbers: this cannot fail.
        let plain = serde_json::to_vec(&answer).unwrap_or_default();
        match gzip && plain.len() >= WORTH {
            true => (compressed(&plain), true),
            false => (plain, false),
        }
    });
    // It cannot panic, and is not aborted.
    let (body, is_gzip) = written.await.unwrap_or_default();
    let kind = HeaderValue::from_static("application/json");
    let mut response = ([(header::CONTENT_TYPE, kind)], Bytes::from(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if is_gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn compressed(plain: &[u8]) -> Vec<u8> {
    let mut to = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::fast());
    // Writing to memory does not fail.
    let _ = to.write_all(plain);
    to.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_taken_by_who_says_so() {
        let of = |value: &'static str| {
            takes_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, value.parse().unwrap())]))
        };
        assert!(of("gzip") && of("br, GZIP;q=0.5") && of("deflate,gzip"));
        assert!(!of("br") && !of("gzip;q=0") && !of("x-gzip") && !takes_gzip(&HeaderMap::new()));
    }
}
