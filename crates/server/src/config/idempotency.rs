//! How long is a request's `Idempotency-Key` remembered?

use schemars::JsonSchema;
use serde::Serialize;

use super::check::Check;
use super::defaults;
use super::read::{Fields, Section};
use super::units::Span;

/// The keys of accepted requests that are remembered, across restarts too: a request that is sent
/// again with its `Idempotency-Key` is answered alike and stored once, as long as its key is one of
/// the newest `max_keys` and not older than `window`. Requests without a key cost nothing.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct IdempotencyConfig {
    /// How long a key is remembered, 1 s to 7 d. Default 10 m.
    pub window: Span,
    /// Most keys remembered, the newest ones, 1 to 10,000,000. A key takes at most 180 bytes of
    /// memory, so the default at most 36 MB. Default 200,000.
    #[schemars(range(min = defaults::KEYS.min, max = defaults::KEYS.max))]
    pub max_keys: u64,
}

impl Default for IdempotencyConfig {
    fn default() -> Self {
        Self { window: defaults::KEY_WINDOW.default, max_keys: defaults::KEYS.default }
    }
}

impl IdempotencyConfig {
    pub(super) fn check(&self, check: &mut Check) {
        check.within("http.idempotency.window", self.window, defaults::KEY_WINDOW);
        check.within("http.idempotency.max_keys", self.max_keys, defaults::KEYS);
    }
}

impl Section for IdempotencyConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { window, max_keys } = self;
        fields.leaf("window", window);
        fields.leaf("max_keys", max_keys);
    }
}
