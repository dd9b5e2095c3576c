//! Has a batch been tried often or long enough? Never, unless somebody says so.
//!
//! An outage is the breaker's business, and while it lasts the journal keeps everything: giving
//! items up because a backend was away for an hour would be loss by default. A limit is for items
//! that are worth nothing later.

use std::fmt;
use std::time::Duration;

/// When items are given up although the backend never refused them.
///
/// ```
/// use std::time::Duration;
/// use tidegate::retry::{Exhausted, Limits};
///
/// let limits = Limits { attempts_max: Some(3), ..Limits::default() };
/// assert_eq!(limits.exhausted(2, Duration::from_secs(1)), None);
/// assert_eq!(limits.exhausted(3, Duration::from_secs(1)), Some(Exhausted::Attempts));
/// assert_eq!(Limits::default().exhausted(u32::MAX, Duration::MAX), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Attempts, the first one included; `None` is no limit.
    pub attempts_max: Option<u32>,
    /// Time since the first attempt; `None` is no limit.
    pub age_max: Option<Duration>,
}

/// Which limit was reached.
///
/// ```
/// use tidegate::retry::Exhausted;
///
/// assert_eq!(Exhausted::Age.to_string(), "as long as allowed");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exhausted {
    /// That of attempts.
    Attempts,
    /// That of time.
    Age,
}

impl Limits {
    /// The limit that is reached after so many attempts, the first of them so long ago.
    #[must_use]
    pub fn exhausted(&self, attempts: u32, age: Duration) -> Option<Exhausted> {
        if self.attempts_max.is_some_and(|max| attempts >= max) {
            return Some(Exhausted::Attempts);
        }
        self.age_max.is_some_and(|max| age >= max).then_some(Exhausted::Age)
    }
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Attempts => "as many attempts as allowed",
            Self::Age => "as long as allowed",
        })
    }
}
