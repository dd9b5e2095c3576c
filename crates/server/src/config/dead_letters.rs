//! How many items that were given up are kept, and when are they sent again without anybody asking?

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;

use super::check::Check;
use super::defaults;
use super::read::{Fields, Leaf, Section, choice};
use super::units::{ByteSize, Span};
use crate::dead_letters::letter::Kind;
use crate::dead_letters::reprocess::Plan;

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
    /// When they are sent again without anybody asking.
    pub reprocess: ReprocessConfig,
}

/// When dead letters are sent to their sink again without anybody asking: the oldest first, and slower
/// than live events.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct ReprocessConfig {
    /// Whether a run starts each time the sink's breaker has closed again. Default true.
    pub after_outage: bool,
    /// How often a run starts in any case, 100 ms to 7 d; null: never. Default 10 m.
    pub every: Option<Span>,
    /// Letters a run, of each sink, 1 to 1,000,000. Default 10,000.
    #[schemars(range(min = 1, max = defaults::REPROCESS_MAX.max))]
    pub max: u32,
    /// Letters a second, of each sink, 1 to 100,000; they never have more than a fifth of the time.
    /// Default 100.
    #[schemars(range(min = 1, max = defaults::REPROCESS_PER_SECOND.max))]
    pub per_second: u32,
    /// Times a letter is sent again by itself, 1 to 1000; one that is mended begins anew. Default 3.
    #[schemars(range(min = 1, max = defaults::REPROCESS_ATTEMPTS.max))]
    pub attempts: u32,
    /// Which letters: those given up for one of these. Default null: `[attempts, age]`, those that the
    /// backend has never refused.
    pub kinds: Option<Vec<LetterKind>>,
}

/// Why an item was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LetterKind {
    /// The backend refused it, sent alone.
    Refused,
    /// It is too large, sent alone.
    TooLarge,
    /// It was tried as often as allowed.
    Attempts,
    /// It was tried for as long as allowed.
    Age,
}

impl Leaf for LetterKind {
    fn read(text: &str) -> Result<Self, Cow<'static, str>> {
        let kinds = [
            ("refused", Self::Refused),
            ("too_large", Self::TooLarge),
            ("attempts", Self::Attempts),
            ("age", Self::Age),
        ];
        choice(text, &kinds).map_err(Cow::Owned)
    }
}

impl From<LetterKind> for Kind {
    fn from(kind: LetterKind) -> Self {
        match kind {
            LetterKind::Refused => Self::Refused,
            LetterKind::TooLarge => Self::TooLarge,
            LetterKind::Attempts => Self::Attempts,
            LetterKind::Age => Self::Age,
        }
    }
}

impl Default for ReprocessConfig {
    fn default() -> Self {
        Self {
            after_outage: true,
            every: Some(defaults::REPROCESS_EVERY.default),
            max: defaults::REPROCESS_MAX.default,
            per_second: defaults::REPROCESS_PER_SECOND.default,
            attempts: defaults::REPROCESS_ATTEMPTS.default,
            kinds: None,
        }
    }
}

impl ReprocessConfig {
    pub(crate) fn plan(&self) -> Plan {
        let usual = || vec![Kind::Attempts, Kind::Age];
        let kinds = |kinds: &Vec<LetterKind>| kinds.iter().copied().map(Kind::from).collect();
        Plan {
            after_outage: self.after_outage,
            every: self.every.map(Span::duration),
            max: self.max,
            per_second: self.per_second,
            attempts: self.attempts,
            kinds: self.kinds.as_ref().map_or_else(usual, kinds),
        }
    }

    fn check(&self, check: &mut Check) {
        if let Some(every) = self.every {
            check.within("dead_letters.reprocess.every", every, defaults::REPROCESS_EVERY);
        }
        check.within("dead_letters.reprocess.max", self.max, defaults::REPROCESS_MAX);
        let per_second = (self.per_second, defaults::REPROCESS_PER_SECOND);
        check.within("dead_letters.reprocess.per_second", per_second.0, per_second.1);
        let attempts = (self.attempts, defaults::REPROCESS_ATTEMPTS);
        check.within("dead_letters.reprocess.attempts", attempts.0, attempts.1);
    }
}

impl Section for ReprocessConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { after_outage, every, max, per_second, attempts, kinds } = self;
        fields.leaf("after_outage", after_outage);
        fields.optional("every", every);
        fields.leaf("max", max);
        fields.leaf("per_second", per_second);
        fields.leaf("attempts", attempts);
        fields.optional_leaves("kinds", kinds);
    }
}

impl Default for DeadLettersConfig {
    fn default() -> Self {
        Self {
            max_items: defaults::DEAD_LETTERS.default,
            max_bytes: defaults::DEAD_LETTER_BYTES.default,
            reprocess: ReprocessConfig::default(),
        }
    }
}

impl DeadLettersConfig {
    pub(super) fn check(&self, check: &mut Check) {
        check.within("dead_letters.max_items", self.max_items, defaults::DEAD_LETTERS);
        check.within("dead_letters.max_bytes", self.max_bytes, defaults::DEAD_LETTER_BYTES);
        self.reprocess.check(check);
    }
}

impl Section for DeadLettersConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { max_items, max_bytes, reprocess } = self;
        fields.leaf("max_items", max_items);
        fields.leaf("max_bytes", max_bytes);
        fields.section("reprocess", reprocess);
    }
}
