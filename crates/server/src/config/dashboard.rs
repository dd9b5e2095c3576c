//! Who may watch, and what is kept from whoever does?

use schemars::JsonSchema;
use serde::Serialize;

use super::check::Check;
use super::defaults;
use super::read::{Fields, Section};

/// The pages, and what they show.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct DashboardConfig {
    /// Most watchers of the live stream at once, 1 to 10,000: each open page is one. Default 64.
    #[schemars(range(min = defaults::WATCHERS.min, max = defaults::WATCHERS.max))]
    pub watchers_max: u32,
    /// Names of fields, in any case and at any depth, whose values are shown as `***` where the API
    /// shows an event (dead letters, and their export), at most 64. Default null: none.
    pub mask: Option<Vec<String>>,
}

impl Default for DashboardConfig {
    fn default() -> Self {
        Self { watchers_max: defaults::WATCHERS.default, mask: None }
    }
}

impl Section for DashboardConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { watchers_max, mask } = self;
        fields.leaf("watchers_max", watchers_max);
        fields.optional_leaves("mask", mask);
    }
}

impl DashboardConfig {
    pub(super) fn check(&self, check: &mut Check) {
        check.within("dashboard.watchers_max", self.watchers_max, defaults::WATCHERS);
        let mask = self.mask.as_deref().unwrap_or_default();
        if mask.len() > defaults::MASKED_MAX {
            let bound = format!("at most {} names", defaults::MASKED_MAX);
            check.invalid("dashboard.mask", format!("{} names", mask.len()), bound);
        }
        if let Some(at) = mask.iter().position(String::is_empty) {
            check.invalid(&format!("dashboard.mask[{at}]"), "empty", "the name of a field");
        }
    }
}
