//! An API that takes 20 requests a second: `pace` keeps to what is known, and retries with the
//! server's own `Retry-After` deal with what is not.
//!
//! `cargo run -p tidegate-examples --example rate_limited_api`
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "an example"
)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Router, serve};
use tidegate::batcher::{Answer, Retries};
use tidegate::retry::{Backoff, Budget, Limits};
use tidegate::{Batcher, Outcome};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A server with a bucket of tokens, as many APIs have one.
struct Api {
    tokens: f64,
    at: Instant,
    documents: usize,
    refused: usize,
}

async fn take(State(api): State<Arc<Mutex<Api>>>, body: String) -> impl IntoResponse {
    let mut api = api.lock().unwrap();
    let now = Instant::now();
    api.tokens = (api.tokens + now.duration_since(api.at).as_secs_f64() * 20.0).min(5.0);
    api.at = now;
    if api.tokens < 1.0 {
        api.refused += 1;
        return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0.1")]).into_response();
    }
    api.tokens -= 1.0;
    api.documents += body.lines().count();
    StatusCode::OK.into_response()
}

async fn send(server: SocketAddr, documents: Vec<String>) -> Answer {
    match tidegate_examples::post(server, "/documents", documents.join("\n")).await {
        Ok(answered) => match answered.status {
            200 => Answer::ok(),
            429 => {
                let retry_after = answered.retry_after;
                Answer::failed(Outcome::Throttled { retry_after }, "429 Too Many Requests")
            }
            413 => Answer::failed(Outcome::TooLarge, "413 Payload Too Large"),
            status if status >= 500 => Answer::failed(Outcome::Overloaded, status),
            status => Answer::failed(Outcome::Rejected, status),
        },
        Err(error) => Answer::failed(Outcome::Unreachable, error),
    }
}

/// Runs the example to its end.
#[tokio::main]
pub async fn main() -> Result<(), Error> {
    let api = Api { tokens: 5.0, at: Instant::now(), documents: 0, refused: 0 };
    let api = Arc::new(Mutex::new(api));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addr()?;
    let app = Router::new().route("/documents", post(take)).with_state(Arc::clone(&api));
    let serving = tokio::spawn(serve(listener, app).into_future());

    let retries = Retries {
        backoff: Backoff::new(Duration::from_millis(20), Duration::from_secs(1))?,
        budget: Budget::new(1.0, 100.0, 100.0)?,
        limits: Limits::default(), // a limit of the rate is no reason to give an item up
    };
    let batcher = Batcher::builder()
        .pace(18.0) // a little below the limit, for the clock is not the server's
        .linger(Duration::from_millis(50)) // requests are scarce, so each should be full
        .retries(retries)
        .build(move |documents: Vec<String>| send(server, documents))?;
    for n in 0..3_000 {
        batcher.add(format!("{{\"document\":{n}}}")).await?;
    }
    let stats = batcher.close().await;
    let api = api.lock().unwrap();
    assert_eq!((stats.delivered, stats.failed, api.documents), (3_000, 0, 3_000));
    println!("3000 documents in {} requests, {} refused", stats.counters.attempts, api.refused);
    serving.abort();
    Ok(())
}
