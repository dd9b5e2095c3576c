//! Why was a request refused, with which status, and what can its sender do?
//!
//! The status is kept faithful, because clients act on it: 4xx means that the same request can
//! never succeed, but for 408; that and 503 mean that it may later, and always say when with
//! `Retry-After`. The body is one shape for all:
//!
//! ```json
//! {"error": {"code": "bad_lines", "message": "…", "total": 1, "lines": [{"line": 2, "reason": "…"}]}}
//! ```

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use tidegate_event::json::{BadLine, ParseError, Place, Rejected};
use tidegate_event::otlp;
use tidegate_journal::{Advice, AppendError};

use super::budget::Exhausted;

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(
        "this server asks for its token: send `Authorization: Bearer <token>` with the token of \
         its configuration"
    )]
    Unauthorized,
    #[error(
        "content type {name:?} is not taken: send NDJSON as `application/x-ndjson`, a JSON object \
         or array as `application/json`, or lines as `text/plain`"
    )]
    UnknownContentType { name: String },
    #[error("content encoding {name:?} is not taken: send `gzip`, `zstd` or none")]
    UnknownEncoding { name: String },
    #[error("the body is not valid {name} ({why}): was it cut off?")]
    BrokenEncoding { name: &'static str, why: String },
    #[error("the body has more than {max} bytes: send smaller requests")]
    TooLarge { max: usize },
    #[error("the body unpacks to more than {max} bytes: send smaller requests")]
    UnpacksTooLarge { max: usize },
    #[error("the body did not arrive within {seconds} s")]
    TooSlow { seconds: u64 },
    #[error("the body broke off: {0}")]
    BrokeOff(String),
    #[error("the query is not understood: {0}; known are partial, class and service")]
    Query(String),
    #[error(
        "the Idempotency-Key is not taken: send one, of 1 to 255 visible ASCII characters without \
         blanks"
    )]
    BadKey,
    #[error(
        "this Idempotency-Key belongs to another request (body, content type or query differ): \
         choose a new key for each request, and repeat a request unchanged"
    )]
    KeyTaken,
    #[error(transparent)]
    Events(#[from] ParseError),
    #[error("too much is being received at once: retry shortly")]
    Overloaded,
    #[error(transparent)]
    Journal(#[from] AppendError),
    #[error(
        "sink `{sink}` has filled its share of the journal ({bytes} of {bytes_max} bytes): retry when \
         it has taken more"
    )]
    Held { sink: std::sync::Arc<str>, bytes: u64, bytes_max: u64 },
    #[error(
        "there is nothing at {path}: events go to POST /v1/events, figures are at /api/metrics"
    )]
    NoSuchPath { path: String },
    #[error("the query is not understood: {why}; known are {known}")]
    UnknownQuery { why: String, known: &'static str },
    #[error("{field} is {value}, but must be between {least} and {most}")]
    OutOfBounds { field: &'static str, value: u64, least: u64, most: u64 },
    #[error("there is no lane {name}; known are {known}")]
    NoSuchLane { name: String, known: String },
    #[error(
        "there are {max} watchers already, which is the bound: close a page, or raise \
         dashboard.watchers_max"
    )]
    TooManyWatchers { max: u32 },
    #[error(
        "refused: the page that asks is of {origin} and not of this server; open the server's own \
         pages, by its address or with a token set, or use the command"
    )]
    ForeignOrigin { origin: String },
    #[error("{method} is not taken at {path}")]
    Method { method: String, path: String },
    #[error(transparent)]
    Export(#[from] otlp::ParseError),
    #[error(
        "content type {name:?} is not taken: send logs as `application/x-protobuf` or \
         `application/json`"
    )]
    OtlpContentType { name: String },
    #[error("the call carries {0}: send one ExportLogsServiceRequest")]
    Frame(&'static str),
    #[error("{signal} are not accepted: this server takes OpenTelemetry logs, and only those")]
    OtherSignal { signal: &'static str },
    #[error(
        "{method} {path} is not taken: this port takes OpenTelemetry logs at POST /v1/logs, and \
         gRPC on another port"
    )]
    OtlpPath { method: String, path: String },
    #[error(
        "there is no call {path}: OpenTelemetry logs go to \
         /opentelemetry.proto.collector.logs.v1.LogsService/Export"
    )]
    UnknownCall { path: String },
}

impl From<Exhausted> for Refusal {
    fn from(Exhausted: Exhausted) -> Self {
        Self::Overloaded
    }
}

