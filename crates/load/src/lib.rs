//! Load over HTTP from prebuilt requests: cheap to make, and measured without flattering anyone.
//!
//! A load generator shares the machine with what it measures, so what it spends is missing
//! there. This one builds its requests before the run and only fills in numbers afterwards. And
//! it must not be kinder than reality: with a rate, requests are due by a schedule that does not
//! wait for the server, and latency counts from the moment at which a request was due.
//!
//! | question | module |
//! |---|---|
//! | Which load is wanted, within which bounds? | [`args`], [`units`], [`plan`] |
//! | When is an event due? | [`schedule`], `feed` |
//! | What does a made-up event look like, and why is it cheap? | `events`, `otlp`, `prebuilt` |
//! | How does a line of a file become an event? | `file`, `read`, `lines` |
//! | Where does it go, and what stands above each body? | [`target`] |
//! | Whom does it trust there? | [`trust`] |
//! | What did the server answer, and what does it mean? | `answer`, `grpc`, `verdict` |
//! | Is it sent again? | `retry` |
//! | What does a connection do? | `connection`, `worker`, `shared` |
//! | What happened? | `tally`, `ledger`, [`summary`], [`progress`] |

mod answer;
pub mod args;
mod calendar;
mod clock;
mod connection;
mod error;
mod events;
mod feed;
mod file;
mod grpc;
mod ledger;
mod lines;
mod otlp;
pub mod plan;
mod prebuilt;

pub mod progress;
mod random;
mod read;
mod retry;
mod run;
pub mod schedule;
mod shared;
pub mod summary;
mod tally;
pub mod target;
pub mod trust;
pub mod units;
mod verdict;
mod worker;

pub use args::{Format, LoadArgs, Protocol};
pub use error::LoadError;
pub use file::LineCounts;
pub use progress::{Bar, Observer, Progress};
pub use run::run;
pub use schedule::{Pattern, Schedule};
pub use summary::{Ended, LatencyMs, Summary};
