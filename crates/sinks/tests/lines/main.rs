//! The sinks that write lines, against real files and pipes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::single_range_in_vec_init,
    reason = "all of this is test code, also what is outside of test functions, and a list of one \
              range is what is meant"
)]

#[path = "../contract/mod.rs"]
mod contract;

mod crash;
mod file;
mod rotation;
mod stdout;

use tidegate::Outcome;
use tidegate_sinks::{Delivery, DeliveryFailure};

/// The message of a batch that is to be tried again.
fn why(delivery: Delivery) -> String {
    assert_eq!(delivery.outcome, Outcome::Unreachable);
    match delivery.failure {
        Some(DeliveryFailure::Retry(why)) => why,
        other => panic!("{other:?}"),
    }
}
