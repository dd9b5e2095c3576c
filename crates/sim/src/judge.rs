//! Is it good enough? What is asked of a controller, and whether its rows meet it.
//!
//! *Floor*: below it the work is not finished. *Aim*: what is meant to be reached. Each criterion
//! names the scenario that decides it. Random backends count most, since nobody tuned on them; what
//! real backends say counts more than all of this.

use std::io::{self, Write};

use crate::row::{Row, Settle};
use crate::selection::Group;
use crate::suite::{Study, Yardstick};

/// How far a criterion is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Below the floor.
    Missed,
    /// The floor is met, the aim is not.
    Floor,
    /// The aim is met.
    Aim,
}

impl Grade {
    /// In words.
    #[must_use]
    pub const fn told(self) -> &'static str {
        match self {
            Self::Missed => "floor missed",
            Self::Floor => "floor met",
            Self::Aim => "aim met",
        }
    }
}

/// A criterion, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Which scenarios.
    pub group: &'static str,
    /// What is asked.
    pub asked: &'static str,
    /// What was reached, with its unit.
    pub reached: String,
    /// The scenario that decides it; empty for a mean.
    pub decided_by: String,
    /// The floor.
    pub floor: String,
    /// The aim.
    pub aim: String,
    /// How far it is met.
    pub grade: Grade,
}

/// A criterion's bounds and how its values are written.
#[derive(Clone, Copy)]
struct Bounds {
    group: &'static str,
    asked: &'static str,
    floor: f64,
    aim: f64,
    /// Whether more is better.
    more: bool,
    unit: Unit,
}

#[derive(Clone, Copy)]
enum Unit {
    Ratio,
    Percent,
    Seconds,
    PerMinute,
    /// A share of what is allowed: 1 is just allowed.
    OfAllowed,
}

impl Unit {
    fn told(self, value: f64) -> String {
        if !value.is_finite() {
            return "never".into();
        }
        match self {
            Self::Ratio => format!("{value:.3}"),
            Self::Percent => format!("{:.2} %", value * 100.0),
            Self::Seconds => format!("{value:.2} s"),
            Self::PerMinute => format!("{value:.1}/min"),
            Self::OfAllowed => format!("{value:.2} × allowed"),
        }
    }
}

const fn least(group: &'static str, asked: &'static str, floor: f64, aim: f64) -> Bounds {
    Bounds { group, asked, floor, aim, more: true, unit: Unit::Ratio }
}

const fn sharers(asked: &'static str, floor: f64, aim: f64) -> Bounds {
    least("sharers", asked, floor, aim)
}

const fn most(asked: &'static str, floor: f64, aim: f64, unit: Unit) -> Bounds {
    Bounds { group: "saturated", asked, floor, aim, more: false, unit }
}

impl Bounds {
    const fn of(self, group: &'static str) -> Self {
        Self { group, ..self }
    }

    fn judge(self, value: f64, decided_by: &str) -> Verdict {
        let meets = |bound: f64| if self.more { value >= bound } else { value <= bound };
        let grade = match (meets(self.floor), meets(self.aim)) {
            (_, true) => Grade::Aim,
            (true, false) => Grade::Floor,
            (false, false) => Grade::Missed,
        };
        let sign = if self.more { "≥" } else { "≤" };
        Verdict {
            group: self.group,
            asked: self.asked,
            reached: self.unit.told(value),
            decided_by: decided_by.to_owned(),
            floor: format!("{sign} {}", self.unit.told(self.floor)),
            aim: format!("{sign} {}", self.unit.told(self.aim)),
            grade,
        }
    }

    /// By the worst of the rows; what does not apply is passed over.
    fn worst<'a>(
        self,
        rows: impl Iterator<Item = &'a Row>,
        value: impl Fn(&Row) -> Option<f64>,
    ) -> Option<Verdict> {
        let known = rows.filter_map(|row| Some((value(row)?, row.scenario.as_str())));
        let worse = |a: &(f64, &str), b: &(f64, &str)| {
            if self.more { a.0.total_cmp(&b.0) } else { b.0.total_cmp(&a.0) }
        };
        known.min_by(worse).map(|(value, scenario)| self.judge(value, scenario))
    }

    fn mean<'a>(self, rows: impl Iterator<Item = &'a Row>) -> Option<Verdict> {
        let known: Vec<f64> = rows.filter_map(|row| row.steady_ratio).collect();
        #[expect(clippy::cast_precision_loss, reason = "a few scenarios")]
        let many = known.len() as f64;
        (!known.is_empty()).then(|| self.judge(known.iter().sum::<f64>() / many, ""))
    }
}

