//! How was it in the last hour? Columns, at falling resolution.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The last hour: the last 2 minutes every 250 ms, then every second up to 12 minutes, then every 10
/// seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct History {
    /// The id of the last tick in it; the stream after it continues the columns.
    pub id: String,
    /// When each point ends, in milliseconds since 1970-01-01 UTC, rising. The distance between two
    /// is the resolution there, or more where the server was held up.
    pub at_unix_ms: Vec<i64>,
    /// Series of the server and of all lanes together: the names of `Totals`, `Resources` and
    /// `Journal` that are plotted.
    pub totals: BTreeMap<String, Series>,
    /// The series of each lane that was asked for, by `sink/lane`, then by name.
    pub lanes: BTreeMap<String, BTreeMap<String, Series>>,
}

/// One value a point, null where there was none. Where the resolution falls, rates are means, plans
/// and levels are the last value, and latencies, queues and ages are the worst value of the interval.
pub type Series = Vec<Option<f32>>;
