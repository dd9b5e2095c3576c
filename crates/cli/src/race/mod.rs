//! Who would fare better? The simulator behind the server's pages.
//!
//! The server asks through a trait, so that its crate needs no simulator; here the two meet. A race
//! is a study of one scenario, controller by controller, so that it can be stopped in between, and
//! one run of each under the same seed, which is what is drawn.

mod timeline;

use tidegate_server::live::contract::{
    Plan, RaceDecision, RaceRequest, RaceResult, RaceRunner, RaceTimeline, SimulatorScenario,
};
use tidegate_server::simulator::{RaceError, RaceWatch, Simulator};
use tidegate_sim::decisions::{Step, steps};
use tidegate_sim::oracle::{Cache, Effort};
use tidegate_sim::row::PlanFound;
use tidegate_sim::selection::{Draw, Entry};
use tidegate_sim::suite::{self, Options, Study, Yardstick};
use tidegate_sim::{Contender, Row, Suite, contender, report};

/// Decisions of a runner that are told.
const DECISIONS_MAX: usize = 500;
/// The suites that are offered; backends drawn by chance have no names to choose by.
const SUITES: [(&str, Suite); 3] =
    [("canonical", Suite::Canonical), ("sharers", Suite::Sharers), ("measured", Suite::Measured)];

/// The simulator of this program.
#[derive(Debug)]
pub(crate) struct Races;

fn entries() -> impl Iterator<Item = (&'static str, Entry)> {
    SUITES.into_iter().flat_map(|(name, suite)| {
        // That a shipped scenario is right is a test's affair; a wrong one is not offered.
        let entries = suite.entries(Draw::default()).unwrap_or_default();
        entries.into_iter().map(move |entry| (name, entry))
    })
}

impl Simulator for Races {
    fn scenarios(&self) -> Vec<SimulatorScenario> {
        let told = entries().map(|(suite, entry)| SimulatorScenario {
            suite: suite.to_owned(),
            about: report::told(&entry.scenario),
            duration_s: entry.scenario.duration_s,
            target_ms: entry.scenario.target.latency_ms,
            saturated: entry.is_saturated(),
            changes_s: entry.scenario.changes_s.clone(),
            name: entry.scenario.name,
        });
        told.collect()
    }

    fn controllers(&self) -> Vec<String> {
        contender::names().iter().map(|name| (*name).to_owned()).collect()
    }

    fn default_controller(&self) -> String {
        contender::default_name().to_owned()
    }

    fn race(&self, request: &RaceRequest, watch: &dyn RaceWatch) -> Result<RaceResult, RaceError> {
        be_nice();
        let found = entries().find(|(_, entry)| entry.scenario.name == request.scenario);
        let (_, entry) =
            found.ok_or_else(|| failed(format!("no scenario {}", request.scenario)))?;
        Race { entry, request, watch }.run()
    }
}

/// A race uses one core for a while, and events matter more.
fn be_nice() {
    // On Linux it is the calling thread's affair alone; elsewhere it would slow the server.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(10);
}

fn failed(why: impl Into<String>) -> RaceError {
    RaceError::Failed(why.into())
}

struct Race<'a> {
    entry: Entry,
    request: &'a RaceRequest,
    watch: &'a dyn RaceWatch,
}

