//! What does a server cost that does nothing but count? The floor under every figure.
//!
//! It reads each body and counts its lines, answering `{"accepted":n}`. Benchmarks of a gate are
//! quoted next to it, from the same run: what lies between the two is the gate's own work.
//!
//! With `--parse` it also turns each body into rows, and throws them away: what a server cannot do
//! without that looks at its events.
//!
//! ```sh
//! cargo run --release -p tidegate-load --example count_lines -- 127.0.0.1:8090 [--parse]
//! ```
//!
//! On SIGTERM or ctrl-c it prints one JSON object: events, requests, CPU seconds, peak RSS.

use std::cell::RefCell;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tidegate_event::json::{Format, Options, Parser};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Default)]
struct Counts {
    events: AtomicU64,
    requests: AtomicU64,
}

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8090".to_owned());
    let address: SocketAddr = address.parse().map_err(|error| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("{address}: {error}; write host:port"))
    })?;
    if !address.ip().is_loopback() {
        let reason = format!("{address} is no loopback address: anyone could send to it");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    let parses = std::env::args().nth(2).is_some_and(|option| option == "--parse");
    let serving = serve(address, parses);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serving)
}

async fn serve(address: SocketAddr, parses: bool) -> io::Result<()> {
    let counts = Arc::new(Counts::default());
    let answer = if parses { post(parse) } else { post(count) };
    let router = Router::new()
        .fallback(answer)
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::clone(&counts));
    let listener = TcpListener::bind(address).await?;
    writeln!(io::stderr(), "counting lines at http://{}/", listener.local_addr()?)?;
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        served = async { axum::serve(listener, router).await } => served?,
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let report = serde_json::json!({
        "events": counts.events.load(Ordering::Relaxed),
        "requests": counts.requests.load(Ordering::Relaxed),
        "cpu_seconds": cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9,
        "peak_rss_bytes": peak_rss(),
    });
    writeln!(io::stdout(), "{report}")
}

async fn count(State(counts): State<Arc<Counts>>, body: Body) -> Response {
    let mut body = std::pin::pin!(body);
    let mut lines = 0_u64;
    // Frame by frame: joining them first would be work that a floor need not do.
    while let Some(frame) = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await
    {
        let Ok(frame) = frame else { return StatusCode::BAD_REQUEST.into_response() };
        if let Ok(bytes) = frame.into_data() {
            lines += memchr::memchr_iter(b'\n', &bytes).count() as u64;
        }
    }
    accepted(&counts, lines)
}

fn accepted(counts: &Counts, events: u64) -> Response {
    counts.events.fetch_add(events, Ordering::Relaxed);
    counts.requests.fetch_add(1, Ordering::Relaxed);
    let json = [(header::CONTENT_TYPE, "application/json")];
    (json, format!("{{\"accepted\":{events}}}")).into_response()
}

thread_local! {
    static PARSER: RefCell<Parser> = RefCell::default();
}

async fn parse(State(counts): State<Arc<Counts>>, body: Bytes) -> Response {
    let parsed = PARSER
        .with_borrow_mut(|parser| parser.parse(&body, Format::Ndjson, &Options::default()))
        .map(|parsed| std::hint::black_box(parsed).accepted);
    match parsed {
        Ok(events) => accepted(&counts, events),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

/// The most memory it had at once, as Linux tells; null elsewhere.
fn peak_rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}
