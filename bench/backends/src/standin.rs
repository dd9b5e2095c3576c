//! What does an HTTP API of known speed look like? *k* workers that take one request at a time, in
//! *a* + *b*·n for a request of n items; requests beyond that queue in the order they came.
//!
//! It runs in a process of its own, as an API does, and reads every byte of the body. Workers are
//! threads that sleep: the stand-in takes almost nothing of the two cores it shares with the
//! client, so what is measured is the plan, and the time of a request is exact to a tenth of a
//! millisecond. On request it limits itself: a token bucket that answers 429 with Retry-After, and
//! 413 above a number of items. `PUT /factor` makes every request that many times slower.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use tidegate_sim::backend::limits::Bucket;
use tidegate_sim::scenario::backend::RateLimit;
use tokio::sync::oneshot;

use crate::child;
use crate::clock::Clock;

/// Requests that may queue: more than any client of ours sends.
const QUEUE: usize = 1024;
/// Bytes of a body: 100,000 items.
const BODY_MAX: usize = 32 << 20;
/// The header that says how many items a request has; without it, lines are counted.
pub(crate) const ITEMS: &str = "x-items";

/// How it serves.
#[derive(Debug, Clone, Copy, PartialEq, clap::Args)]
pub(crate) struct Service {
    /// Fixed time of a request, in milliseconds
    #[arg(long, default_value_t = 20.0)]
    pub http_base_ms: f64,
    /// Time of an item, in microseconds
    #[arg(long, default_value_t = 20.0)]
    pub http_item_us: f64,
    /// Requests served at once
    #[arg(long, default_value_t = 4)]
    pub http_workers: u32,
    /// Requests a second that are let in, with a burst of a quarter of that; the rest hear 429
    #[arg(long)]
    pub http_rate: Option<f64>,
    /// Seconds that a 429 asks to wait
    #[arg(long, default_value_t = 1)]
    pub http_retry_after_s: u32,
    /// Items of a request above which it hears 413
    #[arg(long)]
    pub http_items_max: Option<u32>,
}

impl Service {
    /// Time of a request of `items` items, `factor` times slower.
    fn time(&self, items: u32, factor: f64) -> Duration {
        let micros = self.http_base_ms * 1e3 + self.http_item_us * f64::from(items);
        Duration::try_from_secs_f64(micros * factor / 1e6).unwrap_or_default()
    }

    /// What it takes at most, with batches without an end.
    pub(crate) fn items_per_second_max(&self) -> f64 {
        let by_items = f64::from(self.http_workers) * 1e6 / self.http_item_us.max(0.1);
        let by_requests = self.http_rate.map_or(f64::INFINITY, |rate| rate * 20e3);
        by_items.min(by_requests).min(2e6)
    }

    fn limit(&self) -> Option<RateLimit> {
        self.http_rate.map(|rate| RateLimit {
            requests_per_s: rate,
            burst: (rate / 4.0).max(1.0),
            retry_after_s: Some(f64::from(self.http_retry_after_s)),
        })
    }

    /// The arguments that make a child serve like this.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            format!("--http-base-ms={}", self.http_base_ms),
            format!("--http-item-us={}", self.http_item_us),
            format!("--http-workers={}", self.http_workers),
            format!("--http-retry-after-s={}", self.http_retry_after_s),
        ];
        arguments.extend(self.http_rate.map(|rate| format!("--http-rate={rate}")));
        arguments.extend(self.http_items_max.map(|max| format!("--http-items-max={max}")));
        arguments
    }
}

struct Shared {
    service: Service,
    /// The bits of a float.
    factor: AtomicU64,
    bucket: Option<Mutex<Bucket>>,
    queue: SyncSender<Job>,
    clock: Clock,
    /// Items of requests that were served.
    taken: AtomicU64,
}

struct Job {
    time: Duration,
    done: oneshot::Sender<()>,
}

/// In a child: serves until the parent wants it to end.
pub(crate) fn run(service: Service) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (address, serving) = serve(service).await?;
        child::ready(&address.to_string())?;
        tokio::select! {
            served = serving => served,
            ended = tokio::task::spawn_blocking(child::wait_for_the_end) => Ok(ended?),
        }
    })?;
    // A request that is being served keeps nobody here.
    runtime.shutdown_background();
    Ok(())
}