impl Race<'_> {
    fn run(&self) -> Result<RaceResult, RaceError> {
        let count = self.request.controllers.len() + 1;
        #[expect(clippy::cast_precision_loss, reason = "a few controllers")]
        let goes_on = |done: usize, stage: &str| match self
            .watch
            .goes_on(done as f64 / count as f64, stage)
        {
            true => Ok(()),
            false => Err(RaceError::Stopped),
        };
        goes_on(0, "searching the oracle")?;
        let mut runners = Vec::new();
        let mut oracle = None;
        let mut remarks = Vec::new();
        for (done, name) in self.request.controllers.iter().enumerate() {
            goes_on(done, &format!("racing {name}"))?;
            let Study { rows, yardsticks } = self.study(name)?;
            let row = rows.into_iter().next().ok_or_else(|| failed("no row"))?;
            let yardstick = yardsticks.into_iter().next().ok_or_else(|| failed("no yardstick"))?;
            for remark in &row.remarks {
                if !remarks.contains(remark) {
                    remarks.push(remark.clone());
                }
            }
            // All are drawn under the seed that is typical for the first.
            let seed = oracle.get_or_insert(yardstick).typical_seed;
            runners.push(self.runner(name, &row, seed)?);
        }
        goes_on(count - 1, "drawing")?;
        let yardstick = oracle.ok_or_else(|| failed("nobody competed"))?;
        let seed = yardstick.typical_seed;
        let reached = |runner: &RaceRunner| runner.of_oracle.unwrap_or(runner.goodput);
        runners.sort_by(|one, other| reached(other).total_cmp(&reached(one)));
        let oracle = self.oracle(&yardstick, seed)?;
        Ok(RaceResult { seed, oracle, runners, remarks })
    }

    fn study(&self, name: &str) -> Result<Study, RaceError> {
        let options = Options {
            seeds: u64::from(self.request.seeds),
            threads: 1,
            effort: Effort::Full,
            cache: Cache::shipped(),
        };
        suite::study(std::slice::from_ref(&self.entry), &[name], &options, &|_| {})
            .map_err(|error| failed(error.to_string()))
    }

    fn runner(&self, name: &str, row: &Row, seed: u64) -> Result<RaceRunner, RaceError> {
        let scenario = &self.entry.scenario;
        let contender = Contender::by_name(name, scenario)
            .ok_or_else(|| failed(format!("nobody is {name}")))?;
        let run =
            suite::play(scenario, &contender, seed).map_err(|error| failed(error.to_string()))?;
        let told = steps(&run.history).into_iter().take(DECISIONS_MAX).map(decision);
        Ok(RaceRunner {
            controller: name.to_owned(),
            goodput: row.goodput,
            of_oracle: row.steady_ratio,
            of_best_static: row.vs_best_static,
            settle_s: row.settle_seconds_median,
            miss_ratio: row.miss_ratio,
            p99_ms: row.p99_seconds.map(|seconds| seconds * 1e3),
            timeline: timeline::of_run(&run, scenario.duration_s),
            decisions: told.collect(),
        })
    }

    /// The oracle over time. Where its goodput is not known for each moment, its plan is run.
    fn oracle(&self, yardstick: &Yardstick, seed: u64) -> Result<RaceTimeline, RaceError> {
        let (oracle, scenario) = (&yardstick.oracle, &self.entry.scenario);
        if oracle.is_timed() {
            return Ok(timeline::of_oracle(oracle, scenario.duration_s));
        }
        let fixed = Contender::fixed(oracle.plan.batch_size, oracle.plan.concurrency);
        let run = suite::play(&scenario.alone(), &fixed, seed)
            .map_err(|error| failed(error.to_string()))?;
        Ok(timeline::of_run(&run, scenario.duration_s))
    }
}

fn decision(step: Step) -> RaceDecision {
    RaceDecision {
        from_s: step.from_s,
        until_s: step.until_s,
        by: step.by.to_owned(),
        count: step.count,
        from: plan(step.from),
        to: plan(step.to),
        reason: step.reason,
    }
}

fn plan(found: PlanFound) -> Plan {
    Plan {
        batch_size: found.batch_size,
        concurrency: found.concurrency,
        pace: None,
        linger_ms: contender::LINGER.as_secs_f64() * 1e3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// Hears all and stops at a stage.
    #[derive(Default)]
    struct Heard(RefCell<Vec<(f64, String)>>, Option<&'static str>);

    impl RaceWatch for Heard {
        fn goes_on(&self, progress: f64, stage: &str) -> bool {
            self.0.borrow_mut().push((progress, stage.to_owned()));
            self.1 != Some(stage)
        }
    }

    fn request(scenario: &str) -> RaceRequest {
        let controllers = ["fixed", "joint"].map(str::to_owned).into();
        RaceRequest { scenario: scenario.to_owned(), controllers, seeds: 1 }
    }

    fn is_whole(timeline: &RaceTimeline) {
        let length = timeline.at_s.len();
        assert!(length > 50 && timeline.at_s.is_sorted());
        for column in [
            &timeline.goodput,
            &timeline.latency_ms,
            &timeline.batch_size,
            &timeline.concurrency,
            &timeline.failed,
        ] {
            assert_eq!(column.len(), length);
        }
        assert!(timeline.goodput.iter().flatten().any(|goodput| *goodput > 0.0));
    }

    #[test]
    fn a_race_has_a_winner_a_timeline_of_each_and_an_oracle() {
        let heard = Heard::default();
        let result = Races.race(&request("pgA"), &heard).unwrap();
        let names: Vec<_> = result.runners.iter().map(|runner| &*runner.controller).collect();
        assert_eq!(names, ["joint", "fixed"], "the best first");
        let joint = &result.runners[0];
        assert!(joint.of_oracle.unwrap() > 0.9, "{:?}", joint.of_oracle);
        assert!(!joint.decisions.is_empty() && result.runners[1].decisions.is_empty());
        is_whole(&result.oracle);
        result.runners.iter().for_each(|runner| is_whole(&runner.timeline));
        let heard = heard.0.into_inner();
        assert!(heard.windows(2).all(|two| two[0].0 <= two[1].0), "{heard:?}");
    }

    #[test]
    fn a_race_stops_when_it_is_told_to() {
        let heard = Heard(RefCell::default(), Some("racing joint"));
        assert_eq!(Races.race(&request("pgA"), &heard).unwrap_err(), RaceError::Stopped);
    }

    #[test]
    fn scenarios_have_names_of_their_own() {
        let mut names: Vec<_> = Races.scenarios().into_iter().map(|one| one.name).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert!(count > 10 && names.len() == count);
    }
}
