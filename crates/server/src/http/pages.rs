//! What does a browser get? The dashboard's pages, out of the binary.
//!
//! The files were built beforehand and are part of the program, each with its compressed form (see
//! `build.rs`). Names under `assets/` have a hash of what is in the file, so they are kept for ever;
//! all others are asked for anew, and mostly answered with 304.
//!
//! The pages need no token: there is nothing in them. They ask the API, which does.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::compressed::takes_gzip;
use super::refusal::Refusal;

include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// A file of the pages.
struct File {
    /// Its path below `/`.
    path: &'static str,
    media_type: &'static str,
    etag: &'static str,
    plain: &'static [u8],
    /// Compressed, where that is smaller.
    gzip: Option<&'static [u8]>,
}

/// What a page may do: run and show what comes from here, and ask here.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      img-src 'self' data:; font-src 'self'; connect-src 'self'; \
                      manifest-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// Paths that are never pages: who asks for them wants an answer of the API, also when it is wrong.
const NO_PAGES: [&str; 5] = ["api", "v1", "assets", "metrics", "health"];

/// Everything that no other route took.
pub(super) async fn fallback(request: Request) -> Response {
    let path = request.uri().path().to_owned();
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Refusal::NoSuchPath { path }.into_response();
    }
    let name = path.trim_start_matches('/');
    if let Some(file) = FILES.iter().find(|file| file.path == name) {
        return answer(file, request.headers());
    }
    let first = name.split('/').next().unwrap_or_default();
    let wants_page = accepts_html(request.headers()) && !NO_PAGES.contains(&first);
    // The pages tell by themselves which view a path means.
    match FILES.iter().find(|file| file.path == "index.html") {
        Some(index) if name.is_empty() || wants_page => answer(index, request.headers()),
        None if name.is_empty() => not_built(),
        _ => Refusal::NoSuchPath { path }.into_response(),
    }
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// This program was built without the pages.
fn not_built() -> Response {
    let text = "tidegate: this build has no pages. Figures: /api/metrics, /metrics; live: \
                /api/stream; all of the API: /api/openapi.json; in a terminal: tidegate top\n";
    (StatusCode::OK, text).into_response()
}

fn answer(file: &'static File, asked: &HeaderMap) -> Response {
    let is_known = asked.get(header::IF_NONE_MATCH).is_some_and(|known| is_among(known, file.etag));
    let mut response = match (is_known, file.gzip.filter(|_| takes_gzip(asked))) {
        (true, _) => StatusCode::NOT_MODIFIED.into_response(),
        (false, Some(gzip)) => {
            let coding = HeaderValue::from_static("gzip");
            ([(header::CONTENT_ENCODING, coding)], gzip).into_response()
        }
        (false, None) => file.plain.into_response(),
    };
    let keep = match file.path.starts_with("assets/") {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    let fixed: [(HeaderName, &'static str); 8] = [
        (header::CONTENT_TYPE, file.media_type),
        (header::CACHE_CONTROL, keep),
        (header::ETAG, file.etag),
        (header::VARY, "accept-encoding"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    let headers = response.headers_mut();
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether one of the tags that the client has is this one; compressing does not change what it names.
fn is_among(known: &HeaderValue, etag: &str) -> bool {
    let tags = known.to_str().unwrap_or_default().split(',').map(str::trim);
    tags.into_iter().any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    static PAGE: File = File {
        path: "index.html",
        media_type: "text/html; charset=utf-8",
        etag: "\"abc\"",
        plain: b"plain",
        gzip: Some(b"gz"),
    };
    static ASSET: File = File { path: "assets/app-1f2e.js", ..PAGE };

    impl Clone for File {
        fn clone(&self) -> Self {
            *self
        }
    }
    impl Copy for File {}

    fn asked(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn what_has_a_hash_is_kept_for_ever_and_the_rest_is_asked_for() {
        let of = |file, asked: &HeaderMap| {
            let response = answer(file, asked);
            let keep = response.headers()[header::CACHE_CONTROL].to_str().unwrap().to_owned();
            (response.status().as_u16(), keep, response.headers().contains_key("content-encoding"))
        };
        assert_eq!(of(&PAGE, &HeaderMap::new()), (200, "no-cache".into(), false));
        let gzip = asked(header::ACCEPT_ENCODING, "gzip");
        let forever = "public, max-age=31536000, immutable".to_owned();
        assert_eq!(of(&ASSET, &gzip), (200, forever, true));
        let known = asked(header::IF_NONE_MATCH, "\"x\", W/\"abc\"");
        assert_eq!(of(&PAGE, &known).0, 304);
        assert_eq!(of(&PAGE, &asked(header::IF_NONE_MATCH, "\"x\"")).0, 200);
    }
}
