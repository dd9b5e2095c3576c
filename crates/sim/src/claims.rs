//! Do the claims of earlier systems hold? Each is measured against a static plan in a scenario of
//! its kind, for whatever controller is asked about.
//!
//! A claim without a load, a backend and a plan to compare with cannot be checked. So each one gets
//! all three: a scenario under `scenarios/claims/`, a static plan that somebody would set who knows
//! the backend on an ordinary day, and the quantity that the claim speaks of. The best static plan
//! in hindsight stands beside it, since a claim against a bad plan is cheap.

use std::io::{self, Write};

use crate::contender::Contender;
use crate::row::Row;
use crate::scenario::{Scenario, ScenarioError};
use crate::selection::Group;
use crate::suite::Study;

/// A claim, and how it is measured.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    /// What is claimed.
    pub says: &'static str,
    /// In which scenario it is measured.
    pub scenario: &'static str,
    /// What is measured.
    pub measure: Measure,
    /// When it holds.
    pub holds: Holds,
}

/// A quantity of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Timely items a second over the whole run.
    Goodput,
    /// Share of attempts that failed.
    FailedShare,
    /// Median time to 90 % of the oracle after each change.
    Settle,
    /// Share of the items that arrived that were delivered in time.
    TimelyShare,
    /// Share of attempts that succeeded.
    SuccessShare,
    /// 99th percentile of the latency that the target names.
    P99,
    /// Mean of that latency.
    MeanLatency,
    /// Attempts for 1,000 items.
    Attempts,
    /// Batch-seconds in service at the backend for a million items.
    Busy,
}

/// When a claim holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Holds {
    /// Ours is more than the static figure by this share.
    MoreBy(f64),
    /// Ours is less than the static figure by this share.
    LessBy(f64),
    /// Ours is at most this.
    AtMost(f64),
    /// Ours is at least this.
    AtLeast(f64),
}

/// Every claim.
pub const CLAIMS: [Claim; 11] = [
    claim("throughput +30–70 %", "claim_wave", Measure::Goodput, Holds::MoreBy(0.3)),
    claim("throughput +40 %", "claim_gradual", Measure::Goodput, Holds::MoreBy(0.4)),
    claim("throughput +50–80 %", "claim_api", Measure::Goodput, Holds::MoreBy(0.5)),
    claim("errors in a spike −80 %", "claim_spike", Measure::FailedShare, Holds::LessBy(0.8)),
    claim("adapts within 5 s", "claim_adapt", Measure::Settle, Holds::AtMost(5.0)),
    claim("ten times the normal load", "claim_tenfold", Measure::TimelyShare, Holds::AtLeast(0.95)),
    claim("≥ 95 % success, rate limit", "claim_limit", Measure::SuccessShare, Holds::AtLeast(0.95)),
    claim("response < 500 ms", "claim_response", Measure::P99, Holds::AtMost(0.5)),
    claim("latency −60–90 %", "claim_latency", Measure::MeanLatency, Holds::LessBy(0.6)),
    claim("attempts −30 %", "claim_cost", Measure::Attempts, Holds::LessBy(0.3)),
    claim("CPU −30 %", "claim_cost", Measure::Busy, Holds::LessBy(0.3)),
];

const fn claim(
    says: &'static str,
    scenario: &'static str,
    measure: Measure,
    holds: Holds,
) -> Claim {
    Claim { says, scenario, measure, holds }
}

macro_rules! files {
    ($(($name:literal, $size:literal, $slots:literal)),* $(,)?) => {
        [$(($name, include_str!(concat!("../scenarios/claims/", $name, ".yaml")), $size, $slots)),*]
    };
}

/// Name, YAML, and the static plan: size and concurrency.
const FILES: [(&str, &str, u32, f64); 10] = files![
    ("claim_wave", 500, 2.0),
    ("claim_gradual", 500, 2.0),
    ("claim_api", 500, 8.0),
    ("claim_spike", 2500, 4.0),
    ("claim_adapt", 2500, 4.0),
    ("claim_tenfold", 200, 1.0),
    ("claim_limit", 100, 8.0),
    ("claim_response", 500, 3.0),
    ("claim_latency", 500, 2.0),
    ("claim_cost", 100, 4.0),
];

/// The scenarios of the claims.
///
/// # Errors
///
/// [`ScenarioError`] if a shipped file were wrong, which a test rules out.
pub fn scenarios() -> Result<Vec<Scenario>, ScenarioError> {
    FILES.iter().map(|(_, text, ..)| Scenario::from_yaml(text)).collect()
}

/// The static plan that a claim's scenario is held against.
#[must_use]
pub fn static_plan(scenario: &str) -> Option<Contender> {
    let (.., size, slots) = FILES.iter().find(|(name, ..)| *name == scenario)?;
    let name = format!("static {size} × {slots}");
    Some(Contender { name, ..Contender::fixed(*size, *slots) })
}

