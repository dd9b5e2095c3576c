//! Adaptive batching: finds batch size, concurrency and linger from what the backend answers.

pub mod error;
pub mod feedback;
pub mod plan;
pub mod sample;
pub mod time;

pub use error::SettingError;
pub use feedback::Feedback;
pub use plan::{Change, Decision, Epoch, Plan};
pub use sample::{Outcome, Sample, Sent};
pub use time::Moment;
