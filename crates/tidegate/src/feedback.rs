//! What does a backend say of itself? A few numbers, each of which may be missing.
//!
//! Feedback comes with an attempt (a handler attaches it) or on its own (polled from the backend
//! or the host). Controllers decide what to make of it; the load score is one way.

/// A backend's own view of its load.
///
/// A value that is not finite counts as missing: a broken probe must not steer.
///
/// ```
/// use tidegate::Feedback;
///
/// let feedback = Feedback { cpu: Some(0.4), ..Feedback::default() }.with("replication_lag", 1.5);
/// assert_eq!(feedback.custom("replication_lag"), Some(1.5));
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Feedback {
    /// Share of the processor in use, 0 to 1.
    pub cpu: Option<f64>,
    /// Operations waiting in the backend.
    pub queue_depth: Option<f64>,
    /// Share of operations that failed lately, 0 to 1.
    pub error_rate: Option<f64>,
    /// Waits for a lock, since the last feedback.
    pub lock_waits: Option<f64>,
    /// The user's own metrics, by name. Few: they are searched one by one.
    pub custom: Vec<(String, f64)>,
}

impl Feedback {
    /// The same with one more metric of the user's own.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: f64) -> Self {
        self.custom.push((name.into(), value));
        self
    }

    /// The user's metric of that name, if it was given and is finite.
    #[must_use]
    pub fn custom(&self, name: &str) -> Option<f64> {
        let found = self.custom.iter().rev().find(|(key, _)| key == name)?;
        found.1.is_finite().then_some(found.1)
    }
}
