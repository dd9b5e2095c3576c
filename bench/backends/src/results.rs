//! What did the rounds say? Figures of every run, and medians and ratios over the rounds.
//!
//! The yardstick of a phase is the static plan with the highest median goodput in that phase, of
//! those that miss at most 3 % (while something disturbs, of all); over the whole run it is the
//! best single plan in hindsight. A ratio is taken round by round, against the yardstick's run of
//! the same round, so that a machine that is slow for a while is slow for both; its median and
//! range are what is reported.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::figures::{Figures, Spread, settling, share};
use crate::measure::Measured;
use crate::product::ProductFigures;
use crate::record::Attempt;

/// Misses of a static plan that survives.
pub(crate) const MISSES_MAX: f64 = 0.03;

/// A part of a run that has figures of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// From the beginning to the end.
    Whole,
    /// The second half, where nothing disturbs.
    Steady,
    /// Before the disturbance.
    Calm,
    /// While it lasts.
    Disturbed,
    /// After it.
    After,
}

impl Phase {
    /// The phases of a run of `seconds`, with their spans.
    pub(crate) fn all(seconds: f64, disturbed: Option<(f64, f64)>) -> Vec<(Self, (f64, f64))> {
        let whole = (Self::Whole, (0.0, seconds));
        match disturbed {
            None => vec![whole, (Self::Steady, (seconds / 2.0, seconds))],
            Some((from, to)) => vec![
                whole,
                (Self::Calm, (0.0, from)),
                (Self::Disturbed, (from, to)),
                (Self::After, (to, seconds)),
            ],
        }
    }
}

/// One run of one contender.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunFigures {
    /// Which round, from 1.
    pub round: u32,
    /// Which place in its round, from 1.
    pub place: u32,
    /// Figures of each phase.
    pub phases: BTreeMap<Phase, Figures>,
    /// Seconds from the beginning of each phase to 90 % of its yardstick, or of a constant rate of
    /// arrivals; absent if never.
    pub settling_s: BTreeMap<Phase, f64>,
    /// Median of delivery latency, where items arrive.
    pub delivery_p50_s: Option<f64>,
    /// Its 99th percentile.
    pub delivery_p99_s: Option<f64>,
    /// Items that still waited at the end.
    pub queued: u64,
    /// Processor seconds of the client.
    pub client_cpu_s: f64,
    /// Processor seconds of the backend.
    pub backend_cpu_s: f64,
    /// Changes of plan.
    pub decisions: u64,
    /// Batch size of the last plan.
    pub last_size: u32,
    /// Concurrency of the last plan.
    pub last_concurrency: f64,
    /// The first thing that went wrong, in the backend's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// When the disturbance was there, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disturbed: Option<(f64, f64)>,
    /// What only a server has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<ProductFigures>,
}

impl RunFigures {
    /// The figures of a run.
    pub(crate) fn of(measured: &Measured, round: u32, place: u32, seconds: f64) -> Self {
        let run = &measured.run;
        let phases = Phase::all(seconds, measured.disturbed);
        let figures = |span| crate::figures::figures(&run.attempts, span);
        Self {
            round,
            place,
            phases: phases.into_iter().map(|(phase, span)| (phase, figures(span))).collect(),
            settling_s: BTreeMap::new(),
            delivery_p50_s: measured.delivery_s.map(|(p50, _)| p50),
            delivery_p99_s: measured.delivery_s.map(|(_, p99)| p99),
            queued: run.queued,
            client_cpu_s: measured.client_cpu.as_secs_f64(),
            backend_cpu_s: measured.backend_cpu.as_secs_f64(),
            decisions: run.decisions.len() as u64,
            last_size: run.last.batch_size,
            last_concurrency: run.last.concurrency,
            trouble: measured.trouble.clone(),
            disturbed: measured.disturbed,
            product: measured.product.clone(),
        }
    }

    /// Its goodput in that phase.
    pub(crate) fn goodput(&self, phase: Phase) -> f64 {
        self.phases.get(&phase).map_or(0.0, |figures| figures.goodput)
    }

