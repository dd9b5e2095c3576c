//! When is an event safe, and how much may wait on disk and in memory?

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;

use super::check::Check;
use super::defaults;
use super::read::{Fields, Leaf, Section, choice};
use super::units::ByteSize;

/// What a 2xx promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// The event is on disk: it survives power loss.
    #[default]
    Fsync,
    /// The event is in the operating system's hands: it survives the end of this process, but not
    /// power loss.
    Written,
    /// Nothing: the event is lost when this process ends.
    Memory,
}

impl Leaf for Durability {
    fn read(text: &str) -> Result<Self, Cow<'static, str>> {
        let choices =
            [("fsync", Self::Fsync), ("written", Self::Written), ("memory", Self::Memory)];
        choice(text, &choices).map_err(Cow::Owned)
    }
}

/// The durable log of accepted events.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct JournalConfig {
    /// What a 2xx promises. Default fsync.
    pub durability: Durability,
    /// Bytes of one segment file, 64 KiB to 1 GiB in steps of 4 KiB. Default 64 MiB.
    pub segment_bytes: ByteSize,
    /// Most bytes on disk, 128 KiB to 64 TiB and at least two segments; beyond them requests are
    /// refused until events were delivered. Default 8 GiB.
    pub max_bytes: ByteSize,
    /// Most bytes of fresh events kept in memory, so that sinks which keep up need not read the
    /// disk, 64 KiB to 64 GiB. Default 64 MiB.
    pub tail_bytes: ByteSize,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            segment_bytes: defaults::SEGMENT_BYTES.default,
            max_bytes: defaults::JOURNAL_BYTES.default,
            tail_bytes: defaults::TAIL_BYTES.default,
        }
    }
}

impl Section for JournalConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { durability, segment_bytes, max_bytes, tail_bytes } = self;
        fields.leaf("durability", durability);
        fields.leaf("segment_bytes", segment_bytes);
        fields.leaf("max_bytes", max_bytes);
        fields.leaf("tail_bytes", tail_bytes);
    }
}

impl JournalConfig {
    pub(super) fn check(&self, check: &mut Check) {
        check.within("journal.segment_bytes", self.segment_bytes, defaults::SEGMENT_BYTES);
        check.within("journal.max_bytes", self.max_bytes, defaults::JOURNAL_BYTES);
        check.within("journal.tail_bytes", self.tail_bytes, defaults::TAIL_BYTES);
        if !self.segment_bytes.bytes().is_multiple_of(defaults::BLOCK_BYTES.bytes()) {
            let bound = format!("a multiple of {}", defaults::BLOCK_BYTES);
            check.invalid("journal.segment_bytes", self.segment_bytes, bound);
        }
        if self.segment_bytes.bytes() > self.max_bytes.bytes() / 2 {
            let bound = format!("at most half of journal.max_bytes, which is {}", self.max_bytes);
            check.invalid("journal.segment_bytes", self.segment_bytes, bound);
        }
    }
}
