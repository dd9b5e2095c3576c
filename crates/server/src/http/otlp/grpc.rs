//! OTLP over gRPC: one call of one service, so hyper serves it without a framework around it.
//!
//! A framework brings what is not needed here (streams, generated types, an HTTP stack of its own
//! beside ours) and keeps the message to itself until it has been decoded into a tree. Of gRPC
//! there is left a head of five bytes, a status in the trailers, two names of encodings and a
//! deadline; the specification fits a page
//! (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>). HTTP/2 itself is hyper's.

mod connection;

use std::convert::Infallible;
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tidegate_event::otlp::Encoding;

use super::answer::{self, Code, Status};
use super::frame::{self, CallBody};
use super::{Taken, authorize, take};
use crate::http::refusal::Refusal;
use crate::http::{Door, decode};

pub(in crate::http) use connection::{serve, speaks_http_2};

/// The call that is taken.
const EXPORT: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
/// The services of other signals, and what they are.
const OTHER_SIGNALS: [(&str, &str); 3] = [
    ("/opentelemetry.proto.collector.trace.v1.TraceService/", "traces"),
    ("/opentelemetry.proto.collector.metrics.v1.MetricsService/", "metrics"),
    ("/opentelemetry.proto.collector.profiles.v1development.ProfilesService/", "profiles"),
];

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// The encodings of messages that are taken.
const ENCODINGS: &str = "identity,gzip,zstd";
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
/// Characters of a message in a header, which is bounded by what a client takes.
const MESSAGE_CHARS_MAX: usize = 1024;

