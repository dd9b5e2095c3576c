//! What is a sender told, in its own encoding?
//!
//! Success is an `ExportLogsServiceResponse`, with a `partial_success` in it when records were
//! rejected. A refusal is a `google.rpc.Status`, whose code says whether the same request may
//! succeed later; if so, a `RetryInfo` in it says when. Both messages have a handful of fields, so
//! they are written by hand.

use serde_json::json;
use tidegate_event::otlp::Encoding;

use super::Taken;
use crate::http::refusal::Refusal;

/// The type of the detail that says when to come back.
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// A gRPC status code: <https://grpc.io/docs/guides/status-codes/>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Code {
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    Unimplemented = 12,
    Unavailable = 14,
    Unauthenticated = 16,
}

/// Why a request was refused, as the protocol says it.
#[derive(Debug)]
pub(in crate::http) struct Status {
    pub(in crate::http) code: Code,
    pub(in crate::http) message: String,
    /// Seconds after which the same request may succeed.
    pub(in crate::http) retry_after: Option<u32>,
}

impl From<&Refusal> for Status {
    fn from(refusal: &Refusal) -> Self {
        let code = match refusal.status().0.as_u16() {
            401 => Code::Unauthenticated,
            404 | 405 | 415 => Code::Unimplemented,
            // Everything that may succeed later.
            408 | 429 | 503 => Code::Unavailable,
            _ => Code::InvalidArgument,
        };
        Self { code, message: refusal.to_string(), retry_after: refusal.retry_after() }
    }
}

impl Status {
    /// The message in this encoding.
    pub(in crate::http) fn encoded(&self, encoding: Encoding) -> Vec<u8> {
        match encoding {
            Encoding::Protobuf => self.protobuf(),
            Encoding::Json => {
                let details: Vec<_> = self.retry_after.iter().map(|seconds| {
                    json!({ "@type": RETRY_INFO, "retryDelay": format!("{seconds}s") })
                }).collect();
                let status = json!({
                    "code": self.code as u8, "message": self.message, "details": details,
                });
                status.to_string().into_bytes()
            }
        }
    }

    fn protobuf(&self) -> Vec<u8> {
        let mut status = Vec::new();
        integer(1, self.code as u64, &mut status);
        bytes(2, self.message.as_bytes(), &mut status);
        if let Some(seconds) = self.retry_after {
            let (mut delay, mut info, mut detail) = (Vec::new(), Vec::new(), Vec::new());
            integer(1, seconds.into(), &mut delay);
            bytes(1, &delay, &mut info);
            bytes(1, RETRY_INFO.as_bytes(), &mut detail);
            bytes(2, &info, &mut detail);
            bytes(3, &detail, &mut status);
        }
        status
    }
}

/// The answer to a request that was accepted.
pub(super) fn success(taken: &Taken, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Protobuf if taken.rejected == 0 => Vec::new(),
        Encoding::Protobuf => {
            let (mut partial, mut response) = (Vec::new(), Vec::new());
            integer(1, taken.rejected, &mut partial);
            bytes(2, taken.why.as_bytes(), &mut partial);
            bytes(1, &partial, &mut response);
            response
        }
        Encoding::Json if taken.rejected == 0 => b"{}".to_vec(),
        Encoding::Json => {
            let (rejected, why) = (taken.rejected.to_string(), &taken.why);
            let partial = json!({ "rejectedLogRecords": rejected, "errorMessage": why });
            json!({ "partialSuccess": partial }).to_string().into_bytes()
        }
    }
}

/// Appends a field that is a number, unless it is 0.
fn integer(field: u64, value: u64, out: &mut Vec<u8>) {
    if value != 0 {
        varint(field << 3, out);
        varint(value, out);
    }
}

/// Appends a field that is a string, bytes or a message.
fn bytes(field: u64, value: &[u8], out: &mut Vec<u8>) {
    varint(field << 3 | 2, out);
    varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
