//! Which values are refused? Those out of their bounds, and those that contradict each other.
//!
//! Every problem is collected; a value is never moved into its bounds in silence.

use std::fmt::Display;

use super::defaults::Limit;
use super::error::Problem;

/// Collects what is wrong.
#[derive(Default)]
pub(super) struct Check {
    pub(super) problems: Vec<Problem>,
}

/// A setting's path and value.
type Named<'p, T> = (&'p str, T);

impl Check {
    /// The value must be within its limit.
    pub(super) fn within<T: PartialOrd + Display + Copy>(
        &mut self,
        path: &str,
        value: T,
        limit: Limit<T>,
    ) {
        if let Some(bound) = outside(&value, &limit) {
            self.invalid(path, value, bound);
        }
    }

    /// The first must be at least the second.
    pub(super) fn at_least<T: PartialOrd + Display + Copy>(
        &mut self,
        one: Named<'_, T>,
        other: Named<'_, T>,
    ) {
        if one.1 < other.1 {
            self.invalid(one.0, one.1, format!("at least {}, which is {}", other.0, other.1));
        }
    }

    /// The first must be at most the second.
    pub(super) fn at_most<T: PartialOrd + Display + Copy>(
        &mut self,
        one: Named<'_, T>,
        other: Named<'_, T>,
    ) {
        if one.1 > other.1 {
            self.invalid(one.0, one.1, format!("at most {}, which is {}", other.0, other.1));
        }
    }

    /// The value must be something else.
    pub(super) fn invalid(&mut self, path: &str, value: impl Display, bound: impl Into<String>) {
        let problem = Problem::invalid(path, value, bound);
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

/// What `value` must be, if it is not within `limit`. What is no number is never within.
pub(super) fn outside<T: PartialOrd + Display>(value: &T, limit: &Limit<T>) -> Option<String> {
    let inside = (&limit.min..=&limit.max).contains(&value);
    (!inside).then(|| format!("between {} and {}", limit.min, limit.max))
}