impl Refusal {
    /// Status, and a code for programs.
    pub(crate) fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::UnknownContentType { .. } => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unknown_content_type")
            }
            Self::UnknownEncoding { .. } => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unknown_encoding")
            }
            Self::BrokenEncoding { .. } => (StatusCode::BAD_REQUEST, "broken_encoding"),
            Self::TooLarge { .. } | Self::UnpacksTooLarge { .. } => {
                (StatusCode::PAYLOAD_TOO_LARGE, "too_large")
            }
            Self::TooSlow { .. } => (StatusCode::REQUEST_TIMEOUT, "too_slow"),
            Self::BrokeOff(_) => (StatusCode::BAD_REQUEST, "broke_off"),
            Self::Query(_) => (StatusCode::BAD_REQUEST, "unknown_query"),
            Self::BadKey => (StatusCode::BAD_REQUEST, "bad_idempotency_key"),
            Self::KeyTaken => (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_taken"),
            Self::Events(error) => events_status(error),
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
            Self::Journal(error) => journal_status(error),
            Self::Held { .. } => (StatusCode::SERVICE_UNAVAILABLE, "sink_full"),
            Self::NoSuchPath { .. } => (StatusCode::NOT_FOUND, "no_such_path"),
            Self::UnknownQuery { .. } => (StatusCode::BAD_REQUEST, "unknown_query"),
            Self::OutOfBounds { .. } => (StatusCode::BAD_REQUEST, "out_of_bounds"),
            Self::NoSuchLane { .. } => (StatusCode::NOT_FOUND, "no_such_lane"),
            Self::TooManyWatchers { .. } => (StatusCode::SERVICE_UNAVAILABLE, "too_many_watchers"),
            Self::ForeignOrigin { .. } => (StatusCode::FORBIDDEN, "foreign_origin"),
            Self::Method { .. } => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::Export(error) => export_status(error),
            Self::OtlpContentType { .. } => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unknown_content_type")
            }
            Self::Frame(_) => (StatusCode::BAD_REQUEST, "bad_frame"),
            Self::OtherSignal { .. } => (StatusCode::NOT_FOUND, "not_accepted"),
            Self::OtlpPath { .. } | Self::UnknownCall { .. } => {
                (StatusCode::NOT_FOUND, "no_such_path")
            }
        }
    }

    /// Seconds after which the same request may succeed.
    pub(crate) fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Export(otlp::ParseError::NoRoom) => Some(1),
            Self::Overloaded | Self::TooSlow { .. } | Self::Held { .. } => Some(1),
            Self::TooManyWatchers { .. } => Some(5),
            Self::Journal(error) => match error {
                AppendError::NoSpace { .. } => Some(5),
                error if error.advice() == Advice::FixInput => None,
                _ => Some(1),
            },
            _ => None,
        }
    }

    fn body(&self, code: &str) -> Value {
        let mut error = json!({ "code": code, "message": self.to_string() });
        if let Self::Events(ParseError::Refused { rejected }) = self {
            error["total"] = json!(rejected.total);
            error["lines"] = json!(listed(rejected));
        }
        json!({ "error": error })
    }
}

fn export_status(error: &otlp::ParseError) -> (StatusCode, &'static str) {
    use otlp::ParseError;
    match error {
        ParseError::Protobuf { .. } | ParseError::Json { .. } => {
            (StatusCode::BAD_REQUEST, "malformed")
        }
        ParseError::TooMany { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_many_events"),
        ParseError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        ParseError::NoRoom => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
    }
}

fn events_status(error: &ParseError) -> (StatusCode, &'static str) {
    match error {
        ParseError::Empty => (StatusCode::BAD_REQUEST, "empty"),
        ParseError::Refused { .. } => (StatusCode::BAD_REQUEST, "bad_lines"),
        ParseError::TooMany { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_many_events"),
        ParseError::Malformed { .. } => (StatusCode::BAD_REQUEST, "malformed"),
        ParseError::DefaultTooLong { .. } => (StatusCode::BAD_REQUEST, "default_too_long"),
    }
}

fn journal_status(error: &AppendError) -> (StatusCode, &'static str) {
    let code = match error {
        AppendError::Full { .. } => "journal_full",
        AppendError::Busy { .. } => "journal_busy",
        AppendError::NoSpace { .. } => "no_space",
        AppendError::NoSegment { .. } => "no_segment",
        AppendError::TooLarge { .. } => return (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        AppendError::Closed => "stopping",
        _ => "journal_failed",
    };
    (StatusCode::SERVICE_UNAVAILABLE, code)
}

/// One bad event, as an answer lists it.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    element: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u64>,
    reason: String,
}

/// The bad events of a request, as an answer lists them.
pub(super) fn listed(rejected: &Rejected) -> Vec<Listed> {
    let list = |bad: &BadLine| {
        let (line, element) = match bad.place {
            Place::Line(line) => (Some(line), None),
            Place::Element(element) => (None, Some(element)),
        };
        Listed { line, element, column: bad.column, reason: bad.reason.to_string() }
    };
    rejected.first.iter().map(list).collect()
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code) = self.status();
        let mut response = (status, Json(self.body(code))).into_response();
        if let Some(seconds) = self.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
