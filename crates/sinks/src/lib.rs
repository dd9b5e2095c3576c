//! Where batches go: the sink contract and its implementations.
//!
//! | question | module |
//! |---|---|
//! | What must every sink promise and answer? | [`contract`] |
//! | How do events reach a SQLite database exactly once? | [`sqlite`] |
//! | What does everything before a sink cost? | [`Blackhole`] |

mod blackhole;
pub mod contract;
#[cfg(feature = "sqlite")]
pub mod sqlite;

pub use blackhole::Blackhole;
pub use contract::{
    Batch, BoxFuture, Delivery, DeliveryFailure, Guarantee, ItemFailure, Limits, OpenError, Origin,
    Sink, Slice,
};
