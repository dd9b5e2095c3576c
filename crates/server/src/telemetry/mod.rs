//! How does the server tell what it is doing? Figures here, sentences in the logs.

mod failures;
mod host;
pub(crate) mod latency;
pub mod logs;
pub(crate) mod prometheus;
pub(crate) mod sampler;
pub mod snapshot;
mod trend;