/// Binds to a free port of the loopback; the future serves.
async fn serve(
    service: Service,
) -> anyhow::Result<(SocketAddr, impl Future<Output = anyhow::Result<()>>)> {
    let (queue, jobs) = sync_channel(QUEUE);
    let jobs = Arc::new(Mutex::new(jobs));
    for _ in 0..service.http_workers {
        let jobs = Arc::clone(&jobs);
        std::thread::Builder::new().name("worker".into()).spawn(move || work(&jobs))?;
    }
    let shared = Arc::new(Shared {
        service,
        factor: AtomicU64::new(1_f64.to_bits()),
        bucket: service.limit().map(|limit| Mutex::new(Bucket::new(limit))),
        queue,
        clock: Clock::start(),
        taken: AtomicU64::new(0),
    });
    let app = Router::new()
        .route("/items", post(take))
        .route("/factor", put(slow_down))
        .route("/taken", get(taken))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(shared);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        // Without it an answer may wait for an acknowledgement, which is not the service's time.
        let _ = stream.set_nodelay(true);
    });
    let serving = async move { axum::serve(listener, app).await.context("the stand-in broke") };
    Ok((address, serving))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a worker that is busy for that long is what the stand-in is made of"
)]
fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        std::thread::sleep(job.time);
        // A client that gave up is not told; the work was done all the same.
        let _ = job.done.send(());
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let said = headers.get(ITEMS).and_then(|items| items.to_str().ok()?.parse::<u32>().ok());
    // A client that does not say so has sent lines.
    let items = said.unwrap_or_else(|| lines(&body));
    drop(body);
    if let Some(bucket) = &shared.bucket {
        let taken = bucket.lock().unwrap_or_else(PoisonError::into_inner).take(shared.clock.now());
        if taken.is_err() {
            let wait = shared.service.http_retry_after_s.to_string();
            let headers = [(header::RETRY_AFTER, wait)];
            return (StatusCode::TOO_MANY_REQUESTS, headers).into_response();
        }
    }
    if shared.service.http_items_max.is_some_and(|max| items > max) {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    let factor = f64::from_bits(shared.factor.load(Ordering::Relaxed));
    let (done, served) = oneshot::channel();
    match shared.queue.try_send(Job { time: shared.service.time(items, factor), done }) {
        Ok(()) => {}
        Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    }
    match served.await {
        Ok(()) => {
            shared.taken.fetch_add(items.into(), Ordering::Relaxed);
            StatusCode::OK.into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn lines(body: &[u8]) -> u32 {
    let ends = body.iter().filter(|byte| **byte == b'\n').count();
    u32::try_from(ends).unwrap_or(u32::MAX)
}

async fn taken(State(shared): State<Arc<Shared>>) -> String {
    shared.taken.load(Ordering::Relaxed).to_string()
}

async fn slow_down(State(shared): State<Arc<Shared>>, body: String) -> StatusCode {
    match body.trim().parse::<f64>() {
        Ok(factor) if (0.001..=1_000.0).contains(&factor) => {
            shared.factor.store(factor.to_bits(), Ordering::Relaxed);
            StatusCode::NO_CONTENT
        }
        _ => StatusCode::BAD_REQUEST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Backend, http};
    use tidegate::Outcome;

    const SERVICE: Service = Service {
        http_base_ms: 2.0,
        http_item_us: 1.0,
        http_workers: 2,
        http_rate: None,
        http_retry_after_s: 3,
        http_items_max: None,
    };

    async fn client(service: Service) -> (Arc<dyn Backend>, SocketAddr) {
        let (address, serving) = serve(service).await.unwrap();
        tokio::spawn(serving);
        (http::client(address, 8).await.unwrap(), address)
    }

    #[test]
    fn a_request_takes_its_base_and_its_items_and_the_factor() {
        assert_eq!(SERVICE.time(500, 1.0), Duration::from_micros(2_500));
        assert_eq!(SERVICE.time(500, 10.0), Duration::from_millis(25));
    }

    #[tokio::test]
    async fn the_bucket_lets_its_burst_in_and_refuses_with_retry_after() {
        let (client, _) = client(Service { http_rate: Some(12.0), ..SERVICE }).await;
        let mut outcomes = Vec::new();
        for _ in 0..5 {
            outcomes.push(Arc::clone(&client).attempt(10).await);
        }
        let wait = Some(Duration::from_secs(3));
        assert_eq!(outcomes[..3], [Outcome::Ok; 3], "a burst of a quarter of the rate");
        assert!(outcomes.contains(&Outcome::Throttled { retry_after: wait }), "{outcomes:?}");
    }

    #[tokio::test]
    async fn a_request_of_too_many_items_is_refused_for_its_size() {
        let (client, _) = client(Service { http_items_max: Some(500), ..SERVICE }).await;
        assert_eq!(Arc::clone(&client).attempt(500).await, Outcome::Ok);
        assert_eq!(Arc::clone(&client).attempt(501).await, Outcome::TooLarge);
    }

    #[tokio::test]
    async fn no_more_requests_at_once_than_workers() {
        let (client, address) = client(SERVICE).await;
        http::slow_down(address, 10.0).await.unwrap();
        let clock = Clock::start();
        let mut flying = tokio::task::JoinSet::new();
        (0..6).for_each(|_| drop(flying.spawn(Arc::clone(&client).attempt(0))));
        while let Some(outcome) = flying.join_next().await {
            assert_eq!(outcome.unwrap(), Outcome::Ok);
        }
        // Six requests of 20 ms by two workers: at least three rounds.
        assert!(clock.now().as_secs_f64() >= 0.06);
    }
}
