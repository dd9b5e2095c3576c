//! Who may ask? Whoever knows the token, if there is one.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::refusal::Refusal;

/// Lets a request pass if there is no token, or if it carries the token.
pub(super) async fn check(token: Option<Arc<str>>, request: Request, next: Next) -> Response {
    let carried = request.headers().get(header::AUTHORIZATION);
    let carried = carried.and_then(|value| bearer(value.as_bytes()));
    match &token {
        Some(token) if !carried.is_some_and(|carried| same(carried, token)) => {
            Refusal::Unauthorized.into_response()
        }
        _ => next.run(request).await,
    }
}

/// The token of an `Authorization` header; the scheme's name is case-insensitive.
pub(super) fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// Compares in a time that does not depend on where they differ.
pub(super) fn same(carried: &[u8], token: &str) -> bool {
    carried.ct_eq(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_bearer_in_any_case() {
        assert_eq!(bearer(b"bearer  abc"), Some(&b"abc"[..]));
        assert_eq!(bearer(b"Basic abc"), None);
        assert_eq!(bearer(b"Bearer"), None);
        assert!(same(b"abc", "abc") && !same(b"abd", "abc") && !same(b"ab", "abc"));
    }
}
