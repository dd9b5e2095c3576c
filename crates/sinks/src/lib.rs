//! Where batches go: the sink contract and its implementations.
//!
//! | question | module |
//! |---|---|
//! | What must every sink promise and answer? | [`contract`] |
//! | How do events reach a SQLite database exactly once? | [`sqlite`] |

pub mod contract;
#[cfg(feature = "sqlite")]
pub mod sqlite;

pub use contract::{
    Batch, BoxFuture, Delivery, DeliveryFailure, Guarantee, Limits, OpenError, Origin, Sink, Slice,
};
