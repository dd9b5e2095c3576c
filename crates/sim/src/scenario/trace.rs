//! What would a real backend have answered? A trace of its attempts, turned into a backend.
//!
//! The runner of real backends keeps every attempt: when it left, how long it took, how many items it
//! had and how many were in flight. Two things are read from that. First its costs: how long a batch of
//! *b* among *n* takes on average, S(b) = a + k·b slowed by φ(n) = max(1, n/cores), by least squares
//! for each number of cores, of which the best one is kept; what is far off is left out the second
//! time. Then its weather: an attempt that took twice as long as S·φ says was served at half the
//! capacity for as long as it took, and the mean over those in flight is the capacity of each fiftieth
//! of a second. So a stall of the real backend stalls this one, at the same moment, for the same time.
//!
//! A trace of one static plan cannot tell fixed from per-item cost; then both are taken in the
//! proportion of the scenario that is given.

use tidegate::error::SettingError;

use super::Scenario;
use super::backend::{Errors, Network};

/// Windows of capacity, in milliseconds.
const WINDOW_MS: u64 = 20;
/// Fewest attempts of which anything can be said.
const LEAST: usize = 50;
/// Beyond this factor from the fit an attempt tells of weather, not of costs.
const FAR: f64 = 2.0;

/// A trace that cannot be read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TraceError {
    /// A column is missing.
    #[error("there is no column {0}; it must have sent_s, latency_s, items, in_flight and outcome")]
    Column(&'static str),
    /// A cell is no number.
    #[error("line {line}: {column} is `{text}`, but must be a number of at least 0")]
    Cell {
        /// Which line, from 1.
        line: usize,
        /// Which column.
        column: &'static str,
        /// What is there.
        text: String,
    },
    /// It tells of more than one lane.
    #[error("line {line} is of the lane `{lane}`, those before of another: keep the lines of one")]
    Lanes {
        /// Which line, from 1.
        line: usize,
        /// Its lane.
        lane: String,
    },
    /// There is too little of it.
    #[error("there are {0} attempts that succeeded, but at least {LEAST} are needed")]
    Short(usize),
    /// What follows from it is out of bounds.
    #[error(transparent)]
    Setting(#[from] SettingError),
}

/// An attempt that succeeded.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Attempt {
    sent_s: f64,
    latency_s: f64,
    items: f64,
    in_flight: f64,
}

/// A trace as it is written.
#[derive(Debug, Default)]
struct Trace {
    case: Option<String>,
    target_s: Option<f64>,
    item_bytes: Option<u32>,
    lane: Option<String>,
    attempts: Vec<Attempt>,
    failed: usize,
}

/// The costs of a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Costs {
    fixed_s: f64,
    per_item_s: f64,
    cores: f64,
}

impl Costs {
    fn slowed(&self, in_flight: f64) -> f64 {
        (in_flight / self.cores).max(1.0)
    }

    fn expected_s(&self, attempt: &Attempt) -> f64 {
        (self.fixed_s + self.per_item_s * attempt.items) * self.slowed(attempt.in_flight)
    }
}

pub(super) fn scenario(like: Scenario, text: &str) -> Result<Scenario, TraceError> {
    let trace = read(text)?;
    if trace.attempts.len() < LEAST {
        return Err(TraceError::Short(trace.attempts.len()));
    }
    let known = like.backend.per_item_us / (like.backend.fixed_ms * 1e3).max(1e-6);
    let costs = fit(&trace.attempts, known);
    let mut scenario = like;
    if let Some(case) = trace.case {
        scenario.name = case;
    }
    if let Some(target_s) = trace.target_s {
        scenario.target.latency_ms = target_s * 1e3;
    }
    scenario.item_bytes = trace.item_bytes.unwrap_or(scenario.item_bytes);
    let backend = &mut scenario.backend;
    backend.fixed_ms = costs.fixed_s * 1e3;
    backend.per_item_us = costs.per_item_s * 1e6;
    backend.cores = costs.cores;
    backend.recorded_capacity = capacity(&trace.attempts, &costs);
    // All that is in the costs or in the weather already.
    backend.network = Network::default();
    (backend.noise, backend.contention) = (0.0, 0.0);
    (backend.spread, backend.tail, backend.locks, backend.spill) = (None, None, None, None);
    (backend.stalls, backend.drift, backend.write_back) = (None, None, None);
    backend.interruptions.clear();
    backend.capacity.clear();
    backend.neighbours.clear();
    #[expect(clippy::cast_precision_loss, reason = "counts of attempts")]
    let share = trace.failed as f64 / (trace.failed + trace.attempts.len()) as f64;
    backend.errors = Errors { base: share, slope: 0.0 };
    scenario.changes_s.clear();
    Ok(scenario)
}