/// Judges the controller of that name. Criteria whose scenarios were not run are left out.
#[must_use]
pub fn judge(study: &Study, controller: &str) -> Vec<Verdict> {
    let of = |group: Group| {
        let rows = study.rows.iter();
        rows.filter(move |row| row.group == group && row.controller == controller)
    };
    let canonical = || of(Group::Saturated).chain(of(Group::Arrivals));
    let changing = || canonical().filter(|row| changes_capacity(study, &row.scenario));
    let steady = |row: &Row| row.steady_ratio;
    let against_static = |row: &Row| row.vs_best_static;
    let of_sharers = |name| named(of(Group::Sharers), name);
    let verdicts = [
        least("random", "steady ÷ oracle, mean", 0.93, 0.97).mean(of(Group::Random)),
        least("random", "steady ÷ oracle, each", 0.80, 0.92).worst(of(Group::Random), steady),
        least("random", "steady ÷ oracle, worst seed", 0.50, 0.80)
            .worst(of(Group::Random), |row| row.worst_seed_ratio),
        least("saturated", "steady ÷ oracle, mean", 0.965, 0.985).mean(of(Group::Saturated)),
        least("saturated", "steady ÷ oracle, each", 0.93, 0.97).worst(of(Group::Saturated), steady),
        least("arrivals", "steady ÷ oracle, each", 0.97, 0.99).worst(of(Group::Arrivals), steady),
        least("canonical", "whole run ÷ best static plan, each", 0.93, 0.97)
            .worst(canonical(), against_static),
        least("canonical", "the same where the capacity changes", 1.0, 1.0)
            .worst(changing(), against_static),
        settling(study, of(Group::Saturated)),
        most("settling after the step ÷ 4, median", 1.0, 0.5, Unit::Seconds)
            .worst(named(of(Group::Saturated), "step"), |row| after_change(row).map(median)),
        most("settling after the step ÷ 4, worst seed", 10.0, 3.0, Unit::Seconds)
            .worst(named(of(Group::Saturated), "step"), |row| after_change(row).map(worst)),
        most("settling after the outage, median", 1.0, 0.5, Unit::Seconds)
            .worst(named(of(Group::Saturated), "outage"), |row| after_change(row).map(median)),
        most("latency added to an empty pipe, mean", 0.10, 0.05, Unit::Percent)
            .of("slow sources")
            .worst(named(of(Group::Source), "source_slow"), |row| added_latency(study, row)),
        least("slow sources", "after a minute of silence, ÷ oracle", 0.85, 0.95)
            .worst(named(of(Group::Source), "source_idle"), steady),
        sharers("4 sharers that hear of the queue", 0.93, 0.95)
            .worst(of_sharers("sharers_4"), steady),
        sharers("16 sharers", 0.78, 0.85).worst(of_sharers("sharers_16"), steady),
        sharers("64 sharers", 0.38, 0.60).worst(of_sharers("sharers_64"), steady),
        sharers("4 sharers that hear nothing", 0.60, 0.90)
            .worst(of_sharers("sharers_4_silent"), steady),
        sharers("fairness (Jain) of those who hear", 0.80, 0.95)
            .worst(heard(of(Group::Sharers)), |row| row.jain),
        sharers("fairness of those who do not", 0.60, 0.90)
            .worst(of_sharers("sharers_4_silent"), |row| row.jain),
        most("late items", 0.015, 0.012, Unit::Percent)
            .worst(of(Group::Saturated), |row| Some(row.miss_ratio)),
        most("refusals by rate limits", 10.0, 5.0, Unit::PerMinute)
            .worst(of(Group::Saturated), |row| Some(row.refusals_per_minute)),
    ];
    verdicts.into_iter().flatten().collect()
}

fn named<'a>(
    rows: impl Iterator<Item = &'a Row>,
    name: &'static str,
) -> impl Iterator<Item = &'a Row> {
    rows.filter(move |row| row.scenario == name)
}

