//! How durable, how large, how much in memory? All the journal's bounds stand here.

use std::time::Duration;

use crate::format::keys;

/// What has happened to an item when its append resolves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// It is on stable storage: one `fdatasync` for everything that waited for it. Survives power
    /// loss.
    #[default]
    Fsync,
    /// It is in the operating system's hands. Survives the end of the process, not power loss.
    Written,
    /// It is in this process's memory, and nowhere else.
    Memory,
}

/// The journal's bounds. Every value is checked by [`Settings::validate`], none is clamped.
///
/// ```
/// use tidegate_journal::Settings;
///
/// let settings = Settings { segment_bytes: 1000, ..Settings::default() };
/// let refused = settings.validate().unwrap_err();
/// assert_eq!(refused.field, "segment_bytes");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// What an acknowledged append means.
    pub durability: Durability,
    /// Size of one segment file: a multiple of 4 KiB from 64 KiB to 1 GiB. A frame must fit into
    /// one. Default 64 MiB.
    pub segment_bytes: u64,
    /// Bound of all segment files together, spare ones included; at least two segments. Default
    /// 8 GiB.
    pub max_bytes: u64,
    /// Memory for frames that readers have not taken yet; at least 64 KiB. Default 64 MiB. With
    /// [`Durability::Memory`] it is the bound of everything not yet delivered.
    pub tail_bytes: usize,
    /// Bound of the bytes that wait for the writer or are being written; at least 64 KiB. A
    /// single larger frame is let through when nothing else waits. Default 32 MiB.
    pub queue_bytes: usize,
    /// Bound of the frames that wait for the writer or are being written; at least 1. Default
    /// 16,384.
    pub queue_frames: usize,
    /// Size of the file with the [notes of batches](crate::BatchNotes), from 4 KiB to 16 MiB: when
    /// it is full a new one takes its place. Default 1 MiB.
    pub notes_bytes: u64,
    /// Most [request keys](crate::RequestKey) remembered, 1 to 10,000,000: the newest ones. Each
    /// takes 32 bytes in its frame, at most 180 in memory, and once it is delivered 48 in a file
    /// that is written anew whenever segments are freed. Default 200,000.
    pub keys_max: usize,
    /// How long a request key is remembered, 1 second to 7 days. Default 10 minutes.
    pub keys_age_max: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            durability: Durability::Fsync,
            segment_bytes: 64 << 20,
            max_bytes: 8 << 30,
            tail_bytes: 64 << 20,
            queue_bytes: 32 << 20,
            queue_frames: 16_384,
            notes_bytes: 1 << 20,
            keys_max: 200_000,
            keys_age_max: Duration::from_secs(600),
        }
    }
}

/// A setting is outside its bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("journal setting `{field}` is {value}, but must be {bound}")]
pub struct SettingsError {
    /// Name of the field in [`Settings`].
    pub field: &'static str,
    /// The value given.
    pub value: u64,
    /// What it must be.
    pub bound: &'static str,
}

const KIB_64: u64 = 64 << 10;
const KEYS_AGE_MIN: Duration = Duration::from_secs(1);
const KEYS_AGE_MOST: Duration = Duration::from_secs(7 * 86_400);

impl Settings {
    /// Checks every bound.
    ///
    /// # Errors
    /// The first field out of its bounds, with its value and the bound.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let checks = [
            (
                "segment_bytes",
                self.segment_bytes,
                (KIB_64..=1 << 30).contains(&self.segment_bytes)
                    && self.segment_bytes.is_multiple_of(4096),
                "a multiple of 4096 from 65536 to 1073741824",
            ),
            (
                "max_bytes",
                self.max_bytes,
                self.max_bytes >= self.segment_bytes.saturating_mul(2),
                "at least twice `segment_bytes`",
            ),
            ("tail_bytes", self.tail_bytes as u64, self.tail_bytes as u64 >= KIB_64, AT_LEAST_64K),
            (
                "queue_bytes",
                self.queue_bytes as u64,
                self.queue_bytes as u64 >= KIB_64,
                AT_LEAST_64K,
            ),
            ("queue_frames", self.queue_frames as u64, self.queue_frames >= 1, "at least 1"),
            (
                "notes_bytes",
                self.notes_bytes,
                (4 << 10..=16 << 20).contains(&self.notes_bytes),
                "from 4096 to 16777216",
            ),
            (
                "keys_max",
                self.keys_max as u64,
                (1..=keys::KEYS_MAX).contains(&self.keys_max),
                "from 1 to 10000000",
            ),
            (
                "keys_age_max",
                self.keys_age_max.as_secs(),
                (KEYS_AGE_MIN..=KEYS_AGE_MOST).contains(&self.keys_age_max),
                "from 1 to 604800 seconds",
            ),
        ];
        match checks.into_iter().find(|&(_, _, holds, _)| !holds) {
            Some((field, value, _, bound)) => Err(SettingsError { field, value, bound }),
            None => Ok(()),
        }
    }
}

const AT_LEAST_64K: &str = "at least 65536";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_is_held_and_named() {
        let good = Settings::default();
        assert_eq!(good.validate(), Ok(()));
        let bad = [
            ("segment_bytes", Settings { segment_bytes: 4096, ..good }),
            ("segment_bytes", Settings { segment_bytes: (64 << 10) + 1, ..good }),
            ("segment_bytes", Settings { segment_bytes: 2 << 30, ..good }),
            ("max_bytes", Settings { max_bytes: good.segment_bytes, ..good }),
            ("tail_bytes", Settings { tail_bytes: 1, ..good }),
            ("queue_bytes", Settings { queue_bytes: 1, ..good }),
            ("queue_frames", Settings { queue_frames: 0, ..good }),
            ("notes_bytes", Settings { notes_bytes: 4095, ..good }),
            ("notes_bytes", Settings { notes_bytes: (16 << 20) + 1, ..good }),
            ("keys_max", Settings { keys_max: 0, ..good }),
            ("keys_max", Settings { keys_max: 10_000_001, ..good }),
            ("keys_age_max", Settings { keys_age_max: Duration::ZERO, ..good }),
            ("keys_age_max", Settings { keys_age_max: KEYS_AGE_MOST * 2, ..good }),
        ];
        for (field, settings) in bad {
            assert_eq!(settings.validate().unwrap_err().field, field);
        }
    }
}
