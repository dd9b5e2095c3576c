//! Where batches go: the sink contract and its implementations.
//!
//! | question | module |
//! |---|---|
//! | What must every sink promise and answer? | [`contract`] |
//! | How do events reach a SQLite database exactly once? | [`sqlite`] |
//! | How do events reach a PostgreSQL database exactly once? | [`postgres`] |
//! | How do fields become columns of a table that is there? | [`mapping`] |
//! | How do events reach an HTTP API? | [`http`] |
//! | How do events reach a file? | [`mod@file`] |
//! | How do events reach whoever reads our standard output? | [`stdout`] |
//! | How does a batch become JSON? | [`json`] |
//! | What does everything before a sink cost? | [`Blackhole`] |

mod blackhole;
pub mod contract;
#[cfg(feature = "lines")]
pub mod file;
#[cfg(feature = "http")]
pub mod http;
#[cfg(any(feature = "http", feature = "lines"))]
pub mod json;
#[cfg(feature = "postgres")]
pub mod mapping;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod recent;
#[cfg(feature = "lines")]
mod serial;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod shape;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(any(feature = "http", feature = "lines"))]
mod stage;
#[cfg(feature = "lines")]
pub mod stdout;

pub use blackhole::Blackhole;
pub use contract::{
    Batch, BoxFuture, Delivery, DeliveryFailure, Guarantee, ItemFailure, Limits, OpenError, Origin,
    Sink, Slice,
};
