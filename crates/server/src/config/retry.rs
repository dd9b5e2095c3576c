//! What does a lane do when the sink does not take a batch?

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;
use tidegate::SettingError;
use tidegate::retry::{Backoff, Budget};

use super::defaults;
use super::read::{Fields, Leaf, Section, choice};
use super::units::Span;

/// When a batch is sent again, and when items are given up. What is given up becomes a dead letter.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct RetryConfig {
    /// Longest wait after the first failure, 1 ms to 1 h; it doubles with each further one, and
    /// the wait is drawn at random below it. Default 50 ms.
    pub first: Span,
    /// Longest wait ever, from `first` to 1 h. Default 5 s.
    pub max: Span,
    /// Attempts with an item, the first one included, 1 to 1,000,000. Default null: no limit,
    /// however long the sink is away.
    #[schemars(range(min = 1, max = defaults::ATTEMPTS_MAX))]
    pub attempts: Option<u32>,
    /// Time since the first attempt with an item, 1 ms to 36500 d; it begins anew when the server is
    /// started again. Default null: no limit.
    pub age: Option<Span>,
    /// Retries for each first attempt, of the whole sink, 0 to 10. Default 0.2.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub budget: f64,
    /// Retries a second that are allowed in any case, 0.01 to 1,000,000. Default 10.
    #[schemars(range(min = 0.01, max = 1e6))]
    pub budget_per_second: f64,
    /// What becomes of data that the backend refuses. Default dead_letter: it is searched for the
    /// item at fault.
    pub rejected: Treatment,
    /// What becomes of one item that is too large. Default dead_letter.
    pub too_large: Treatment,
    /// What becomes of a batch that gets no answer in time. Default retry.
    pub timed_out: Treatment,
    /// What becomes of a batch that the backend has no capacity for. Default retry.
    pub overloaded: Treatment,
}

/// What becomes of items that are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Treatment {
    /// They are sent again, until a limit.
    Retry,
    /// They are sent alone, and become dead letters if that is no better.
    DeadLetter,
}

/// What a class may override: its limits.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct ClassRetry {
    /// Attempts with an item, the first one included, 1 to 1,000,000.
    #[schemars(range(min = 1, max = defaults::ATTEMPTS_MAX))]
    pub attempts: Option<u32>,
    /// Time since the first attempt with an item, 1 ms to 36500 d.
    pub age: Option<Span>,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            first: defaults::RETRY_FIRST,
            max: defaults::RETRY_MAX,
            attempts: None,
            age: None,
            budget: defaults::RETRY_BUDGET,
            budget_per_second: defaults::RETRY_BUDGET_PER_SECOND,
            rejected: Treatment::DeadLetter,
            too_large: Treatment::DeadLetter,
            timed_out: Treatment::Retry,
            overloaded: Treatment::Retry,
        }
    }
}

impl RetryConfig {
    /// The settings for a class.
    #[must_use]
    pub fn with(&self, class: &ClassRetry) -> Self {
        let ClassRetry { attempts, age } = class;
        Self { attempts: attempts.or(self.attempts), age: age.or(self.age), ..self.clone() }
    }

    /// The waits.
    ///
    /// # Errors
    ///
    /// [`SettingError`] for one that is out of its bounds.
    pub fn backoff(&self) -> Result<Backoff, SettingError> {
        Backoff::new(self.first.duration(), self.max.duration())
    }

    /// The budget of the sink.
    ///
    /// # Errors
    ///
    /// [`SettingError`] for a number out of its bounds.
    pub fn retry_budget(&self) -> Result<Budget, SettingError> {
        let burst = self.budget_per_second.max(1.0);
        Budget::new(self.budget, self.budget_per_second, burst)
    }

    /// What is refused: path below the lane, value and bound.
    pub(super) fn refused(&self) -> Vec<(&'static str, String, String)> {
        let mut found = Vec::new();
        if let Err(error) = self.backoff() {
            let (field, value) = match error.field {
                "retry.first_ms" => ("retry.first", self.first),
                _ => ("retry.max", self.max),
            };
            found.push((field, value.to_string(), format!("{} ms", error.bound)));
        }
        if let Err(error) = self.retry_budget() {
            found.push((error.field, error.value, error.bound));
        }
        if self.attempts.is_some_and(|count| !(1..=defaults::ATTEMPTS_MAX).contains(&count)) {
            let value = self.attempts.unwrap_or(0).to_string();
            found.push((
                "retry.attempts",
                value,
                format!("between 1 and {}", defaults::ATTEMPTS_MAX),
            ));
        }
        if let Some(age) = self.age
            && !(defaults::RETRY_AGE_MIN..=defaults::AGE_MAX).contains(&age)
        {
            let bound = format!("between {} and {}", defaults::RETRY_AGE_MIN, defaults::AGE_MAX);
            found.push(("retry.age", age.to_string(), bound));
        }
        found
    }
}

impl Leaf for Treatment {
    fn read(text: &str) -> Result<Self, Cow<'static, str>> {
        let names = [("retry", Self::Retry), ("dead_letter", Self::DeadLetter)];
        choice(text, &names).map_err(Cow::Owned)
    }
}

impl Section for RetryConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self {
            first,
            max,
            attempts,
            age,
            budget,
            budget_per_second,
            rejected,
            too_large,
            timed_out,
            overloaded,
        } = self;
        fields.leaf("first", first);
        fields.leaf("max", max);
        fields.optional("attempts", attempts);
        fields.optional("age", age);
        fields.leaf("budget", budget);
        fields.leaf("budget_per_second", budget_per_second);
        fields.leaf("rejected", rejected);
        fields.leaf("too_large", too_large);
        fields.leaf("timed_out", timed_out);
        fields.leaf("overloaded", overloaded);
    }
}

impl Section for ClassRetry {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { attempts, age } = self;
        fields.optional("attempts", attempts);
        fields.optional("age", age);
    }
}
