//! Does a controller find the best plan? Virtual time answers in seconds what a database answers
//! in hours.
//!
//! The simulator is a third shell around the library's own [`Engine`](tidegate::Engine) and
//! controllers, beside the async batcher and the server's lane: items are counts, time is a number,
//! chance is a seed. There is no second implementation of a rule, so what is seen here is what the
//! library does. What is *not* the library's is the backend, and the backend is where a simulator
//! lies: figures from here count only beside those of real ones.
//!
//! ```
//! use tidegate_sim::contender::Contender;
//! use tidegate_sim::scenario::canonical;
//!
//! let mut scenario = canonical::by_name("pgA")?.ok_or("pgA ships with the crate")?;
//! scenario.duration_s = 10.0;
//! let aimd = Contender::by_name("aimd", &scenario).ok_or("aimd is a controller")?;
//! let run = tidegate_sim::run(&scenario, &aimd.controller, aimd.first, 1)?;
//! assert!(run.timeline.goodput(5.0, 10.0) > 150_000.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it is made
//!
//! ```text
//! arrivals ──▶ lane ──▶ Engine + Controller ──▶ backend ──▶ answers ──▶ record ──▶ row
//!   seed       counts     the library's own     limits, sharing, faults   bins       table
//! ```
//!
//! | question | module |
//! |---|---|
//! | what is simulated? | [`scenario`]: YAML files, their checks and schema, the random ones |
//! | what happens next? | [`agenda`], and [`run()`], the event loop |
//! | how does a backend behave? | [`backend`]: exact processor sharing, limits, stalls, feedback |
//! | what would a clairvoyant reach? | [`oracle`], by search in the same simulator, cached |
//! | which scenarios? | [`selection`]: the suites that ship, random ones, files |
//! | who is better? | [`mod@suite`], [`table`], [`league`], [`judge`] |
//! | what does each machine of `joint` earn? | [`ablation`] |
//! | why? | [`decisions`], a timeline; [`report`], one HTML page |
//! | do the claims of others hold? | [`claims`] |
//! | may I have that backend in real time? | [`live`]: a handler of the library's batcher |
//!
//! # Promises
//!
//! - The same scenario, controller, plan and seed give the same bytes, on one machine.
//! - Two controllers under one seed meet the same arrivals and the same stalls. Service noise is
//!   drawn attempt by attempt, so it is the same only as long as they send alike.
//! - Every item that arrived waits, is in flight, or was delivered.

pub mod ablation;
pub mod agenda;
pub mod arrivals;
pub mod backend;
pub mod claims;
pub mod contender;
pub mod decisions;
mod fold;
pub mod judge;
pub mod lane;
pub mod league;
pub mod live;
pub mod oracle;
pub mod record;
pub mod remarks;
pub mod report;
pub mod rng;
pub mod row;
pub mod run;
pub mod scenario;
pub mod selection;
mod spread;
pub mod suite;
mod summary;
pub mod table;
mod world;

pub use contender::Contender;
pub use oracle::{Cache, Effort, Oracle};
pub use row::Row;
pub use run::{Run, run};
pub use scenario::{Scenario, ScenarioError};
pub use selection::{Entry, Group, Suite};
pub use suite::{Options, Study, study, suite};