fn read(text: &str) -> Result<Trace, TraceError> {
    let mut trace = Trace::default();
    let mut columns: Option<[usize; 5]> = None;
    // Only a server's recording has it.
    let mut lane_at: Option<usize> = None;
    for (index, line) in text.lines().enumerate() {
        if let Some((key, value)) = line.strip_prefix("# ").and_then(|pair| pair.split_once('=')) {
            match key {
                "case" => trace.case = Some(value.to_owned()),
                "target_s" => trace.target_s = value.parse().ok(),
                "item_bytes" => trace.item_bytes = value.parse().ok(),
                _ => {}
            }
            continue;
        }
        let cells: Vec<&str> = line.split(',').collect();
        let Some([sent, latency, items, in_flight, outcome]) = columns else {
            columns = Some(head(&cells)?);
            lane_at = cells.iter().position(|cell| *cell == "lane");
            continue;
        };
        if let Some(lane) = lane_at.and_then(|place| cells.get(place)) {
            let first = trace.lane.get_or_insert_with(|| (*lane).to_owned());
            if first != lane {
                return Err(TraceError::Lanes { line: index + 1, lane: (*lane).to_owned() });
            }
        }
        let number = |column: &'static str, place: usize| {
            let cell = cells.get(place).copied().unwrap_or_default();
            let found = cell.parse::<f64>().ok().filter(|number| *number >= 0.0);
            let text = cell.chars().take(40).collect();
            found.filter(|number| number.is_finite()).ok_or(TraceError::Cell {
                line: index + 1,
                column,
                text,
            })
        };
        let attempt = Attempt {
            sent_s: number("sent_s", sent)?,
            latency_s: number("latency_s", latency)?,
            items: number("items", items)?,
            in_flight: number("in_flight", in_flight)?,
        };
        if cells.get(outcome).is_some_and(|outcome| *outcome == "ok") && attempt.latency_s > 0.0 {
            trace.attempts.push(attempt);
        } else {
            trace.failed += 1;
        }
    }
    Ok(trace)
}

fn head(cells: &[&str]) -> Result<[usize; 5], TraceError> {
    let place = |name| cells.iter().position(|cell| *cell == name).ok_or(TraceError::Column(name));
    Ok([
        place("sent_s")?,
        place("latency_s")?,
        place("items")?,
        place("in_flight")?,
        place("outcome")?,
    ])
}

/// The costs that fit best. `known` is per-item over fixed cost where sizes do not vary.
fn fit(attempts: &[Attempt], known: f64) -> Costs {
    let most = attempts.iter().map(|attempt| attempt.in_flight).fold(1.0, f64::max);
    let mut best: Option<(f64, Costs)> = None;
    let mut cores = 1.0;
    while cores <= most {
        let first = regress(attempts.iter(), cores, known);
        let near = |attempt: &&Attempt| {
            let factor = attempt.latency_s / first.expected_s(attempt);
            (1.0 / FAR..FAR).contains(&factor)
        };
        let costs = regress(attempts.iter().filter(near), cores, known);
        let error = |attempt: &Attempt| (attempt.latency_s / costs.expected_s(attempt)).ln().abs();
        let errors: f64 = attempts.iter().map(error).sum();
        if best.is_none_or(|(least, _)| errors < least) {
            best = Some((errors, costs));
        }
        cores += 0.25;
    }
    best.map_or(Costs { fixed_s: 0.001, per_item_s: 0.0, cores: 1.0 }, |(_, costs)| costs)
}

/// Least squares of relative errors, so that small batches count as much as large ones.
fn regress<'a>(attempts: impl Iterator<Item = &'a Attempt>, cores: f64, known: f64) -> Costs {
    // With y = latency/φ, minimize Σ (a/y + k·b/y − 1)².
    let (mut aa, mut ab, mut bb, mut a1, mut b1) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for attempt in attempts {
        let y = attempt.latency_s / (attempt.in_flight / cores).max(1.0);
        let (a, b) = (1.0 / y, attempt.items / y);
        aa += a * a;
        ab += a * b;
        bb += b * b;
        a1 += a;
        b1 += b;
    }
    let determinant = aa * bb - ab * ab;
    let (fixed_s, per_item_s) = if determinant > 1e-6 * aa * bb {
        ((a1 * bb - b1 * ab) / determinant, (b1 * aa - a1 * ab) / determinant)
    } else {
        // One size: a·(1/y + known·b/y) = 1.
        let fixed_s = (a1 + known * b1) / (aa + 2.0 * known * ab + known * known * bb);
        (fixed_s, fixed_s * known)
    };
    // Costs are not negative; what the other one then is follows from the same sums.
    let (fixed_s, per_item_s) = match (fixed_s > 0.0, per_item_s > 0.0) {
        (true, true) => (fixed_s, per_item_s),
        (false, _) => (1e-6, b1 / bb),
        (true, false) => (a1 / aa, 0.0),
    };
    Costs { fixed_s, per_item_s, cores }
}

