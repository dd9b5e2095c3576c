//! How does one call at a time cross one connection of HTTP/2?
//!
//! As over HTTP/1, and told in the same terms: a status of gRPC becomes the one of HTTP that asks
//! for the same of a client, so that what follows from an answer is decided in one place.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Request};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;

use crate::answer::{Answer, MAX_ANSWER};
use crate::connection::Failure;
use crate::otlp;

/// Bytes that may be on their way to us unread: answers are short.
const WINDOW_BYTES: u32 = 1 << 20;

/// A connection that calls are made on.
pub(crate) struct Caller {
    sender: SendRequest<Bytes>,
    /// Moves its bytes.
    mover: JoinHandle<()>,
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.mover.abort();
    }
}

impl Caller {
    /// Shakes hands.
    pub(crate) async fn new(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> io::Result<Self> {
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(WINDOW_BYTES).enable_push(false);
        let (sender, connection) = builder.handshake(stream).await.map_err(io::Error::other)?;
        let mover = tokio::spawn(async move {
            // What ended it is told by the call that it cut short.
            let _ = connection.await;
        });
        Ok(Self { sender, mover })
    }

    /// Makes a call and waits for its end.
    pub(crate) async fn exchange(
        &mut self,
        head: Request<()>,
        message: &[u8],
    ) -> Result<Answer, Failure> {
        let broken = |error: h2::Error| Failure::Broken(io::Error::other(error));
        ready(&mut self.sender).await.map_err(broken)?;
        let (answer, mut sending) = self.sender.send_request(head, false).map_err(broken)?;
        sending.send_data(Bytes::copy_from_slice(message), true).map_err(broken)?;
        let (head, mut body) = answer.await.map_err(broken)?.into_parts();
        let mut received = Vec::new();
        while let Some(data) = body.data().await {
            let data = data.map_err(broken)?;
            if received.len() + data.len() > MAX_ANSWER {
                return Err(Failure::Bad(crate::answer::BadAnswer::TooLong));
            }
            body.flow_control().release_capacity(data.len()).map_err(broken)?;
            received.extend_from_slice(&data);
        }
        let trailers = body.trailers().await.map_err(broken)?.unwrap_or_default();
        Ok(answer_of(head.status.as_u16(), &head.headers, &trailers, &received))
    }
}

async fn ready(sender: &mut SendRequest<Bytes>) -> Result<(), h2::Error> {
    std::future::poll_fn(|context| sender.poll_ready(context)).await
}

/// An answer in the terms of HTTP.
fn answer_of(http: u16, headers: &HeaderMap, trailers: &HeaderMap, body: &[u8]) -> Answer {
    let text = |name: &str| {
        let found = trailers.get(name).or_else(|| headers.get(name));
        found.and_then(|value| value.to_str().ok())
    };
    let code = text("grpc-status").and_then(|code| code.parse::<u16>().ok());
    let status = match (http, code) {
        (200, Some(0)) => 200,
        // Nothing was stored, and it may be later.
        (200, Some(8 | 14)) => 503,
        // It may have been stored, or not.
        (200, Some(1 | 2 | 4 | 10 | 13)) => 500,
        (200, Some(7)) => 403,
        (200, Some(12)) => 501,
        (200, Some(16)) => 401,
        (200, Some(_)) => 400,
        (200, None) => 500,
        (other, _) => other,
    };
    let retry_after = (status == 503).then_some(Duration::from_secs(1));
    let body = if status == 200 {
        body.get(otlp::PREFIX..).unwrap_or_default().to_vec()
    } else {
        text("grpc-message").unwrap_or("(no message)").as_bytes().to_vec()
    };
    Answer { status, retry_after, close: false, body, used: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_of_grpc_are_said_in_terms_of_http() {
        let answer = |code: &str, body: &[u8]| {
            let trailers = HeaderMap::from_iter([
                (http::HeaderName::from_static("grpc-status"), code.parse().unwrap()),
                (http::HeaderName::from_static("grpc-message"), "why".parse().unwrap()),
            ]);
            answer_of(200, &HeaderMap::new(), &trailers, body)
        };
        let good = answer("0", &[0, 0, 0, 0, 2, 7, 8]);
        assert_eq!((good.status, &good.body[..]), (200, &[7, 8][..]));
        for (code, status) in
            [("3", 400), ("4", 500), ("8", 503), ("12", 501), ("14", 503), ("16", 401)]
        {
            let answer = answer(code, &[]);
            assert_eq!((answer.status, &answer.body[..]), (status, &b"why"[..]), "{code}");
        }
        assert_eq!(answer_of(415, &HeaderMap::new(), &HeaderMap::new(), &[]).status, 415);
    }
}
