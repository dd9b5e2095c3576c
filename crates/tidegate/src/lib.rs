//! Adaptive batching: finds batch size, concurrency and linger from what the backend answers.
//!
//! Everyone who writes in bulk has to guess a batch size, a flush timeout and a number of requests
//! in flight. The guess is wrong twice — too small wastes the backend, too large breaks it — and
//! the right answer moves with the load. A [`Batcher`] finds it while it runs:
//!
//! ```
//! # #[cfg(feature = "async")] mod it {
//! use tidegate::Batcher;
//!
//! # async fn insert(rows: Vec<String>) -> Result<(), std::io::Error> { drop(rows); Ok(()) }
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let batcher = Batcher::builder().build(|rows: Vec<String>| insert(rows))?;
//!     for n in 0..10_000 {
//!         batcher.add(format!("row {n}")).await?; // waits while the queue is full
//!     }
//!     println!("{:?}", batcher.close().await.plan);
//!     Ok(())
//! }
//! # pub fn run() { main().unwrap() } }
//! # #[cfg(feature = "async")] it::run();
//! ```
//!
//! # How it works
//!
//! Every answer of the backend is a [`Sample`]. A [`Controller`] turns samples into a [`Plan`] —
//! batch size, concurrency, pace and linger — and says why in a sentence; the [`Engine`] cuts
//! batches by the plan in force. Both are pure: they see counts, never items, and are told the
//! time. The [`Batcher`] is the async shell around them.
//!
//! # A tour
//!
//! **Hand over an item, and go on.** [`Batcher::add`] waits only while the queue is full. What
//! becomes of the item later is counted, and a hook hears of each that was given up:
//! [`on_given_up`](batcher::Builder::on_given_up). [`Batcher::try_add`] never waits,
//! [`Batcher::blocking_add`] is for threads without a runtime, and [`Batcher::local`] gives a hot
//! loop a buffer of its own.
//!
//! **Wait for your own item.** [`Batcher::submit`] resolves to the value that the handler gave for
//! this item, or to its own error. Callers that leave, and handlers that panic, harm nobody else.
//!
//! **Write a handler.** A closure over a `Vec` will do; what it may return is in
//! [`IntoAnswer`](batcher::IntoAnswer). [`handler_fn`](batcher::handler_fn) takes a
//! [`Batch`](batcher::Batch), whose memory is used again; a type may implement
//! [`Handler`](batcher::Handler); with the feature `tower`, a service is one.
//!
//! **Say what happens when the backend refuses.** Each part can be left out:
//! [`retries`](batcher::Builder::retries) with backoff, jitter and a budget,
//! a [`breaker`](batcher::Builder::breaker) with probes,
//! [`bisection`](batcher::Builder::bisection) of a batch that holds a poison item, and the hook for
//! what is given up in the end.
//!
//! **Keep tenants apart.** [`Builder::keyed`](batcher::Builder::keyed) makes a bounded map of
//! batchers, one for each key, that share attempts and memory; idle ones go away.
//!
//! **Stop.** [`Batcher::flush`] waits for what was added before it, [`Batcher::close`] for
//! everything, [`Batcher::close_within`] not for ever. Dropping the last handle delivers too.
//!
//! **Choose who finds the plan.** The default suits a database: see [`ControllerSettings`], and
//! [`ControllerSettings::Fixed`] for a plan of your own. A handler may attach what the backend says
//! of its load: [`Answer::with_feedback`](batcher::Answer::with_feedback).
//!
//! **Test what you built.** With the feature `test-util`, `tidegate::testing` has paused time and a
//! backend that follows a script.
//!
//! # Beneath
//!
//! | to … | see |
//! |---|---|
//! | write a controller | [`Controller`], [`Sample`], [`Change`] |
//! | drive the engine from a queue of your own | [`engine`] |
//! | try again, stop trying, find the item at fault, without a batcher | [`retry`], [`breaker`], [`bisect`] |
//! | record what arrives, to play it again | [`recording`] |
//! | share one backend between engines by weight | [`share`] |
//! | say which plans are allowed | [`Bounds`] |
//!
//! # Features, and what each costs
//!
//! - `async` (on by default): the [`Batcher`]. Brings in tokio (its runtime, timers and
//!   channels). Without it the crate is the pure engine, with no clock, no threads and no runtime,
//!   and depends on `thiserror` alone.
//! - `stream`: a `Sink` of items and a `Stream` of outcomes. Brings in `futures-core` and
//!   `futures-sink`, which are traits only.
//! - `tower`: a service as a handler, a batcher as a service. Brings in `tower-service`, one trait.
//! - `metrics`: counters, gauges and histograms through the `metrics` facade; a few updates a batch.
//! - `tracing`: events for decisions, failures and the breaker; one disabled event a batch.
//! - `serde`: plans, decisions and feedback can be written out.
//! - `test-util`: paused time and a scripted backend. For tests only: it turns on tokio's own.
//!
//! The crate needs Rust 1.89 or later. A higher requirement is a minor release, never a patch. The
//! lowest versions of its dependencies that it compiles with are checked.

#[cfg(feature = "async")]
pub mod batcher;
pub mod bisect;
pub mod bounds;
pub mod breaker;
pub mod control;
pub mod engine;
pub mod error;
pub mod feedback;
pub mod guard;
pub mod history;
pub mod plan;
pub mod recording;
pub mod retry;
mod said;
pub mod sample;
pub mod share;
#[cfg(feature = "test-util")]
pub mod testing;
pub mod time;

#[cfg(feature = "async")]
pub use batcher::Batcher;
pub use bounds::Bounds;
pub use control::{Controller, ControllerSettings};
pub use engine::{Engine, FlushReason};
pub use error::SettingError;
pub use feedback::Feedback;
pub use plan::{Change, Decision, Epoch, Plan};
pub use sample::{Outcome, Sample, Sent};
pub use time::Moment;

/// The example of the repository's front page is a test, so that it stays true.
#[cfg(all(doctest, feature = "async"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