/// Answers one call.
async fn call(door: &Door, request: Request<CallBody>) -> Response<Answer> {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let content_type = content_type.map_or(&[][..], HeaderValue::as_bytes);
    if request.method() != Method::POST {
        return bare(StatusCode::METHOD_NOT_ALLOWED);
    }
    if !is_grpc(content_type) {
        return bare(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    let counts = &door.counts;
    let path = request.uri().path();
    if path != EXPORT {
        return refused(&Status::from(&unknown(path)));
    }
    counts.requests.fetch_add(1, Ordering::Relaxed);
    let deadline = request.headers().get(TIMEOUT).and_then(|value| timeout(value.as_bytes()));
    let exporting = export(door, request);
    let taken = match deadline {
        None => exporting.await,
        Some(deadline) => match tokio::time::timeout(deadline, exporting).await {
            Ok(taken) => taken,
            // Nobody waits for the answer any more.
            Err(_) => return refused(&late()),
        },
    };
    match taken {
        Ok(taken) => accepted(&taken),
        Err(refusal) => {
            counts.refused(refusal.status().0);
            tracing::debug!(%refusal, "export refused");
            refused(&Status::from(&refusal))
        }
    }
}

async fn export(door: &Door, request: Request<CallBody>) -> Result<Taken, Refusal> {
    let (head, body) = request.into_parts();
    authorize(door, &head.headers)?;
    let named = head.headers.get(ENCODING).and_then(|value| value.to_str().ok()).unwrap_or("");
    let encoding = decode::Encoding::named(named)?;
    let settings = &door.settings;
    let mut lease = door.budget.lease();
    let receiving = frame::receive(body, settings.body_bytes_max, &mut lease);
    let message = match tokio::time::timeout(settings.body_timeout, receiving).await {
        Ok(message) => message?,
        Err(_) => return Err(Refusal::TooSlow { seconds: settings.body_timeout.as_secs() }),
    };
    let packed = match (message.is_packed, encoding) {
        (true, decode::Encoding::Identity) => {
            return Err(Refusal::Frame("a packed message without a grpc-encoding"));
        }
        (true, encoding) => encoding,
        (false, _) => decode::Encoding::Identity,
    };
    take(door, &head.headers, (message.bytes, packed, Encoding::Protobuf), &mut lease).await
}

/// `application/grpc`, alone or with `+proto` or parameters behind it.
fn is_grpc(content_type: &[u8]) -> bool {
    content_type.strip_prefix(b"application/grpc").is_some_and(|rest| {
        matches!(rest, [] | [b';', ..] | b"+proto" | [b'+', b'p', b'r', b'o', b't', b'o', b';', ..])
    })
}

fn unknown(path: &str) -> Refusal {
    let other = OTHER_SIGNALS.iter().find(|(service, _)| path.starts_with(service));
    match other {
        Some((_, signal)) => Refusal::OtherSignal { signal },
        None => Refusal::UnknownCall { path: path.to_owned() },
    }
}

/// The time that a client gives a call: digits and a unit.
fn timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    let digits =
        std::str::from_utf8(digits).ok().filter(|digits| (1..=8).contains(&digits.len()))?;
    let number = u64::from(digits.parse::<u32>().ok()?);
    Some(match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

fn late() -> Status {
    let message = "the time of grpc-timeout is over; the records may have been stored".to_owned();
    Status { code: Code::DeadlineExceeded, message, retry_after: None }
}

/// An answer without a message: the status is in its headers.
fn refused(status: &Status) -> Response<Answer> {
    let mut response = Response::new(Answer::default());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, GRPC);
    headers.insert(STATUS, HeaderValue::from(status.code as u16));
    if let Ok(message) = HeaderValue::try_from(percent(&status.message)) {
        headers.insert(MESSAGE, message);
    }
    let details = STANDARD_NO_PAD.encode(status.encoded(Encoding::Protobuf));
    if let Ok(details) = HeaderValue::try_from(details) {
        headers.insert(DETAILS, details);
    }
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(ENCODINGS));
    response
}

fn accepted(taken: &Taken) -> Response<Answer> {
    let message = answer::success(taken, Encoding::Protobuf);
    let mut data = vec![0];
    // A message is a sentence: its length fits.
    data.extend_from_slice(&u32::try_from(message.len()).unwrap_or(0).to_be_bytes());
    data.extend_from_slice(&message);
    let trailers = HeaderMap::from_iter([(STATUS, HeaderValue::from_static("0"))]);
    let mut response = Response::new(Answer { data: Some(data.into()), trailers: Some(trailers) });
    response.headers_mut().insert(header::CONTENT_TYPE, GRPC);
    response
}

/// An answer to what is no gRPC.
fn bare(status: StatusCode) -> Response<Answer> {
    let mut response = Response::new(Answer::default());
    *response.status_mut() = status;
    response
}

/// A message as a header can carry it: bytes that are not printable ASCII, and `%`, as `%XX`.
fn percent(message: &str) -> String {
    let mut out = String::new();
    let short: String = message.chars().take(MESSAGE_CHARS_MAX).collect();
    for byte in short.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(char::from(byte)),
            // Writing to a string cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

/// The body of an answer: a message, then trailers; or nothing.
#[derive(Debug, Default)]
struct Answer {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = self.data.take().map(Frame::data);
        Poll::Ready(data.or_else(|| self.trailers.take().map(Frame::trailers)).map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        // Trailers are no part of it, and a length in the headers is not wanted.
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_is_grpc_of_protobuf() {
        for taken in [
            "application/grpc",
            "application/grpc+proto",
            "application/grpc;a=b",
            "application/grpc+proto;a=b",
        ] {
            assert!(is_grpc(taken.as_bytes()), "{taken}");
        }
        for other in ["", "application/json", "application/grpc+json", "application/grpc-web"] {
            assert!(!is_grpc(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn timeouts_have_a_unit() {
        assert_eq!(timeout(b"10S"), Some(Duration::from_secs(10)));
        assert_eq!(timeout(b"1H"), Some(Duration::from_secs(3600)));
        assert_eq!(timeout(b"250m"), Some(Duration::from_millis(250)));
        for bad in [&b""[..], b"S", b"10", b"10x", b"123456789S", b"-1S", b"+1S\xff"] {
            assert_eq!(timeout(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn messages_are_printable() {
        assert_eq!(percent("100 % é\n"), "100 %25 %C3%A9%0A");
        assert_eq!(percent(&"x".repeat(5000)).len(), MESSAGE_CHARS_MAX);
    }
}
