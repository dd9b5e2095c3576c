//! Is what happens recorded, so that it can be played again in the simulator?

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use super::check::Check;
use super::defaults;
use super::read::{Fields, Section};
use super::units::ByteSize;

/// Counts of accepted events by the millisecond, and every attempt, for `tidegate simulate --replay`:
/// when how many came, what was sent and how long it took, and nothing of what was in them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct RecordingConfig {
    /// The file, relative to where the server is started; one that is there is replaced when the
    /// server begins. Default null: nothing is recorded.
    pub arrivals: Option<PathBuf>,
    /// The same for attempts, a line of CSV each: when it left, how many items it had, how long it
    /// took and what came of it. Default null: nothing is recorded.
    pub attempts: Option<PathBuf>,
    /// Where each recording ends, 64 KiB to 1 GiB: at most 16 bytes are written for each millisecond
    /// in which something came, and about 80 for each attempt. Default 64 MiB.
    pub max_bytes: ByteSize,
}

impl Default for RecordingConfig {
    fn default() -> Self {
        Self { arrivals: None, attempts: None, max_bytes: defaults::RECORDING_BYTES.default }
    }
}

impl RecordingConfig {
    pub(super) fn check(&self, check: &mut Check) {
        check.within("recording.max_bytes", self.max_bytes, defaults::RECORDING_BYTES);
        for (field, path) in
            [("recording.arrivals", &self.arrivals), ("recording.attempts", &self.attempts)]
        {
            if path.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
                check.invalid(field, "empty", "a path, or null");
            }
        }
    }
}

impl Section for RecordingConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { arrivals, attempts, max_bytes } = self;
        fields.optional("arrivals", arrivals);
        fields.optional("attempts", attempts);
        fields.leaf("max_bytes", max_bytes);
    }
}