    /// Processor seconds a million delivered items: of the client, and of the backend.
    pub(crate) fn cpu_per_million(&self, seconds: f64) -> (f64, f64) {
        let delivered = self.phases.get(&Phase::Whole).map_or(0.0, |whole| whole.delivered);
        let millions = delivered * seconds / 1e6;
        (share(self.client_cpu_s, millions), share(self.backend_cpu_s, millions))
    }
}

/// A contender and its runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Its name.
    pub name: String,
    /// Whether its plan never changes.
    pub is_static: bool,
    /// Its runs, round by round.
    pub runs: Vec<RunFigures>,
    /// Medians and ratios over the rounds, phase by phase.
    pub summary: BTreeMap<Phase, Summary>,
}

/// One phase over the rounds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// Timely items a second.
    pub goodput: Spread,
    /// The same as a share of the yardstick's, round by round.
    pub of_best_static: Spread,
    /// Share of items that were late or given up.
    pub miss_ratio: Spread,
    /// Failed attempts of all rounds.
    pub errors: u64,
    /// Attempts refused by a rate limit, in all rounds.
    pub throttled: u64,
    /// Median attempt latency.
    pub p50_s: Spread,
    /// 99th percentile of attempt latency.
    pub p99_s: Spread,
    /// Mean items of an attempt.
    pub mean_size: f64,
    /// Mean attempts in flight.
    pub mean_in_flight: f64,
    /// Median time to 90 % of the yardstick, of the rounds that reached it.
    pub settling_s: Option<f64>,
    /// Rounds that reached it.
    pub settled: u32,
}

/// Everything about one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Results {
    /// The case's name.
    pub case: String,
    /// The backend, with its version.
    pub backend: String,
    /// What arrived.
    pub arrivals: String,
    /// The latency that was allowed.
    pub target_ms: f64,
    /// Of what.
    pub target_of: crate::record::Latency,
    /// Whether something disturbed the middle third.
    pub disturbed: bool,
    /// Length of a run.
    pub round_s: f64,
    /// The machine.
    pub machine: String,
    /// The arguments of the program.
    pub command: String,
    /// The yardstick of each phase, by name.
    pub best_static: BTreeMap<Phase, String>,
    /// All contenders.
    pub entries: Vec<Entry>,
}

/// The attempts of each contender's runs, as the entries are ordered: what is needed to find when a
/// run settled.
pub(crate) type Traces = [Vec<Vec<Attempt>>];

impl Results {
    /// Finds the yardsticks, and fills in ratios, settling and summaries.
    pub(crate) fn conclude(&mut self, traces: &Traces) {
        let phases: Vec<Phase> = self
            .entries
            .iter()
            .flat_map(|entry| &entry.runs)
            .flat_map(|run| run.phases.keys().copied())
            .collect();
        for phase in phases {
            if self.best_static.contains_key(&phase) {
                continue;
            }
            let Some(best) = self.yardstick(phase) else { continue };
            self.best_static.insert(phase, best.name.clone());
            self.settle(phase, &best, traces);
            for entry in &mut self.entries {
                let summary = summarize(phase, entry, &best);
                entry.summary.insert(phase, summary);
            }
        }
    }

    /// Finds yardsticks, ratios and summaries again from the runs alone. Where a yardstick is another
    /// one than it was, nobody knows when a run would have settled by it.
    pub(crate) fn conclude_again(&mut self) {
        let before = std::mem::take(&mut self.best_static);
        self.conclude(&[]);
        let changed: Vec<Phase> = before
            .iter()
            .filter(|(phase, best)| self.best_static.get(phase) != Some(best))
            .map(|(phase, _)| *phase)
            .collect();
        if changed.is_empty() {
            return;
        }
        for run in self.entries.iter_mut().flat_map(|entry| &mut entry.runs) {
            run.settling_s.retain(|phase, _| !changed.contains(phase));
        }
        self.best_static.clear();
        self.conclude(&[]);
    }

