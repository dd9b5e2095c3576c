//! How many items that were given up are kept?

use schemars::JsonSchema;
use serde::Serialize;

use super::check::Check;
use super::defaults;
use super::read::{Fields, Section};
use super::units::ByteSize;

/// The bounds of all dead letters together. At a bound the lane that has one more stands still and
/// says so, until some are retried or purged.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct DeadLettersConfig {
    /// Letters, 1 to 10,000,000. Default 100,000.
    #[schemars(range(min = defaults::DEAD_LETTERS.min, max = defaults::DEAD_LETTERS.max))]
    pub max_items: u64,
    /// Their bytes, 64 KiB to 1 TiB. Default 1 GiB.
    pub max_bytes: ByteSize,
}

impl Default for DeadLettersConfig {
    fn default() -> Self {
        Self {
            max_items: defaults::DEAD_LETTERS.default,
            max_bytes: defaults::DEAD_LETTER_BYTES.default,
        }
    }
}

impl DeadLettersConfig {
    pub(super) fn check(&self, check: &mut Check) {
        check.within("dead_letters.max_items", self.max_items, defaults::DEAD_LETTERS);
        check.within("dead_letters.max_bytes", self.max_bytes, defaults::DEAD_LETTER_BYTES);
    }
}

impl Section for DeadLettersConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { max_items, max_bytes } = self;
        fields.leaf("max_items", max_items);
        fields.leaf("max_bytes", max_bytes);
    }
}
