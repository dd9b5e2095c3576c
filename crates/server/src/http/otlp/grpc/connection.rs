//! How long does a gRPC connection stay? As long as calls come on it.
//!
//! One connection carries many calls and is meant to be kept, so nothing ends it between them but
//! a long silence. The first call must come as soon as the head of an HTTP request would have to. A
//! client that speaks HTTP/1 here has mistaken the port and is told so, as HTTP.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::call;
use crate::http::Door;
use crate::http::listener::{Limits, stopped};
use crate::http::stall::Unstalled;
use crate::http::tls;

/// Calls at once on one connection.
const CALLS_MAX: u32 = 128;
/// Bytes of one call, and of all calls of a connection, that may be on their way unread. They are
/// read at once, into memory that is leased, or the call is refused.
const CALL_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 2 << 20;
/// The largest frame: a batch of some hundred records fits.
const FRAME_BYTES_MAX: u32 = 128 << 10;
/// Headers of a call, in bytes.
const HEADERS_BYTES_MAX: u32 = 16 << 10;
/// How long a connection is kept without a call.
const IDLE: Duration = Duration::from_secs(300);
/// How often a silent client is asked whether it is still there.
const PING: Duration = Duration::from_secs(30);

/// What every connection of HTTP/2 begins with (RFC 9113, section 3.4).
const PREFACE: &[u8; 4] = b"PRI ";
/// What a client that speaks HTTP/1 is told.
const HTTP_2_REQUIRED: &str = "{\"code\":12,\"message\":\"this port takes OpenTelemetry logs over gRPC; \
                               OTLP over HTTP has a port of its own, 4318 by default\"}\n";

/// Waits for the first bytes of a client, and tells one that speaks HTTP/1 that it is wrong here.
///
/// # Errors
///
/// Why there is no connection.
pub(in crate::http) async fn speaks_http_2(
    stream: &mut TcpStream,
    limit: Duration,
) -> io::Result<()> {
    let looking = async {
        let mut first = [0; PREFACE.len()];
        // Less than that is not waited for: what comes then is looked at by who reads it.
        let seen = stream.peek(&mut first).await?;
        if first.get(..seen) == PREFACE.get(..seen) {
            return Ok(());
        }
        if first.first().is_some_and(u8::is_ascii_uppercase) {
            tls::answer_in_clear(stream, HTTP_2_REQUIRED).await?;
        }
        Err(io::Error::other("no HTTP/2 on a port that speaks gRPC"))
    };
    let late = |_| Err(io::Error::new(io::ErrorKind::TimedOut, "nothing came in time"));
    tokio::time::timeout(limit, looking).await.unwrap_or_else(late)
}

/// Answers the calls of one connection until it ends.
pub(in crate::http) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    door: Arc<Door>,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) {
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let service = service_fn(move |request| {
        counted.fetch_add(1, Ordering::Relaxed);
        let door = Arc::clone(&door);
        async move { Ok::<_, Infallible>(call(&door, request).await) }
    });
    let stream = Unstalled::new(stream, limits.header_timeout);
    let mut connection = pin!(
        http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(CALLS_MAX)
            .initial_stream_window_size(CALL_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_frame_size(FRAME_BYTES_MAX)
            .max_header_list_size(HEADERS_BYTES_MAX)
            .keep_alive_interval(PING)
            .keep_alive_timeout(limits.header_timeout)
            .serve_connection(TokioIo::new(stream), service)
    );
    let mut silence = pin!(tokio::time::sleep(limits.header_timeout));
    let (mut seen, mut leaving) = (0, false);
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "gRPC connection ended");
                }
                return;
            }
            () = stopped(&mut stop), if !leaving => {}
            () = silence.as_mut() => {
                let now = calls.load(Ordering::Relaxed);
                if leaving {
                    return;
                }
                if now > seen {
                    seen = now;
                    silence.set(tokio::time::sleep(IDLE));
                    continue;
                }
            }
        }
        // Calls in flight are finished; a client that stays nevertheless is left.
        leaving = true;
        connection.as_mut().graceful_shutdown();
        silence.set(tokio::time::sleep(limits.header_timeout));
    }
}
