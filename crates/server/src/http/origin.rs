//! Who may do something, or hand over events? Nobody whose page is of another site.
//!
//! A browser sends requests to this server on behalf of any page that is open in it, also to one
//! that listens on the loopback address only. It says where the page is from, in `Sec-Fetch-Site`
//! and in `Origin`, and no page can forge either; other programs send neither. And a page under a
//! name of its own that was made to point here looks like one of ours: without a token, only an
//! address or `localhost` is taken for this server's name.
//!
//! Events are data, and with a token whoever sends them is known: a page of another site cannot send a
//! token unless this server allows it to, which it never does (no answer has a header of CORS). Without
//! a token such a page could fill the sink with what it likes, as `text/plain` and unseen. It is
//! refused, as an action is. Who wants events from browsers puts a proxy of their own in front, which
//! knows the pages, answers their preflights, and sends a token or takes `Origin` out.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Door;
use super::refusal::Refusal;

/// Lets events pass that no page of another site has sent, or that came with the token.
pub(super) async fn check_events(door: Arc<Door>, request: Request, next: Next) -> Response {
    if acts(&request)
        && door.settings.token.is_none()
        && let Err(origin) = is_ours(request.headers(), false)
    {
        let refusal = Refusal::ForeignOrigin { origin };
        door.counts.requests.fetch_add(1, Ordering::Relaxed);
        door.counts.refused(refusal.status().0);
        return refusal.into_response();
    }
    next.run(request).await
}

/// Lets a request pass that only looks, or that does something and is of no other site. What does
/// something is logged, with what came of it.
pub(super) async fn check(token: Option<Arc<str>>, request: Request, next: Next) -> Response {
    if !acts(&request) {
        return next.run(request).await;
    }
    let (method, uri) = (request.method().clone(), request.uri().clone());
    if let Err(origin) = is_ours(request.headers(), token.is_some()) {
        tracing::warn!(%method, path = uri.path(), origin, "an action of a foreign origin was refused");
        return Refusal::ForeignOrigin { origin }.into_response();
    }
    let response = next.run(request).await;
    let (query, status) = (uri.query().unwrap_or_default(), response.status().as_u16());
    tracing::info!(%method, path = uri.path(), query, status, "an action over the API");
    response
}

/// Whether a request does something, and does not only look or ask what it may.
fn acts(request: &Request) -> bool {
    !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether the request is of no other site; if not, of which.
fn is_ours(headers: &HeaderMap, has_token: bool) -> Result<(), String> {
    let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let host = text(header::HOST).unwrap_or_default();
    let origin = text(header::ORIGIN);
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    if let Some(site) = site
        && site != b"same-origin"
        && site != b"none"
    {
        return Err(origin.map_or_else(|| "another site".to_owned(), |origin| shown(&origin)));
    }
    if let Some(origin) = &origin {
        let of_page = origin.split_once("://").map_or("", |(_, host)| host);
        if !of_page.eq_ignore_ascii_case(&host) {
            return Err(shown(origin));
        }
        if !has_token && !is_own_name(&host) {
            return Err(shown(origin));
        }
    }
    Ok(())
}

/// Whether this is an address or `localhost`, which nobody else can make point here.
fn is_own_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.parse::<IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost")
}

/// As much of a header as is worth telling.
fn shown(origin: &str) -> String {
    origin.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(headers: &[(&'static str, &'static str)], has_token: bool) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        is_ours(&map, has_token).is_ok()
    }

    #[test]
    fn only_pages_of_this_server_and_programs_may_act() {
        let here = ("host", "127.0.0.1:8080");
        assert!(ours(&[here], false), "a program");
        assert!(ours(&[here, ("origin", "http://127.0.0.1:8080")], false));
        assert!(ours(&[here, ("sec-fetch-site", "same-origin")], false));
        assert!(ours(&[here, ("sec-fetch-site", "none")], false));
        assert!(!ours(&[here, ("sec-fetch-site", "cross-site")], true));
        assert!(!ours(&[here, ("sec-fetch-site", "same-site")], true));
        assert!(!ours(&[here, ("origin", "http://evil.example")], true));
        assert!(!ours(&[here, ("origin", "null")], true));
        assert!(!ours(&[here, ("origin", "http://127.0.0.1:9090")], true), "another port");
        assert!(!ours(&[("origin", "http://127.0.0.1:8080")], true), "no host");
    }

    #[test]
    fn a_name_that_points_here_is_ours_only_with_a_token() {
        let page = [("host", "gate.example"), ("origin", "http://gate.example")];
        assert!(!ours(&page, false), "it may have been made to point here");
        assert!(ours(&page, true), "whoever knows the token is known");
        for host in ["localhost", "localhost:1", "[::1]:8080", "10.0.0.7"] {
            assert!(is_own_name(host), "{host}");
        }
        assert!(!is_own_name("localhost.evil.example") && !is_own_name(""));
    }
}
