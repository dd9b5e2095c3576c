//! What can be set about the SQLite sink, and within which bounds?
//!
//! Every bound that is documented here is enforced by [`Settings::validate`], which
//! [`SqliteSink::start`](super::SqliteSink::start) calls: nothing is clamped.

use std::path::PathBuf;
use std::time::Duration;

use tidegate::SettingError;
use tidegate::error::within;

const MIB: u64 = 1 << 20;

/// Settings of a SQLite sink.
///
/// ```
/// use tidegate_sinks::sqlite::Settings;
///
/// let settings = Settings::new("tidegate-data/events.db", "sqlite");
/// assert!(settings.validate().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The database file. It is created if it is missing, and so are the directories above it.
    /// A file on disk: `:memory:` and the empty path are refused.
    pub path: PathBuf,
    /// The sink's name in the configuration, 1 to 255 bytes. It is part of the key of the sink's
    /// record of ranges: under another name the sink does not know what it has delivered.
    pub name: String,
    /// How long an attempt waits for the write lock that another connection holds, in all, before
    /// it answers that the database is overloaded. 0 s to 10 min; the default is 5 s.
    pub busy_timeout: Duration,
    /// Page cache, in bytes: 1 MiB to 4 GiB; the default is 16 MiB, which holds what a
    /// transaction of 50,000 usual events changes, so that nothing spills before the commit.
    pub cache_bytes: u64,
    /// How large the write-ahead log grows, in bytes, before a commit moves it into the file:
    /// 64 KiB to 1 GiB; the default is 16 MiB, which takes about 30 ms on an
    /// ordinary disk. Larger means fewer and longer pauses: 32 MiB takes over 50.
    pub checkpoint_bytes: u64,
    /// How large the file may grow, in bytes: 1 MiB to 2^44; `None`, the default, is no bound. At
    /// the bound, attempts fail as they do on a full disk.
    pub size_max: Option<u64>,
    /// Which rows are deleted again; `None`, the default, keeps all.
    pub retention: Option<Retention>,
}

/// Which rows are deleted again. At least one of the two is given.
///
/// Rows leave in the order of their positions, oldest journal first, in small transactions
/// between the batches. The space is used again by later rows; the file does not shrink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Rows that were observed longer ago than this are deleted: 1 s to 100 years.
    pub max_age: Option<Duration>,
    /// At most this many rows are kept: 1 to 2^53. A position that was given up counts as a row.
    pub max_rows: Option<u64>,
}

impl Settings {
    /// The defaults, for this file and this name.
    pub fn new(path: impl Into<PathBuf>, name: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            name: name.into(),
            busy_timeout: Duration::from_secs(5),
            cache_bytes: 16 * MIB,
            checkpoint_bytes: 16 * MIB,
            size_max: None,
            retention: None,
        }
    }

    /// Checks every bound.
    ///
    /// # Errors
    ///
    /// [`SettingError`] with the field, its value and its bound.
    pub fn validate(&self) -> Result<(), SettingError> {
        let path = self.path.as_os_str();
        if path.is_empty() || path == ":memory:" {
            let value = format!("{:?}", self.path);
            return Err(SettingError::new("path", value, "the path of a file on disk"));
        }
        if !(1..=255).contains(&self.name.len()) {
            return Err(SettingError::new("name", &self.name, "1 to 255 bytes long"));
        }
        span("busy_timeout", self.busy_timeout, Duration::ZERO, Duration::from_secs(600))?;
        within("cache_bytes", self.cache_bytes, MIB..=4096 * MIB)?;
        within("checkpoint_bytes", self.checkpoint_bytes, MIB / 16..=1024 * MIB)?;
        if let Some(size) = self.size_max {
            within("size_max", size, MIB..=1 << 44)?;
        }
        self.retention.map_or(Ok(()), Retention::validate)
    }
}

impl Retention {
    const AGE_MAX: Duration = Duration::from_secs(100 * 366 * 86_400);

    fn validate(self) -> Result<(), SettingError> {
        if self.max_age.is_none() && self.max_rows.is_none() {
            let bound = "given `max_age`, `max_rows` or both";
            return Err(SettingError::new("retention", "empty", bound));
        }
        if let Some(age) = self.max_age {
            span("retention.max_age", age, Duration::from_secs(1), Self::AGE_MAX)?;
        }
        if let Some(rows) = self.max_rows {
            within("retention.max_rows", rows, 1..=1 << 53)?;
        }
        Ok(())
    }
}

fn span(
    field: &'static str,
    value: Duration,
    min: Duration,
    max: Duration,
) -> Result<(), SettingError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    let bound = format!("between {min:?} and {max:?}");
    Err(SettingError::new(field, format!("{value:?}"), bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(change: impl FnOnce(&mut Settings)) -> String {
        let mut settings = Settings::new("events.db", "sqlite");
        change(&mut settings);
        settings.validate().unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_are_within_the_bounds() {
        assert_eq!(Settings::new("events.db", "sqlite").validate(), Ok(()));
    }

    #[test]
    fn each_bound_is_enforced_with_field_value_and_bound() {
        let cases = [
            (
                refusal(|s| s.path = ":memory:".into()),
                r#"path is ":memory:", but must be the path of a file on disk"#,
            ),
            (
                refusal(|s| s.path = PathBuf::new()),
                r#"path is "", but must be the path of a file on disk"#,
            ),
            (refusal(|s| s.name.clear()), "name is , but must be 1 to 255 bytes long"),
            (
                refusal(|s| s.busy_timeout = Duration::from_secs(601)),
                "busy_timeout is 601s, but must be between 0ns and 600s",
            ),
            (
                refusal(|s| s.cache_bytes = 1),
                "cache_bytes is 1, but must be between 1048576 and 4294967296",
            ),
            (
                refusal(|s| s.checkpoint_bytes = 1 << 31),
                "checkpoint_bytes is 2147483648, but must be between 65536 and 1073741824",
            ),
            (
                refusal(|s| s.size_max = Some(0)),
                "size_max is 0, but must be between 1048576 and 17592186044416",
            ),
            (
                refusal(|s| s.retention = Some(Retention { max_age: None, max_rows: None })),
                "retention is empty, but must be given `max_age`, `max_rows` or both",
            ),
            (
                refusal(|s| {
                    s.retention = Some(Retention { max_age: Some(Duration::ZERO), max_rows: None });
                }),
                "retention.max_age is 0ns, but must be between 1s and 3162240000s",
            ),
            (
                refusal(|s| s.retention = Some(Retention { max_age: None, max_rows: Some(0) })),
                "retention.max_rows is 0, but must be between 1 and 9007199254740992",
            ),
        ];
        for (said, expected) in cases {
            assert_eq!(said, expected);
        }
    }
}
