//! When is a batch tried again, and when no more?
//!
//! Three small answers, each apart from the others:
//!
//! | question | part |
//! |---|---|
//! | How long does this batch wait? | [`Backoff`]: exponential, with full jitter |
//! | May the sink bear one more retry now? | [`Budget`]: a share of the first attempts |
//! | Has it been tried often or long enough? | [`Limits`]: unlimited unless somebody says so |
//!
//! All are pure: time and randomness are arguments. [`Dice`] is a small seeded generator for shells
//! that have none of their own.

mod backoff;
mod budget;
mod dice;
mod limits;

pub use backoff::Backoff;
pub use budget::Budget;
pub use dice::Dice;
pub use limits::{Exhausted, Limits};