/// What was left of the capacity, window by window; windows in which nothing was in flight are as the
/// one before.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a trace of at most an hour"
)]
fn capacity(attempts: &[Attempt], costs: &Costs) -> Vec<(u64, f64)> {
    let window_s = WINDOW_MS as f64 / 1e3;
    let end_s = attempts.iter().map(|one| one.sent_s + one.latency_s).fold(0.0, f64::max);
    let windows = ((end_s.min(3600.0) / window_s).ceil() as usize).max(1);
    let mut sums = vec![(0.0, 0.0); windows];
    for attempt in attempts {
        let speed = costs.expected_s(attempt) / attempt.latency_s;
        let (from, until) = (attempt.sent_s, attempt.sent_s + attempt.latency_s);
        let (first, last) = ((from / window_s) as usize, (until / window_s) as usize);
        let of_attempt = sums.iter_mut().enumerate().take(last + 1).skip(first);
        for (index, (speeds, weights)) in of_attempt {
            let begin = index as f64 * window_s;
            let weight = (until.min(begin + window_s) - from.max(begin)).max(0.0);
            *speeds += speed * weight;
            *weights += weight;
        }
    }
    let mut left = 1.0;
    let mut recorded: Vec<(u64, f64)> = Vec::new();
    for (index, (speeds, weights)) in sums.into_iter().enumerate() {
        if weights > 0.0 {
            left = (speeds / weights).clamp(0.001, 100.0);
        }
        // Three digits, and only what changes.
        let rounded = (left * 1000.0_f64).round().max(1.0) / 1000.0;
        let last = index + 1 == windows;
        if last || recorded.last().is_none_or(|(_, before)| (before - rounded).abs() > 1e-9) {
            recorded.push((index as u64 * WINDOW_MS, rounded));
        }
    }
    recorded.truncate(72_000);
    recorded
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    /// Attempts of sizes that vary, one at a time, on a backend of 2 ms + 10 µs an item that stands
    /// still from 1 s to 1.2 s.
    fn text() -> String {
        let mut text = String::from(
            "# version=1\n# case=mine\n# target_s=0.05\n# item_bytes=100\n# other=1\n\
             sent_s,latency_s,items,planned,in_flight,full,outcome,retry_after_s,epoch,phase\n",
        );
        let mut at = 0.0;
        for index in 0..400_u32 {
            let items = 100 + 300 * (index % 5);
            let service = 0.002 + 10e-6 * f64::from(items);
            let latency = if at < 1.0 && at + service > 1.0 { service + 0.2 } else { service };
            let _ = writeln!(text, "{at:.6},{latency:.6},{items},{items},1,1,ok,,0,calm");
            at += latency;
        }
        text
    }

    #[test]
    fn a_trace_gives_back_costs_and_stalls() {
        let like = super::super::random::scenario(0);
        let mine = like.clone().behaving(&text()).unwrap();
        assert_eq!((mine.name.as_str(), mine.item_bytes), ("mine", 100));
        let backend = &mine.backend;
        assert!((backend.fixed_ms / 2.0 - 1.0).abs() < 0.02, "{}", backend.fixed_ms);
        assert!((backend.per_item_us / 10.0 - 1.0).abs() < 0.02, "{}", backend.per_item_us);
        let low = backend.recorded_capacity.iter().filter(|(_, left)| *left < 0.3);
        assert!(low.clone().all(|(at_ms, _)| (980..1_220).contains(at_ms)), "{low:?}");
        assert!(backend.recorded_capacity.len() < 60);
    }

    #[test]
    fn a_trace_of_two_lanes_is_refused_by_the_line_of_the_second() {
        let like = super::super::random::scenario(0);
        let mut of_a_server = String::from("# version=1\n# began_unix_us=1\n");
        for line in text().lines().filter(|line| !line.starts_with('#')) {
            let lane = if line.starts_with("sent_s") { "lane" } else { "a/default" };
            let _ = writeln!(of_a_server, "{line},{lane}");
        }
        assert!(like.clone().behaving(&of_a_server).is_ok());
        of_a_server += "9.0,0.01,100,100,1,1,ok,,0,calm,b/default\n";
        let said = like.behaving(&of_a_server).unwrap_err().to_string();
        assert!(said.contains("line 404 is of the lane `b/default`"), "{said}");
    }

    #[test]
    fn what_is_no_trace_is_refused_by_line_and_column() {
        let like = super::super::random::scenario(0);
        let said = |text: &str| like.clone().behaving(text).unwrap_err().to_string();
        assert!(said("a,b\n1,2\n").contains("no column sent_s"));
        assert!(
            said("sent_s,latency_s,items,in_flight,outcome\n0,x,1,1,ok\n")
                .contains("line 2: latency_s is `x`")
        );
        assert!(
            said("sent_s,latency_s,items,in_flight,outcome\n0,1,1,1,ok\n").contains("1 attempts")
        );
    }
}
