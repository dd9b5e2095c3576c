//! Which events does a sink get, and how many may wait for it in the journal?

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;

use super::check::Check;
use super::defaults;
use super::read::{Fields, Leaf, Section, choice};
use super::route::{StepConfig, WhenConfig};
use super::units::{ByteSize, Share};
use crate::route::Route;

/// What a sink is given.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
#[schemars(default)]
pub struct IntakeConfig {
    /// The condition under which the sink gets an event. Without tests it gets all.
    pub when: WhenConfig,
    /// Changes of every event before it reaches the sink, one after the other, at most 64. Default
    /// none.
    pub transform: Vec<StepConfig>,
    /// How much of the journal may wait for the sink: a share of `journal.max_bytes` from 1 % to
    /// 100 %, or a size from 64 KiB to all of it. Default null: all of it for `on_full: block`, else
    /// half.
    pub journal_share_max: Option<Share>,
    /// What happens when that much waits. Default block.
    pub on_full: OnFull,
}

/// What happens when a sink has filled its share of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFull {
    /// Requests are refused with 503 until the sink has taken more.
    #[default]
    Block,
    /// Nothing is kept for the sink, and what it misses is counted, until it takes a batch again:
    /// then it gets events from there on.
    Detach,
}

impl Leaf for OnFull {
    fn read(text: &str) -> Result<Self, Cow<'static, str>> {
        choice(text, &[("block", Self::Block), ("detach", Self::Detach)]).map_err(Cow::Owned)
    }
}

impl IntakeConfig {
    /// The bytes of the journal that may wait for the sink, when it has `journal` in all.
    #[must_use]
    pub fn share_bytes(&self, journal: ByteSize) -> ByteSize {
        let default = match self.on_full {
            OnFull::Block => Share::PerMille(1000),
            OnFull::Detach => Share::PerMille(500),
        };
        self.journal_share_max.unwrap_or(default).of(journal)
    }

    pub(crate) fn route(&self) -> Route {
        // What is refused here was refused before the server began.
        self.checked_route("", &mut Check::default())
    }

    pub(super) fn check(&self, path: &str, journal: ByteSize, check: &mut Check) {
        self.checked_route(path, check);
        let path = format!("{path}.journal_share_max");
        match self.journal_share_max {
            Some(Share::PerMille(share)) if !(10..=1000).contains(&share) => {
                check.invalid(&path, Share::PerMille(share), "between 1 % and 100 %");
            }
            Some(Share::Bytes(bytes)) if bytes < defaults::SHARE_BYTES_MIN || bytes > journal => {
                let least = defaults::SHARE_BYTES_MIN;
                let bound = format!("between {least} and journal.max_bytes, which is {journal}");
                check.invalid(&path, bytes, bound);
            }
            _ => {}
        }
    }

    fn checked_route(&self, path: &str, check: &mut Check) -> Route {
        let count = self.transform.len();
        if count > defaults::STEPS_MAX {
            let bound = format!("at most {} steps", defaults::STEPS_MAX);
            check.invalid(&format!("{path}.transform"), format!("{count} steps"), bound);
        }
        let when = self.when.compiled(&format!("{path}.when"), check);
        let mut route = Route { when, ..Route::default() };
        for (index, step) in self.transform.iter().enumerate() {
            let path = format!("{path}.transform[{index}]");
            route.transform.steps.extend(step.compiled(&path, check));
        }
        route
    }
}

impl Section for IntakeConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { when, transform, journal_share_max, on_full } = self;
        fields.section("when", when);
        fields.list("transform", transform);
        fields.optional("journal_share_max", journal_share_max);
        fields.leaf("on_full", on_full);
    }
}
