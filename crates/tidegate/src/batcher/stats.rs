//! What does a batcher tell about itself?

use crate::breaker::Phase;
use crate::engine::Counters;
use crate::{Decision, Plan};

/// Figures of a batcher, at one moment.
///
/// ```
/// use tidegate::Batcher;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let batcher = Batcher::builder().build(|_: Vec<u64>| async {})?;
/// batcher.submit(1).await?;
/// let stats = batcher.stats();
/// assert_eq!((stats.added, stats.delivered, stats.failed, stats.queued), (1, 1, 0, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Items added so far.
    pub added: u64,
    /// Items the backend took.
    pub delivered: u64,
    /// Items whose batch, or who themselves, failed.
    pub failed: u64,
    /// Items that wait, in flight excluded.
    pub queued: u64,
    /// Attempts in flight.
    pub in_flight: u32,
    /// Attempts by flush reason and by outcome.
    pub counters: Counters,
    /// The plan in force.
    pub plan: Plan,
    /// The last changes of plan with their reasons, oldest first.
    pub decisions: Vec<Decision>,
    /// What the last failure said.
    pub last_failure: Option<String>,
    /// The phase of the breaker, if the batcher has one.
    pub breaker: Option<Phase>,
}
