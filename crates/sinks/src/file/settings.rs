//! What can be set about the file sink, and within which bounds?
//!
//! Every bound that is documented here is enforced by [`Settings::validate`], which
//! [`FileSink::start`](super::FileSink::start) calls: nothing is clamped.

use std::path::PathBuf;
use std::time::Duration;

use tidegate::SettingError;
use tidegate::error::within;

use crate::json::MEMBERS;

/// Settings of a file sink.
///
/// ```
/// use tidegate_sinks::file::Settings;
///
/// assert!(Settings::new("tidegate-data/events.ndjson").validate().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The file. It is created if it is missing, and so are the directories above it.
    pub path: PathBuf,
    /// The member that holds an event's name; not one of the event's own, 1 to 255 bytes. The
    /// default is `_id`.
    pub id_field: String,
    /// Whether a batch is on the disk before it counts as delivered; the default is true. Without
    /// it a power loss may take what the journal has already let go of.
    pub fsync: bool,
    /// When a new file begins, and how many are kept.
    pub rotation: Rotation,
}

/// When a new file begins, and how many are kept. `None` everywhere: one file that only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rotation {
    /// Before a batch that would make it larger than this, in bytes: 1 KiB to 2^44. Only a batch
    /// that is larger by itself makes a larger file.
    pub bytes_max: Option<u64>,
    /// With the first batch after it is older than this: 1 s to 100 years.
    pub age_max: Option<Duration>,
    /// How many full files are kept, 0 to 1,000,000; the older ones are deleted.
    pub keep: Option<u32>,
}

impl Settings {
    /// The defaults, for this file: fsync, and no rotation.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            id_field: "_id".to_owned(),
            fsync: true,
            rotation: Rotation::default(),
        }
    }

    /// Checks every bound.
    ///
    /// # Errors
    ///
    /// [`SettingError`] with the field, its value and its bound.
    pub fn validate(&self) -> Result<(), SettingError> {
        if self.path.file_name().is_none() {
            let value = format!("{:?}", self.path);
            return Err(SettingError::new("path", value, "the path of a file"));
        }
        let id = self.id_field.as_str();
        if !(1..=255).contains(&id.len()) || MEMBERS.contains(&id) {
            let bound = "1 to 255 bytes long, and not the name of a field of an event";
            return Err(SettingError::new("id_field", format!("{id:?}"), bound));
        }
        let Rotation { bytes_max, age_max, keep } = self.rotation;
        if let Some(bytes) = bytes_max {
            within("rotation.bytes_max", bytes, 1 << 10..=1 << 44)?;
        }
        if let Some(age) = age_max
            && !(Duration::from_secs(1)..=Rotation::AGE_MAX).contains(&age)
        {
            let bound = format!("between 1s and {:?}", Rotation::AGE_MAX);
            return Err(SettingError::new("rotation.age_max", format!("{age:?}"), bound));
        }
        if let Some(keep) = keep {
            within("rotation.keep", keep, 0..=1_000_000)?;
            if bytes_max.is_none() && age_max.is_none() {
                let bound = "null, since no file is ever full: set bytes_max or age_max too";
                return Err(SettingError::new("rotation.keep", keep, bound));
            }
        }
        Ok(())
    }
}

impl Rotation {
    const AGE_MAX: Duration = Duration::from_secs(100 * 366 * 86_400);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(change: impl FnOnce(&mut Settings)) -> String {
        let mut settings = Settings::new("events.ndjson");
        change(&mut settings);
        settings.validate().unwrap_err().to_string()
    }

    #[test]
    fn each_bound_is_enforced_with_field_value_and_bound() {
        assert_eq!(Settings::new("events.ndjson").validate(), Ok(()));
        let with = |rotation| refusal(|s| s.rotation = rotation);
        let none = Rotation::default();
        for (said, expected) in [
            (refusal(|s| s.path = "".into()), r#"path is "", but must be the path of a file"#),
            (refusal(|s| s.path = "/".into()), r#"path is "/", but must be the path of a file"#),
            (
                refusal(|s| s.id_field = "class".into()),
                r#"id_field is "class", but must be 1 to 255 bytes long, and not the name of a field of an event"#,
            ),
            (
                with(Rotation { bytes_max: Some(7), ..none }),
                "rotation.bytes_max is 7, but must be between 1024 and 17592186044416",
            ),
            (
                with(Rotation { age_max: Some(Duration::ZERO), ..none }),
                "rotation.age_max is 0ns, but must be between 1s and 3162240000s",
            ),
            (
                with(Rotation { keep: Some(1_000_001), age_max: None, bytes_max: Some(1 << 20) }),
                "rotation.keep is 1000001, but must be between 0 and 1000000",
            ),
            (
                with(Rotation { keep: Some(3), ..none }),
                "rotation.keep is 3, but must be null, since no file is ever full: set bytes_max \
                 or age_max too",
            ),
        ] {
            assert_eq!(said, expected);
        }
    }
}
