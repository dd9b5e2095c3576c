//! What must a lane not do, whatever its controller thinks?

use schemars::JsonSchema;
use serde::Serialize;
use tidegate::SettingError;
use tidegate::guard::{Guards, Limits};

use super::read::{Fields, Section};
use super::units::{ByteSize, Span};

/// Guards of a lane, over any controller: each lowers the plan for a while, and says why. What
/// is in use is read once a second.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct GuardsConfig {
    /// Whether refusals by a rate limit set a pace. Default true.
    pub rate: bool,
    /// Share of the machine's processor in use, 0.01 to 1. Default null: all of it.
    #[schemars(range(min = 0.01, max = 1.0))]
    pub cpu: Option<f64>,
    /// Share of the machine's memory in use, 0.01 to 1. Default null: all of it.
    #[schemars(range(min = 0.01, max = 1.0))]
    pub system_memory: Option<f64>,
    /// Memory of this process, 1 MiB to 64 TiB. Default null: any.
    pub process_memory: Option<ByteSize>,
    /// What most attempts must stay under, 1 ms to 1 h: for controllers that do not look at
    /// `target`. Default null: not looked at.
    pub target: Option<Span>,
    /// Events in flight, 1 to 1,000,000,000: batch size × concurrency stays within. Default null:
    /// any.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub in_flight_items: Option<u64>,
}

impl Default for GuardsConfig {
    fn default() -> Self {
        Self {
            rate: Limits::default().rate,
            cpu: None,
            system_memory: None,
            process_memory: None,
            target: None,
            in_flight_items: None,
        }
    }
}

impl GuardsConfig {
    fn limits(&self) -> Limits {
        Limits {
            rate: self.rate,
            process_memory: self.process_memory.map(ByteSize::bytes),
            system_memory: self.system_memory,
            cpu: self.cpu,
            target: self.target.map(Span::duration),
            in_flight_items: self.in_flight_items,
        }
    }

    /// The library's guards.
    ///
    /// # Errors
    ///
    /// [`SettingError`] for the first limit that is out of its range.
    pub fn guards(&self) -> Result<Guards, SettingError> {
        Guards::new(self.limits())
    }

    /// What is out of its range: field, value and bound.
    pub(super) fn refused(&self) -> Option<(&'static str, String, String)> {
        let error = self.limits().check().err()?;
        let SettingError { field, value, bound } = error;
        Some(match field {
            "guards.process_memory" => {
                let value = self.process_memory.map_or(value, |bytes| bytes.to_string());
                ("guards.process_memory", value, "between 1 MiB and 64 TiB".to_owned())
            }
            "guards.target_ms" => {
                let value = self.target.map_or(value, |span| span.to_string());
                ("guards.target", value, "between 1 ms and 1 h".to_owned())
            }
            "guards.system_memory" => ("guards.system_memory", value, bound),
            "guards.cpu" => ("guards.cpu", value, bound),
            _ => ("guards.in_flight_items", value, bound),
        })
    }
}

impl Section for GuardsConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { rate, cpu, system_memory, process_memory, target, in_flight_items } = self;
        fields.leaf("rate", rate);
        fields.optional("cpu", cpu);
        fields.optional("system_memory", system_memory);
        fields.optional("process_memory", process_memory);
        fields.optional("target", target);
        fields.optional("in_flight_items", in_flight_items);
    }
}