fn heard<'a>(rows: impl Iterator<Item = &'a Row>) -> impl Iterator<Item = &'a Row> {
    rows.filter(|row| row.scenario != "sharers_4_silent")
}

fn yardstick<'a>(study: &'a Study, scenario: &str) -> Option<&'a Yardstick> {
    study.yardsticks.iter().find(|yardstick| yardstick.entry.scenario.name == scenario)
}

fn changes_capacity(study: &Study, scenario: &str) -> bool {
    yardstick(study, scenario)
        .is_some_and(|yardstick| !yardstick.entry.scenario.backend.capacity.is_empty())
}

/// By how much more than one item alone the items of a slow source take, as a share.
fn added_latency(study: &Study, row: &Row) -> Option<f64> {
    let backend = &yardstick(study, &row.scenario)?.entry.scenario.backend;
    // Medians; the mean of a lognormal is above its median.
    let mean = |median_ms: f64, sigma: f64| median_ms * (sigma * sigma / 2.0).exp();
    let service = backend.fixed_ms + backend.per_item_us / 1e3;
    let network = backend.network;
    let empty_ms = mean(service, backend.noise) + mean(network.median_ms, network.sigma);
    Some(row.mean_seconds? * 1e3 / empty_ms - 1.0)
}

/// From cold: 300 batches or 2 s, whichever is longer, 4 s over a network of more than 20 ms; the
/// aim is half of each. Told as a share of what the floor allows.
fn settling<'a>(study: &Study, rows: impl Iterator<Item = &'a Row>) -> Option<Verdict> {
    let share = |row: &Row| {
        let cold = row.settles.iter().find(|settle| settle.at_s <= 0.0)?;
        let far = yardstick(study, &row.scenario)
            .is_some_and(|found| found.entry.scenario.backend.network.median_ms > 20.0);
        let by_time = cold.seconds_median? / if far { 4.0 } else { 2.0 };
        let by_batches = cold.batches_median.unwrap_or(f64::INFINITY) / 300.0;
        Some(by_time.min(by_batches))
    };
    // A median that never came is the worst.
    let share = |row: &Row| match row.settles.is_empty() {
        true => None,
        false => Some(share(row).unwrap_or(f64::INFINITY)),
    };
    let asked = "settling from cold, median (allowed: 300 batches or 2 s, far 4 s)";
    most(asked, 1.0, 0.5, Unit::OfAllowed).worst(rows, share)
}

/// The first change that is named.
fn after_change(row: &Row) -> Option<&Settle> {
    row.settles.iter().find(|settle| settle.at_s > 0.0)
}

fn median(settle: &Settle) -> f64 {
    settle.seconds_median.unwrap_or(f64::INFINITY)
}

fn worst(settle: &Settle) -> f64 {
    settle.seconds_worst.unwrap_or(f64::INFINITY)
}

/// Writes the verdicts on each controller as a Markdown table; nothing if nothing can be judged.
///
/// # Errors
///
/// Whatever the writer reports.
pub fn write(out: &mut impl Write, study: &Study, controllers: &[&str]) -> io::Result<()> {
    let mut lines = Vec::new();
    for controller in controllers {
        lines.extend(judge(study, controller).into_iter().map(|verdict| {
            vec![
                (*controller).to_owned(),
                verdict.group.to_owned(),
                verdict.asked.to_owned(),
                verdict.reached,
                verdict.decided_by,
                verdict.floor,
                verdict.aim,
                verdict.grade.told().to_owned(),
            ]
        }));
    }
    if lines.is_empty() {
        return Ok(());
    }
    let heads = ["controller", "group", "asked", "reached", "decided by", "floor", "aim", "judged"];
    writeln!(out)?;
    crate::table::markdown(out, &heads, &lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_met_at_the_bound_and_missed_below_it() {
        let bounds = least("random", "x", 0.8, 0.9);
        let grade = |value| bounds.judge(value, "").grade;
        assert_eq!([0.79, 0.8, 0.9].map(grade), [Grade::Missed, Grade::Floor, Grade::Aim]);
        let most = most("y", 1.0, 0.5, Unit::Seconds);
        let grade = |value| most.judge(value, "").grade;
        assert_eq!([f64::INFINITY, 1.0, 0.5].map(grade), [Grade::Missed, Grade::Floor, Grade::Aim]);
        assert_eq!(most.judge(f64::INFINITY, "step").reached, "never");
    }
}