    /// The static plan with the highest median goodput in that phase, of those that survive it;
    /// without one, of all static plans; without any, of all contenders. While something disturbs,
    /// every plan misses, and goodput alone decides.
    fn yardstick(&self, phase: Phase) -> Option<Entry> {
        let median = |entry: &Entry, of: fn(&Figures) -> f64| {
            Spread::of(entry.runs.iter().filter_map(|run| run.phases.get(&phase)).map(of)).median
        };
        let goodput = |entry: &Entry| median(entry, |figures| figures.goodput);
        let misses = |entry: &Entry| median(entry, |figures| figures.miss_ratio);
        let survives = |entry: &Entry| phase == Phase::Disturbed || misses(entry) <= MISSES_MAX;
        let best = |of: &dyn Fn(&Entry) -> bool| {
            let candidates = self.entries.iter().filter(|entry| of(entry));
            candidates.max_by(|a, b| goodput(a).total_cmp(&goodput(b))).cloned()
        };
        best(&|entry| entry.is_static && survives(entry))
            .or_else(|| best(&|entry| entry.is_static))
            .or_else(|| best(&|_| true))
    }

    fn settle(&mut self, phase: Phase, best: &Entry, traces: &Traces) {
        let goodput = match self.arrivals.split_once(':') {
            None => Spread::of(best.runs.iter().map(|run| run.goodput(phase))).median,
            // Whoever delivers what arrives has settled, however much the yardstick catches up.
            Some(("constant", rate)) => rate.parse().unwrap_or(f64::INFINITY),
            Some(_) => return,
        };
        let size = best.runs.first().map_or(0.0, |run| f64::from(run.last_size));
        let window = 30.0 * share(size, goodput);
        for (place, entry) in self.entries.iter_mut().enumerate() {
            for (round, run) in entry.runs.iter_mut().enumerate() {
                let Some(attempts) = traces.get(place).and_then(|runs| runs.get(round)) else {
                    continue;
                };
                let spans = Phase::all(self.round_s, run.disturbed);
                let Some((_, span)) = spans.into_iter().find(|(one, _)| *one == phase) else {
                    continue;
                };
                if let Some(settled) = settling(attempts, span, goodput, window) {
                    run.settling_s.insert(phase, settled);
                }
            }
        }
    }
}

