//! Why did it do that? The decisions of a run as a timeline that a person reads.
//!
//! A rule that moves by small steps decides a thousand times a minute. Decisions in a row that are
//! alike — the same who, the same direction, the same sentence but for its numbers — are one line
//! that says how many they were, and tells the last one's reason.

use std::io::{self, Write};

use serde::Serialize;
use tidegate::Decision;

use crate::row::PlanFound;
use crate::run::Run;

/// One or several decisions in a row that are alike.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// When the first of them was made, in seconds.
    pub from_s: f64,
    /// When the last of them was made, in seconds.
    pub until_s: f64,
    /// Who decided: a controller or a guard.
    pub by: &'static str,
    /// The plan before the first.
    pub from: PlanFound,
    /// The plan after the last.
    pub to: PlanFound,
    /// How many decisions they are.
    pub count: u64,
    /// The reason of the last one.
    pub reason: String,
}

/// The decisions, alike ones in a row folded into one step.
#[must_use]
pub fn steps<'a>(history: impl IntoIterator<Item = &'a Decision>) -> Vec<Step> {
    let mut steps: Vec<(Kind, Step)> = Vec::new();
    for decision in history {
        let kind = Kind::of(decision);
        let at_s = decision.at.as_secs_f64();
        match steps.last_mut() {
            Some((last, step)) if *last == kind => {
                (step.until_s, step.to) = (at_s, decision.to.into());
                step.count += 1;
                step.reason = decision.reason.clone().into_owned();
            }
            _ => {
                let step = Step {
                    from_s: at_s,
                    until_s: at_s,
                    by: decision.by,
                    from: decision.from.into(),
                    to: decision.to.into(),
                    count: 1,
                    reason: decision.reason.clone().into_owned(),
                };
                steps.push((kind, step));
            }
        }
    }
    steps.into_iter().map(|(_, step)| step).collect()
}

/// What makes two decisions alike.
#[derive(PartialEq)]
struct Kind {
    by: &'static str,
    size: Option<std::cmp::Ordering>,
    concurrency: Option<std::cmp::Ordering>,
    words: String,
}

impl Kind {
    fn of(decision: &Decision) -> Self {
        let (from, to) = (&decision.from, &decision.to);
        Self {
            by: decision.by,
            size: to.batch_size.partial_cmp(&from.batch_size),
            concurrency: to.concurrency.partial_cmp(&from.concurrency),
            // Units change with the numbers ("950 µs", "1.1 ms"): words of three letters stay.
            words: decision
                .reason
                .split(|c: char| !c.is_alphabetic())
                .filter(|word| word.chars().count() > 2)
                .collect::<Vec<_>>()
                .join(" "),
        }
    }
}

/// Writes the decisions of a run, a line a step: when, who, the plan before and after, why.
///
/// # Errors
///
/// Whatever the writer reports.
pub fn write(out: &mut impl Write, title: &str, run: &Run) -> io::Result<()> {
    let steps = steps(&run.history);
    let forgotten = run.decisions - run.history.len() as u64;
    writeln!(out, "{title}: {}", told(run.decisions, steps.len()))?;
    if forgotten > 0 {
        writeln!(out, "  (the first {forgotten} are not kept)")?;
    }
    if steps.is_empty() {
        return Ok(());
    }
    let lines: Vec<[String; 6]> = steps.iter().map(cells).collect();
    let heads = ["time s", "who", "from", "to", "steps", "why"].map(str::to_owned);
    let width = |column: usize| {
        let all = std::iter::once(&heads).chain(&lines);
        all.filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths = [0, 1, 2, 3, 4].map(width);
    let [time, who, from, to, count] = widths;
    for [a, b, c, d, e, f] in std::iter::once(&heads).chain(&lines) {
        let line = format!("  {a:>time$}  {b:who$}  {c:>from$}  →  {d:>to$}  {e:>count$}  {f}");
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn told(decisions: u64, lines: usize) -> String {
    match decisions {
        0 => "no decision".into(),
        1 => "1 decision".into(),
        _ if decisions == lines as u64 => format!("{decisions} decisions"),
        _ => format!("{decisions} decisions in {lines} lines; alike ones in a row are one line"),
    }
}

fn cells(step: &Step) -> [String; 6] {
    let time = if step.count == 1 {
        format!("{:.3}", step.from_s)
    } else {
        format!("{:.3}–{:.3}", step.from_s, step.until_s)
    };
    [
        time,
        step.by.to_owned(),
        step.from.to_string(),
        step.to.to_string(),
        step.count.to_string(),
        step.reason.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::contender::plan;
    use tidegate::Moment;

    fn decision(at_ms: u64, from: u32, to: u32, reason: &'static str) -> Decision {
        let at = Moment::ZERO + Duration::from_millis(at_ms);
        Decision { at, by: "aimd", reason: reason.into(), from: plan(from, 4.0), to: plan(to, 4.0) }
    }

    #[test]
    fn alike_decisions_in_a_row_are_one_step() {
        let history = [
            decision(10, 100, 110, "raised by 10: took 950 µs of 1 ms"),
            decision(20, 110, 120, "raised by 10: took 1.1 ms of 1 ms"),
            decision(30, 120, 108, "lowered × 0.9: took 130ms"),
            decision(40, 108, 118, "raised by 10: took 9 ms of 1 ms"),
        ];
        let steps = steps(&history);
        let counts: Vec<_> = steps.iter().map(|step| (step.count, step.to.batch_size)).collect();
        assert_eq!(counts, [(2, 120), (1, 108), (1, 118)]);
        assert_eq!(steps[0].from.batch_size, 100);
        assert_eq!(steps[0].reason, "raised by 10: took 1.1 ms of 1 ms");
    }
}
