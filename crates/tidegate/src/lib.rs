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
//! | to … | see |
//! |---|---|
//! | batch items in a program | [`Batcher`], [`batcher::Builder`], [`batcher::Handler`] |
//! | wait for an item's own outcome, with a value | `Batcher::submit`, [`batcher::IntoAnswer`] |
//! | hear of items that were given up | [`batcher::Builder::on_given_up`] |
//! | add from a thread, or from a hot loop | `Batcher::blocking_add`, [`batcher::Local`] |
//! | choose who finds the plan | [`ControllerSettings`], [`control`] |
//! | write a controller | [`Controller`], [`Sample`], [`Change`] |
//! | drive the engine from a queue of your own | [`engine`] |
//! | try again, stop trying, find the item at fault | [`retry`], [`breaker`], [`bisect`] |
//! | record what arrives, to play it again | [`recording`] |
//! | share one backend between engines by weight | [`share`] |
//! | say which plans are allowed | [`Bounds`] |
//!
//! # Features
//!
//! - `async` (on by default): the [`Batcher`]. Brings in tokio and `rtrb`, a small ring buffer.
//!   Without it the crate is the pure engine, with no clock, no threads and no runtime.
//! - `serde`: plans, decisions and feedback can be written out.

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
