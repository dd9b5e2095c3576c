//! What can be wrong with a setting, and how is it said? Field, value and bound, always.

/// A setting that is refused. Nothing is ever clamped in silence.
///
/// ```
/// use tidegate::SettingError;
///
/// let error = SettingError::new("linger", "2h", "at most 1h");
/// assert_eq!(error.to_string(), "linger is 2h, but must be at most 1h");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}, but must be {bound}")]
pub struct SettingError {
    /// The setting, as the user writes it (`batch_size.max`).
    pub field: &'static str,
    /// What it was set to.
    pub value: String,
    /// What it must be (`between 1 and 1,000,000`).
    pub bound: String,
}

impl SettingError {
    /// The field, what it was set to, and what it must be.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "callers hand over literals and temporaries")]
    pub fn new(field: &'static str, value: impl ToString, bound: impl Into<String>) -> Self {
        Self { field, value: value.to_string(), bound: bound.into() }
    }
}

/// Refuses `value` unless it is in `range`.
///
/// # Errors
///
/// [`SettingError`] naming the field, the value and both ends of the range. A value that is not a
/// number (NaN) is never in a range.
///
/// ```
/// use tidegate::error::within;
///
/// assert!(within("weight", 3.0, 0.1..=100.0).is_ok());
/// let error = within("weight", f64::NAN, 0.1..=100.0).unwrap_err();
/// assert_eq!(error.to_string(), "weight is NaN, but must be between 0.1 and 100");
/// ```
pub fn within<T: PartialOrd + std::fmt::Display>(
    field: &'static str,
    value: T,
    range: std::ops::RangeInclusive<T>,
) -> Result<(), SettingError> {
    if range.contains(&value) {
        return Ok(());
    }
    let bound = format!("between {} and {}", range.start(), range.end());
    Err(SettingError::new(field, value, bound))
}
