//! When does a sink count as away, and how is that found to be over?

use schemars::JsonSchema;
use serde::Serialize;
use tidegate::breaker::Settings;

use super::check::Check;
use super::defaults;
use super::read::{Fields, Section};
use super::units::Span;

/// The breaker of a sink. While it is open nothing is sent, and the journal keeps what comes.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct BreakerConfig {
    /// Failures in a row that open it, 1 to 1,000; more on a sink that fails often anyway.
    /// Default 5.
    #[schemars(range(min = defaults::BREAKER_FAILURES.min, max = defaults::BREAKER_FAILURES.max))]
    pub failures: u32,
    /// How long it is open the first time, 1 ms to 1 h; twice as long after each failed probe.
    /// Default 1 s.
    pub open: Span,
    /// How long it is open at most, from `open` to 1 d. Default 4 s.
    pub open_max: Span,
    /// Small batches that must be answered to close it, 1 to 100. Default 3.
    #[schemars(range(min = defaults::BREAKER_PROBES.min, max = defaults::BREAKER_PROBES.max))]
    pub probes: u32,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failures: defaults::BREAKER_FAILURES.default,
            open: defaults::BREAKER_OPEN.default,
            open_max: defaults::BREAKER_OPEN_MAX.default,
            probes: defaults::BREAKER_PROBES.default,
        }
    }
}

impl BreakerConfig {
    /// The library's settings.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            failures: self.failures,
            open: self.open.duration(),
            open_max: self.open_max.duration(),
            probes: self.probes,
        }
    }

    pub(super) fn check(&self, path: &str, check: &mut Check) {
        let at = |field: &str| format!("{path}.{field}");
        check.within(&at("failures"), self.failures, defaults::BREAKER_FAILURES);
        check.within(&at("open"), self.open, defaults::BREAKER_OPEN);
        check.within(&at("open_max"), self.open_max, defaults::BREAKER_OPEN_MAX);
        check.within(&at("probes"), self.probes, defaults::BREAKER_PROBES);
        check.at_least((&at("open_max"), self.open_max), (&at("open"), self.open));
    }
}

impl Section for BreakerConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { failures, open, open_max, probes } = self;
        fields.leaf("failures", failures);
        fields.leaf("open", open);
        fields.leaf("open_max", open_max);
        fields.leaf("probes", probes);
    }
}