fn summarize(phase: Phase, entry: &Entry, best: &Entry) -> Summary {
    let of = |part: fn(&Figures) -> f64| {
        Spread::of(entry.runs.iter().filter_map(|run| run.phases.get(&phase)).map(part))
    };
    let sum = |part: fn(&Figures) -> u64| {
        entry.runs.iter().filter_map(|run| run.phases.get(&phase)).map(part).sum()
    };
    let ratios = entry.runs.iter().filter_map(|run| {
        let yardstick = best.runs.iter().find(|other| other.round == run.round)?;
        Some(share(run.goodput(phase), yardstick.goodput(phase)))
    });
    let settled: Vec<f64> =
        entry.runs.iter().filter_map(|run| run.settling_s.get(&phase).copied()).collect();
    Summary {
        goodput: of(|figures| figures.goodput),
        of_best_static: Spread::of(ratios),
        miss_ratio: of(|figures| figures.miss_ratio),
        errors: sum(|figures| figures.errors),
        throttled: sum(|figures| figures.throttled),
        p50_s: of(|figures| figures.p50_s),
        p99_s: of(|figures| figures.p99_s),
        mean_size: of(|figures| figures.mean_size).median,
        mean_in_flight: of(|figures| figures.mean_in_flight).median,
        settled: u32::try_from(settled.len()).unwrap_or(u32::MAX),
        settling_s: (!settled.is_empty()).then(|| Spread::of(settled).median),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, is_static: bool, goodputs: &[(f64, f64)]) -> Entry {
        let run = |round: u32, (whole, steady): (f64, f64)| RunFigures {
            round,
            place: 1,
            phases: [(Phase::Whole, whole), (Phase::Steady, steady)]
                .map(|(phase, goodput)| (phase, Figures { goodput, ..Figures::default() }))
                .into(),
            settling_s: BTreeMap::new(),
            delivery_p50_s: None,
            delivery_p99_s: None,
            queued: 0,
            client_cpu_s: 2.0,
            backend_cpu_s: 4.0,
            decisions: 0,
            last_size: 100,
            last_concurrency: 1.0,
            trouble: None,
            disturbed: None,
            product: None,
        };
        let runs = (1..).zip(goodputs).map(|(round, both)| run(round, *both)).collect();
        Entry { name: name.to_owned(), is_static, runs, summary: BTreeMap::new() }
    }

    fn results(entries: Vec<Entry>) -> Results {
        let mut results = Results {
            case: String::new(),
            backend: String::new(),
            arrivals: "saturated".to_owned(),
            target_ms: 50.0,
            target_of: crate::record::Latency::Attempt,
            disturbed: false,
            round_s: 10.0,
            machine: String::new(),
            command: String::new(),
            best_static: BTreeMap::new(),
            entries,
        };
        results.conclude(&[]);
        results
    }

    #[test]
    fn each_phase_has_its_own_yardstick_and_ratios_are_taken_round_by_round() {
        let results = results(vec![
            entry("a", true, &[(100.0, 50.0), (200.0, 50.0), (100.0, 50.0)]),
            entry("b", true, &[(90.0, 80.0), (90.0, 80.0), (90.0, 80.0)]),
            entry("c", false, &[(110.0, 88.0), (190.0, 72.0), (105.0, 80.0)]),
        ]);
        assert_eq!(results.best_static[&Phase::Whole], "a");
        assert_eq!(results.best_static[&Phase::Steady], "b");
        let ratios = |phase| results.entries[2].summary[&phase].of_best_static;
        assert_eq!(ratios(Phase::Whole), Spread { median: 1.05, min: 0.95, max: 1.1 });
        assert_eq!(ratios(Phase::Steady), Spread { median: 1.0, min: 0.9, max: 1.1 });
        assert_eq!(results.entries[0].summary[&Phase::Whole].of_best_static.median, 1.0);
    }

    #[test]
    fn a_plan_that_is_fast_and_late_is_no_yardstick() {
        let mut late = entry("late", true, &[(100.0, 1.0)]);
        let figures = late.runs[0].phases.get_mut(&Phase::Whole).unwrap();
        figures.miss_ratio = 0.04;
        let results = results(vec![late, entry("in time", true, &[(80.0, 1.0)])]);
        assert_eq!(results.best_static[&Phase::Whole], "in time");
        assert_eq!(results.entries[0].summary[&Phase::Whole].of_best_static.median, 1.25);
    }

    #[test]
    fn a_changed_yardstick_is_found_again_and_settling_by_the_old_one_forgotten() {
        let mut results =
            results(vec![entry("a", true, &[(100.0, 1.0)]), entry("b", true, &[(80.0, 1.0)])]);
        results.entries[1].runs[0].settling_s.insert(Phase::Whole, 0.5);
        results.conclude_again();
        assert_eq!(results.entries[1].summary[&Phase::Whole].settling_s, Some(0.5));
        results.entries[0].runs.clear();
        results.conclude_again();
        assert_eq!(results.best_static[&Phase::Whole], "b");
        assert_eq!(results.entries[1].summary[&Phase::Whole].settling_s, None);
    }

    #[test]
    fn cpu_is_told_per_million_items() {
        let mut run = entry("a", true, &[(1.0, 1.0)]).runs.remove(0);
        run.phases.insert(Phase::Whole, Figures { delivered: 200_000.0, ..Figures::default() });
        assert_eq!(run.cpu_per_million(10.0), (1.0, 2.0));
    }

    #[test]
    fn without_a_static_plan_the_best_is_the_yardstick() {
        let results =
            results(vec![entry("c", false, &[(10.0, 1.0)]), entry("d", false, &[(20.0, 1.0)])]);
        assert_eq!(results.best_static[&Phase::Whole], "d");
        assert_eq!(results.entries[0].summary[&Phase::Whole].of_best_static.median, 0.5);
    }
}
