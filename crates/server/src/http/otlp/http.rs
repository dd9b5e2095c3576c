//! OTLP over HTTP: `POST /v1/logs` with protobuf or JSON, at the port of its own and at the main one.
//!
//! An answer has the request's own encoding. The other signals of OpenTelemetry have paths too, so
//! that whoever sends them here is told that only logs are taken; 404 is what makes a sender give
//! up rather than try again.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tidegate_event::otlp::Encoding;

use super::answer::{self, Status};
use super::{Taken, authorize, take};
use crate::http::refusal::Refusal;
use crate::http::{Door, body, decode, origin, repeat};

/// The paths of what is not taken, and what it is.
const OTHER_SIGNALS: [(&str, &str); 3] =
    [("/v1/traces", "traces"), ("/v1/metrics", "metrics"), ("/v1development/profiles", "profiles")];

/// The routes of the protocol.
pub(in crate::http) fn router(door: Arc<Door>) -> Router {
    let mut router = Router::new().route("/v1/logs", post(logs));
    for (path, signal) in OTHER_SIGNALS {
        let other = move |headers: HeaderMap| async move {
            refused(
                encoding_of(&headers).unwrap_or(Encoding::Json),
                &Refusal::OtherSignal { signal },
            )
        };
        router = router.route(path, post(other));
    }
    router
        // The body is bounded where it is received, with an answer of our own.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(Arc::clone(&door), |State(door), request, next| {
            origin::check_events(door, request, next)
        }))
        .with_state(door)
}

/// All that is answered at the port of the protocol.
pub(in crate::http) fn only(door: Arc<Door>) -> Router {
    router(door).fallback(other).method_not_allowed_fallback(other)
}

async fn other(request: Request) -> Response {
    let encoding = encoding_of(request.headers()).unwrap_or(Encoding::Json);
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    refused(encoding, &Refusal::OtlpPath { method, path })
}

async fn logs(State(door): State<Arc<Door>>, headers: HeaderMap, body: Body) -> Response {
    let counts = &door.counts;
    counts.requests.fetch_add(1, Ordering::Relaxed);
    let encoding = encoding_of(&headers);
    let in_encoding = encoding.as_ref().copied().unwrap_or(Encoding::Json);
    let taken = match encoding {
        Ok(encoding) => receive(&door, &headers, body, encoding).await,
        Err(refusal) => Err(refusal),
    };
    match taken {
        Ok(taken) => accepted(in_encoding, &taken),
        Err(refusal) => {
            counts.refused(refusal.status().0);
            tracing::debug!(%refusal, "export refused");
            refused(in_encoding, &refusal)
        }
    }
}

async fn receive(
    door: &Door,
    headers: &HeaderMap,
    body: Body,
    encoding: Encoding,
) -> Result<Taken, Refusal> {
    authorize(door, headers)?;
    let packed = text(headers, &header::CONTENT_ENCODING);
    let packed = decode::Encoding::named(packed)?;
    let settings = &door.settings;
    let mut lease = door.budget.lease();
    let (max, timeout) = (settings.body_bytes_max, settings.body_timeout);
    let body = body::receive(headers, body, max, timeout, &mut lease).await?;
    take(door, headers, (body, packed, encoding), &mut lease).await
}

fn text<'h>(headers: &'h HeaderMap, name: &header::HeaderName) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
}

/// How the request is encoded, by its content type.
fn encoding_of(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let name = text(headers, &header::CONTENT_TYPE).split(';').next().unwrap_or("").trim();
    if name.eq_ignore_ascii_case("application/x-protobuf") {
        Ok(Encoding::Protobuf)
    } else if name.eq_ignore_ascii_case("application/json") {
        Ok(Encoding::Json)
    } else {
        Err(Refusal::OtlpContentType { name: name.to_owned() })
    }
}

const fn content_type(encoding: Encoding) -> HeaderValue {
    HeaderValue::from_static(match encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    })
}

fn accepted(encoding: Encoding, taken: &Taken) -> Response {
    let body = answer::success(taken, encoding);
    let mut response = ([(header::CONTENT_TYPE, content_type(encoding))], body).into_response();
    if taken.repeated {
        response.headers_mut().insert(repeat::REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

fn refused(encoding: Encoding, refusal: &Refusal) -> Response {
    let status = match refusal.status().0 {
        // Senders of this protocol come back after 503, and not after 408.
        StatusCode::REQUEST_TIMEOUT => StatusCode::SERVICE_UNAVAILABLE,
        status => status,
    };
    let told = Status::from(refusal);
    let kind = [(header::CONTENT_TYPE, content_type(encoding))];
    let mut response = (status, kind, told.encoded(encoding)).into_response();
    let headers = response.headers_mut();
    if let Some(seconds) = told.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
