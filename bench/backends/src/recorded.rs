//! What became of each attempt? What the server recorded, as the attempts of a run.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tidegate::{Epoch, Moment, Outcome, Sent};

use crate::record::{Attempt, Target};

/// Reads the attempts that a server recorded, or that were written by this program; moments count
/// from `zero_us`, in microseconds since 1970, if the file says when it began.
///
/// Whether an item was in time is said by the latency of its attempt.
///
/// # Errors
///
/// When the file cannot be read or is no such recording.
pub(crate) fn read(path: &Path, zero_us: i64, target: Target) -> anyhow::Result<Vec<Attempt>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    parse(&text, zero_us, target)
        .with_context(|| format!("{} is no recording of attempts", path.display()))
}

fn parse(text: &str, zero_us: i64, target: Target) -> anyhow::Result<Vec<Attempt>> {
    let (mut attempts, mut columns, mut shift_us) = (Vec::new(), Vec::new(), 0);
    for (index, line) in text.lines().enumerate() {
        if let Some(began) = line.strip_prefix("# began_unix_us=") {
            shift_us = began.parse::<i64>()? - zero_us;
        } else if line.starts_with('#') {
            // A key that nobody here asks for.
        } else if columns.is_empty() {
            columns = line.split(',').collect();
        } else {
            let cells: Vec<&str> = line.split(',').collect();
            let cell = |name: &str| {
                let place = columns.iter().position(|column| *column == name)?;
                cells.get(place).copied()
            };
            let one = attempt(&cell, shift_us, target);
            attempts.push(one.with_context(|| format!("line {} is {line:?}", index + 1))?);
        }
    }
    Ok(attempts)
}

fn attempt<'a>(
    cell: &impl Fn(&str) -> Option<&'a str>,
    shift_us: i64,
    target: Target,
) -> Option<Attempt> {
    let number = |name: &str| cell(name)?.parse::<f64>().ok();
    let count = |name: &str| cell(name)?.parse::<u32>().ok();
    #[expect(clippy::cast_possible_truncation, reason = "microseconds of a run")]
    let sent_us = (number("sent_s")? * 1e6).round() as i64 + shift_us;
    let at = Moment::ZERO + Duration::from_micros(u64::try_from(sent_us).unwrap_or(0));
    let latency = Duration::try_from_secs_f64(number("latency_s")?).ok()?;
    let items = count("items")?;
    let retry_after = cell("retry_after_s").and_then(|text| text.parse().ok());
    let outcome = match cell("outcome")? {
        "ok" => Outcome::Ok,
        "partial" => Outcome::Partial { delivered: count("delivered").unwrap_or(0) },
        "throttled" => Outcome::Throttled { retry_after: retry_after.map(Duration::from_secs_f64) },
        "too_large" => Outcome::TooLarge,
        "overloaded" => Outcome::Overloaded,
        "timed_out" => Outcome::TimedOut,
        "unreachable" => Outcome::Unreachable,
        "rejected" => Outcome::Rejected,
        _ => return None,
    };
    let delivered = u64::from(outcome.delivered(items));
    let given_up = if outcome == Outcome::TimedOut { u64::from(items) } else { 0 };
    let late = latency > target.latency;
    Some(Attempt {
        sent: Sent {
            at,
            epoch: Epoch(cell("epoch")?.parse().ok()?),
            target: count("planned")?,
            items,
            bytes: 0,
            in_flight: count("in_flight")?,
            full: count("full")? == 1,
        },
        latency,
        outcome,
        timely: if late { 0 } else { delivered },
        missed: given_up + if late { delivered } else { 0 },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Latency;

    const TARGET: Target = Target { latency: Duration::from_millis(50), of: Latency::Attempt };

    #[test]
    fn a_recording_reads_as_attempts_of_the_run() {
        let text = "# version=1\n# began_unix_us=1000000\n\
            sent_s,latency_s,items,planned,in_flight,full,outcome,retry_after_s,epoch,delivered,lane\n\
            1.500000,0.040000,90,100,2,0,ok,,7,90,backend/default\n\
            2.000000,0.060000,100,100,1,1,partial,,7,80,backend/default\n\
            2.500000,0.001000,100,100,1,1,throttled,0.5,7,0,backend/default\n";
        let found = parse(text, 2_000_000, TARGET).unwrap();
        let times: Vec<f64> = found.iter().map(|one| one.sent.at.as_secs_f64()).collect();
        assert_eq!(times, [0.5, 1.0, 1.5]);
        assert_eq!((found[0].timely, found[0].missed), (90, 0));
        assert_eq!((found[1].timely, found[1].missed), (0, 80));
        let wait = Some(Duration::from_millis(500));
        assert_eq!(found[2].outcome, Outcome::Throttled { retry_after: wait });
        let broken = parse(&text.replace("ok", "fine"), 0, TARGET).unwrap_err();
        assert!(format!("{broken:#}").contains("line 4"), "{broken:#}");
    }
}
