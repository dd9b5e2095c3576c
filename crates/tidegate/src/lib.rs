//! Adaptive batching: finds batch size, concurrency and linger from what the backend answers.

pub mod bounds;
pub mod control;
pub mod engine;
pub mod error;
pub mod feedback;
pub mod history;
pub mod plan;
pub mod sample;
pub mod time;

pub use bounds::Bounds;
pub use control::{Controller, ControllerSettings};
pub use engine::{Engine, FlushReason};
pub use error::SettingError;
pub use feedback::Feedback;
pub use plan::{Change, Decision, Epoch, Plan};
pub use sample::{Outcome, Sample, Sent};
pub use time::Moment;
