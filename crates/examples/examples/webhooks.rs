//! Webhooks: each customer has an endpoint, a queue and a batch size of its own, and a dead one
//! holds up nobody else. What cannot be delivered goes to the dead letters, with the reason.
//!
//! `cargo run -p tidegate-examples --example webhooks`
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "an example"
)]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::StatusCode;
use axum::routing::post;
use axum::{Router, serve};
use tidegate::batcher::{Answer, GivenUp, Keys, Retries};
use tidegate::retry::{Backoff, Budget, Limits};
use tidegate::{Batcher, Outcome, breaker};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// An event, cheap to clone: retries and dead letters keep one.
type Event = Arc<str>;

async fn deliver(server: SocketAddr, path: String, events: Vec<Event>) -> Answer {
    match tidegate_examples::post(server, &path, format!("[{}]", events.join(","))).await {
        Ok(answered) if answered.status < 300 => Answer::ok(),
        Ok(answered) if answered.status >= 500 => {
            Answer::failed(Outcome::Overloaded, answered.status)
        }
        Ok(answered) => Answer::failed(Outcome::Rejected, answered.status),
        Err(error) => Answer::failed(Outcome::Unreachable, error),
    }
}

/// Runs the example to its end.
#[tokio::main]
pub async fn main() -> Result<(), Error> {
    let received = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&received);
    let well = post(move |body: String| async move {
        count.fetch_add(body.matches("event").count(), Ordering::SeqCst);
        StatusCode::OK
    });
    let dead = post(|| async { StatusCode::BAD_GATEWAY });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addr()?;
    let app = Router::new().route("/well/{customer}", well).route("/dead", dead);
    let serving = tokio::spawn(serve(listener, app).into_future());

    let letters = Arc::new(Mutex::new(Vec::new()));
    let dead_letters = Arc::clone(&letters);
    let retries = Retries {
        backoff: Backoff::new(Duration::from_millis(5), Duration::from_millis(20))?,
        budget: Budget::new(1.0, 100.0, 100.0)?,
        limits: Limits { attempts_max: Some(3), age_max: Some(Duration::from_secs(10)) },
    };
    let outage = breaker::Settings {
        open: Duration::from_millis(20),
        open_max: Duration::from_millis(50),
        ..breaker::Settings::default()
    };
    let hooks = Batcher::builder()
        .queue_items(500) // of each customer: one cannot fill the memory of all
        .retries(retries)
        .breaker(outage)
        .on_given_up(move |events: Vec<GivenUp<Event>>| dead_letters.lock().unwrap().extend(events))
        .keyed(Keys { attempts: 8, ..Keys::default() }, move |customer: &u32| {
            let path = match customer {
                0 => "/dead".to_owned(),
                other => format!("/well/{other}"),
            };
            move |events: Vec<Event>| deliver(server, path.clone(), events)
        })?;
    for n in 0..1_000 {
        let event = format!("{{\"event\":{n}}}").into();
        hooks.add(n % 10, event).await?;
    }
    let totals = hooks.close().await;
    assert_eq!((totals.delivered, totals.failed), (900, 100));
    assert_eq!(received.load(Ordering::SeqCst), 900);
    let letters = letters.lock().unwrap();
    assert_eq!(letters.len(), 100);
    println!("{} delivered; of {}: {}", totals.delivered, letters[0].item, letters[0].why);
    serving.abort();
    Ok(())
}