impl Measure {
    /// What it is called, with its unit.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Goodput => "timely items/s",
            Self::FailedShare => "attempts failed",
            Self::Settle => "median settling",
            Self::TimelyShare => "items in time",
            Self::SuccessShare => "attempts succeeded",
            Self::P99 => "latency p99",
            Self::MeanLatency => "latency, mean",
            Self::Attempts => "attempts for 1,000 items",
            Self::Busy => "backend seconds for 10⁶ items",
        }
    }

    /// What a row says of it; none where it never came to be.
    #[must_use]
    pub fn of(self, row: &Row) -> Option<f64> {
        match self {
            Self::Goodput => Some(row.whole_goodput),
            Self::FailedShare => Some(1.0 - row.success_ratio),
            Self::Settle => row.settle_seconds_median,
            Self::TimelyShare => row.timely_share,
            Self::SuccessShare => Some(row.success_ratio),
            Self::P99 => row.p99_seconds,
            Self::MeanLatency => row.mean_seconds,
            Self::Attempts => row.attempts_per_1000,
            Self::Busy => row.busy_seconds_per_million,
        }
    }

    /// A figure as people read it.
    #[must_use]
    pub fn told(self, value: Option<f64>) -> String {
        let Some(value) = value else { return "never".into() };
        match self {
            Self::Goodput => format!("{value:.0}/s"),
            Self::FailedShare | Self::TimelyShare | Self::SuccessShare => {
                format!("{:.2} %", value * 100.0)
            }
            Self::Settle => format!("{value:.2} s"),
            Self::P99 | Self::MeanLatency => format!("{:.1} ms", value * 1e3),
            Self::Attempts => format!("{value:.2}"),
            Self::Busy => format!("{value:.1} s"),
        }
    }
}

/// A claim, measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What is claimed.
    pub says: &'static str,
    /// In which scenario.
    pub scenario: &'static str,
    /// What was measured.
    pub measure: Measure,
    /// Who was measured.
    pub controller: String,
    /// The static plan and its figure.
    pub fixed: (String, Option<f64>),
    /// What the best static plan in hindsight comes to: a claim against a bad plan is cheap.
    pub best: Option<f64>,
    /// The controller's figure.
    pub ours: Option<f64>,
    /// Ours over the static one, minus one.
    pub change: Option<f64>,
    /// Whether the claim holds.
    pub holds: bool,
}

/// The claims as the rows of their suite show them, for each controller.
#[must_use]
pub fn figures(study: &Study) -> Vec<Figure> {
    let mut figures = Vec::new();
    for claim in CLAIMS {
        let of_claim = study.rows.iter().filter(|row| row.group == Group::Claims);
        let mut of_claim = of_claim.filter(|row| row.scenario == claim.scenario);
        // The static plan is the first of its scenario.
        let Some(fixed) = of_claim.next() else { continue };
        let best = study.yardsticks.iter().map(|yardstick| &yardstick.hindsight_row);
        let best = best.clone().find(|row| row.scenario == claim.scenario);
        let best = best.and_then(|row| claim.measure.of(row));
        figures.extend(of_claim.map(|row| figure(claim, fixed, best, row)));
    }
    figures
}

fn figure(claim: Claim, fixed: &Row, best: Option<f64>, row: &Row) -> Figure {
    let (base, ours) = (claim.measure.of(fixed), claim.measure.of(row));
    let change =
        base.zip(ours).filter(|(base, _)| *base > 0.0).map(|(base, ours)| ours / base - 1.0);
    let holds = match claim.holds {
        Holds::MoreBy(share) => change.is_some_and(|change| change >= share),
        // Nothing can be less than no error at all.
        Holds::LessBy(share) => change.is_some_and(|change| change <= -share),
        Holds::AtMost(most) => ours.is_some_and(|ours| ours <= most),
        Holds::AtLeast(least) => ours.is_some_and(|ours| ours >= least),
    };
    Figure {
        says: claim.says,
        scenario: claim.scenario,
        measure: claim.measure,
        controller: row.controller.clone(),
        fixed: (fixed.controller.clone(), base),
        best,
        ours,
        change,
        holds,
    }
}

/// Writes the claims as a Markdown table.
///
/// # Errors
///
/// Whatever the writer reports.
pub fn write(out: &mut impl Write, study: &Study) -> io::Result<()> {
    let lines = figures(study).into_iter().map(|figure| {
        vec![
            figure.says.to_owned(),
            figure.scenario.to_owned(),
            figure.measure.title().to_owned(),
            figure.fixed.0.trim_start_matches("static ").to_owned(),
            figure.measure.told(figure.fixed.1),
            figure.measure.told(figure.best),
            figure.controller.clone(),
            figure.measure.told(figure.ours),
            figure.change.map_or_else(|| "–".into(), |change| format!("{:+.0} %", change * 100.0)),
            if figure.holds { "yes" } else { "no" }.to_owned(),
        ]
    });
    let heads = [
        "claim",
        "scenario",
        "measured",
        "static plan",
        "static",
        "best static",
        "controller",
        "ours",
        "change",
        "holds",
    ];
    crate::table::markdown(out, &heads, &lines.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_claim_has_its_scenario_and_every_scenario_its_static_plan() {
        let scenarios = scenarios().unwrap();
        for claim in CLAIMS {
            assert!(scenarios.iter().any(|scenario| scenario.name == claim.scenario), "{claim:?}");
        }
        for (scenario, (name, ..)) in scenarios.iter().zip(FILES) {
            assert_eq!(scenario.name, name);
            let plan = static_plan(name).unwrap();
            assert!(scenario.bounds.to_bounds().check_plan(&plan.first).is_ok(), "{name}");
        }
        assert_eq!(static_plan("pgA"), None);
    }
}
