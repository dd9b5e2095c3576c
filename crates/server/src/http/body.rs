//! How is a body received? Within its bound, the time allowed, and the budget of all.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use super::budget::Lease;
use super::refusal::Refusal;

/// Receives the whole body.
pub(super) async fn receive(
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
    timeout: Duration,
    lease: &mut Lease,
) -> Result<Bytes, Refusal> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok().and_then(|length| length.parse::<usize>().ok()));
    if announced.is_some_and(|length| length > bytes_max) {
        return Err(Refusal::TooLarge { max: bytes_max });
    }
    let receiving = collect(body, announced.unwrap_or(0), bytes_max, lease);
    match tokio::time::timeout(timeout, receiving).await {
        Ok(received) => received,
        Err(_) => Err(Refusal::TooSlow { seconds: timeout.as_secs() }),
    }
}

async fn collect(
    mut body: Body,
    announced: usize,
    bytes_max: usize,
    lease: &mut Lease,
) -> Result<Bytes, Refusal> {
    lease.grow_to(announced)?;
    let mut whole: Option<Bytes> = None;
    let mut pieces = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal::BrokeOff(error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        let length = whole.as_ref().map_or(pieces.len(), Bytes::len) + data.len();
        if length > bytes_max {
            return Err(Refusal::TooLarge { max: bytes_max });
        }
        lease.grow_to(length)?;
        // A body that came in one piece is not copied.
        if pieces.is_empty() && whole.is_none() {
            whole = Some(data);
            continue;
        }
        if let Some(first) = whole.take() {
            pieces.reserve(announced.max(length));
            pieces.extend_from_slice(&first);
        }
        pieces.extend_from_slice(&data);
    }
    Ok(whole.unwrap_or_else(|| pieces.freeze()))
}
