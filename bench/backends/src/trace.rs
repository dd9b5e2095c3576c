//! What happened, attempt by attempt? One CSV file a run, which the simulator can replay.
//!
//! # Format
//!
//! Lines that begin with `# ` come first, each `# key=value`: `version`, `case`, `backend`,
//! `controller`, `round`, `target_s`, `target_of` (`attempt` or `delivery`), `item_bytes`,
//! `round_s`, and `disturbed_from_s`, `disturbed_to_s` where something disturbs the middle of the
//! run. A reader skips keys that it does not know. Then comes the line of column names, then one
//! line an attempt, in the order of answers:
//!
//! | column | what |
//! |---|---|
//! | `sent_s` | when it left, in seconds since the beginning of the run |
//! | `latency_s` | send to answer |
//! | `items` | its items |
//! | `planned` | the batch size of the plan it left under |
//! | `in_flight` | attempts in flight when it left, itself included |
//! | `full` | 1 if it was cut because enough waited, else 0 |
//! | `outcome` | as in the metrics: `ok`, `throttled`, `timed_out`, … |
//! | `retry_after_s` | what a refusal asked for; empty if nothing |
//! | `epoch` | of the plan it left under |
//! | `phase` | `calm`, `disturbed` or `after`, by when it left |
//!
//! A timeline of decisions is such a file too, with `at_s`, `by`, `batch_size`, `concurrency`,
//! `pace`, `linger_s`, `epoch` and `reason`, the plan being the one decided for. Its first line is
//! the plan at the beginning.

use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::Context as _;
use tidegate::{Outcome, Plan};

use crate::record::Run;

/// The version of both formats.
pub(crate) const VERSION: u32 = 1;

/// The lines before the table.
pub(crate) type Head = Vec<(&'static str, String)>;

/// When something disturbed the run, in seconds.
pub(crate) type Disturbed = Option<(f64, f64)>;

/// Writes the attempts of a run.
pub(crate) fn write_attempts(
    path: &Path,
    head: &Head,
    run: &Run,
    disturbed: Disturbed,
) -> anyhow::Result<()> {
    let mut file = create(path, head)?;
    writeln!(
        file,
        "sent_s,latency_s,items,planned,in_flight,full,outcome,retry_after_s,epoch,phase"
    )?;
    for one in &run.attempts {
        let sent_s = one.sent.at.as_secs_f64();
        let retry_after = match one.outcome {
            Outcome::Throttled { retry_after: Some(wait) } => wait.as_secs_f64().to_string(),
            _ => String::new(),
        };
        writeln!(
            file,
            "{sent_s:.6},{:.6},{},{},{},{},{},{retry_after},{},{}",
            one.latency.as_secs_f64(),
            one.sent.items,
            one.sent.target,
            one.sent.in_flight,
            u8::from(one.sent.full),
            one.outcome.label(),
            one.sent.epoch.0,
            phase(sent_s, disturbed),
        )?;
    }
    Ok(file.flush()?)
}

/// Writes the decisions of a run.
pub(crate) fn write_decisions(path: &Path, head: &Head, run: &Run) -> anyhow::Result<()> {
    let mut file = create(path, head)?;
    writeln!(file, "at_s,by,batch_size,concurrency,pace,linger_s,epoch,reason")?;
    writeln!(file, "{}", decision_line(0.0, "first", &run.first, "the plan at the beginning"))?;
    for decision in &run.decisions {
        let line =
            decision_line(decision.at.as_secs_f64(), decision.by, &decision.to, &decision.reason);
        writeln!(file, "{line}")?;
    }
    Ok(file.flush()?)
}

fn decision_line(at_s: f64, by: &str, plan: &Plan, reason: &str) -> String {
    let pace = plan.pace.map(|pace| pace.to_string()).unwrap_or_default();
    let mut line = format!(
        "{at_s:.6},{by},{},{},{pace},{},{},\"",
        plan.batch_size,
        plan.concurrency,
        plan.linger.as_secs_f64(),
        plan.epoch.0
    );
    // Writing to a String cannot fail.
    let _ = write!(line, "{}\"", reason.replace('"', "\"\""));
    line
}

/// Which part of the run it is.
pub(crate) const fn phase(at_s: f64, disturbed: Disturbed) -> &'static str {
    match disturbed {
        Some((from, _)) if at_s < from => "calm",
        Some((_, to)) if at_s < to => "disturbed",
        Some(_) => "after",
        None => "calm",
    }
}

fn create(path: &Path, head: &Head) -> anyhow::Result<BufWriter<std::fs::File>> {
    let file = std::fs::File::create(path)
        .with_context(|| format!("{} cannot be written", path.display()))?;
    let mut file = BufWriter::new(file);
    writeln!(file, "# version={VERSION}")?;
    for (key, value) in head {
        writeln!(file, "# {key}={value}")?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Attempt, histogram};
    use std::time::Duration;
    use tidegate::{Decision, Epoch, Moment, Sent};

    #[test]
    fn a_trace_reads_as_its_format_says() {
        let plan = Plan {
            batch_size: 100,
            concurrency: 2.5,
            pace: Some(40.0),
            linger: Duration::from_millis(5),
            epoch: Epoch(7),
        };
        let sent = Sent {
            at: Moment::from_nanos(1_500_000_000),
            epoch: Epoch(7),
            target: 100,
            items: 90,
            bytes: 0,
            in_flight: 2,
            full: false,
        };
        let outcome = Outcome::Throttled { retry_after: Some(Duration::from_millis(500)) };
        let latency = Duration::from_micros(2_500);
        let reason = "kept \"4\"".into();
        let at = Moment::from_nanos(250_000_000);
        let run = Run {
            attempts: vec![Attempt { sent, latency, outcome, timely: 0, missed: 0 }],
            decisions: vec![Decision { at, by: "aimd", reason, from: plan, to: plan }],
            delivery: histogram(),
            queued: 0,
            first: plan,
            last: plan,
        };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.csv");
        let head = vec![("case", "sqlite".to_owned())];
        write_attempts(&path, &head, &run, Some((1.0, 2.0))).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            "# version=1\n# case=sqlite\n\
             sent_s,latency_s,items,planned,in_flight,full,outcome,retry_after_s,epoch,phase\n\
             1.500000,0.002500,90,100,2,0,throttled,0.5,7,disturbed\n"
        );
        write_decisions(&path, &head, &run).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let last = text.lines().last().unwrap();
        assert_eq!(last, "0.250000,aimd,100,2.5,40,0.005,7,\"kept \"\"4\"\"\"");
    }

    #[test]
    fn phases_follow_the_disturbance() {
        let phases = [0.5, 1.0, 2.0].map(|at| phase(at, Some((1.0, 2.0))));
        assert_eq!(phases, ["calm", "disturbed", "after"]);
        assert_eq!(phase(1.5, None), "calm");
    }
}
