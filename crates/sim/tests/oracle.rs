//! The oracle against the published column: the simulator is the one that was described.
//!
//! The default run is quick and looks at two scenarios; `TIDEGATE_SIM_FULL=1` looks at all of them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use tidegate_sim::oracle::{Cache, Effort, Oracle};
use tidegate_sim::scenario::canonical;

/// Scenario and published goodput, in items a second.
const PUBLISHED: [(&str, f64); 6] = [
    ("fsync", 404e3),
    ("pgC", 39.7e3),
    ("pgA", 187e3),
    ("pgB", 1_211e3),
    ("http_rl", 19.7e3),
    ("http", 163e3),
];

#[test]
fn the_oracle_agrees_with_the_published_column_within_three_percent() {
    let full = std::env::var_os("TIDEGATE_SIM_FULL").is_some();
    let (effort, which) =
        if full { (Effort::Full, &PUBLISHED[..]) } else { (Effort::Quick, &PUBLISHED[..2]) };
    for (name, published) in which {
        let scenario = canonical::by_name(name).unwrap().unwrap();
        let oracle = Oracle::find(&scenario, effort, &Cache::default()).unwrap();
        let ratio = oracle.plan.goodput / published;
        assert!((ratio - 1.0).abs() < 0.03, "{name}: {ratio:.3} with {:?}", oracle.plan);
        assert!(oracle.plan.miss_ratio <= 0.01, "{name}: {:?}", oracle.plan);
    }
}
