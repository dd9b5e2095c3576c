//! What happens when? The script of both parts, as times since the load began.
//!
//! Pure: it is told what was asked and answers with times. The neighbour comes at two fifths and
//! leaves at 68 hundredths of the first part, at 10 and at 17 of 25 seconds; in each run of the
//! comparison it comes at half time and stays.

use std::ops::Range;
use std::time::Duration;

use tidegate_load::plan::MAX_CONNECTIONS;

use super::args::DemoArgs;
use super::words::{self, float};

const RATE: f64 = 100_000.0;
const QUICK_RATE: f64 = 10_000.0;
const SECONDS: f64 = 25.0;
const QUICK_SECONDS: f64 = 3.5;
const RATES: std::ops::RangeInclusive<f64> = 100.0..=10e6;
const LENGTHS: std::ops::RangeInclusive<f64> = 1.0..=3_600.0;

/// Fixed sizes that the plan in use is compared with.
pub(super) const SIZES: [u32; 4] = [10, 100, 1_000, 5_000];

/// The script.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    /// Events a second in the mean.
    pub(super) rate: f64,
    /// Events of the first part.
    pub(super) events: u64,
    /// How long the first part's load lasts.
    pub(super) length: Duration,
    /// When the neighbour is there in the first part.
    pub(super) neighbour: Range<Duration>,
    /// How long each run of the comparison lasts; the neighbour is there in its second half.
    pub(super) run: Duration,
    /// How long what is left may take to be delivered after the first part's load.
    pub(super) drain: Duration,
}

/// A stretch of the first part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The database is tidegate's alone.
    Before,
    /// The neighbour wants it too.
    Neighbour,
    /// Alone again.
    After,
    /// The load is over; what is left is delivered.
    Draining,
}

impl Phase {
    /// A word for it.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Neighbour => "neighbour",
            Self::After => "after",
            Self::Draining => "draining",
        }
    }
}

impl Plan {
    /// The script that these flags ask for, or a sentence for each that is refused.
    pub(super) fn new(args: &DemoArgs) -> Result<Self, Vec<String>> {
        let mut refused = Vec::new();
        let rate = args.rate.unwrap_or(if args.quick { QUICK_RATE } else { RATE });
        if !RATES.contains(&rate) {
            refused.push(format!("--rate is {rate}, but must be from 100 to 10M"));
        }
        if !(1..=MAX_CONNECTIONS).contains(&args.workers) {
            let bound = format!("but must be from 1 to {MAX_CONNECTIONS}");
            refused.push(format!("--workers is {}, {bound}", args.workers));
        }
        let (seconds, run) = if args.quick { (QUICK_SECONDS, 0.8) } else { (SECONDS, 5.0) };
        let events = args.events.unwrap_or_else(|| words::whole(rate * seconds));
        let length = float(events) / rate;
        if !LENGTHS.contains(&length) && refused.is_empty() {
            refused.push(format!(
                "--events is {events}, which lasts {length:.2} s at {rate} a second, but must last \
                 from 1 s to 1 h: change it or --rate"
            ));
        }
        if !refused.is_empty() {
            return Err(refused);
        }
        let at = |share: f64| Duration::from_secs_f64(length * share);
        Ok(Self {
            rate,
            events,
            length: at(1.0),
            neighbour: at(0.4)..at(0.68),
            run: Duration::from_secs_f64(run),
            drain: Duration::from_secs(30),
        })
    }

    /// What happens `elapsed` after the load began.
    pub(super) fn phase(&self, elapsed: Duration) -> Phase {
        match elapsed {
            elapsed if elapsed < self.neighbour.start => Phase::Before,
            elapsed if elapsed < self.neighbour.end => Phase::Neighbour,
            elapsed if elapsed < self.length => Phase::After,
            _ => Phase::Draining,
        }
    }

    /// When the neighbour comes in a run of the comparison.
    pub(super) fn half(&self) -> Duration {
        self.run / 2
    }

    /// How long the pattern of the load takes to repeat in a part of this length: so short that
    /// each half of a run of the comparison has a whole number of periods.
    pub(super) fn period(length: Duration) -> Duration {
        (length / 4).max(Duration::from_millis(100))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use clap::Parser as _;
    use proptest::prelude::*;

    use super::*;

    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        demo: DemoArgs,
    }

    pub(crate) fn args(line: &str) -> DemoArgs {
        Command::try_parse_from(format!("demo {line}").split_whitespace()).unwrap().demo
    }

    #[test]
    fn the_first_part_takes_twenty_five_seconds() {
        let plan = Plan::new(&args("")).unwrap();
        let seconds = Duration::from_secs;
        assert_eq!((plan.events, plan.length), (2_500_000, seconds(25)));
        assert_eq!(plan.neighbour, seconds(10)..seconds(17));
        assert_eq!(plan.phase(seconds(9)), Phase::Before);
        assert_eq!(plan.phase(seconds(10)), Phase::Neighbour);
        assert_eq!(plan.phase(seconds(17)), Phase::After);
        assert_eq!(plan.phase(seconds(25)), Phase::Draining);
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_with_flag_value_and_bound() {
        let refused = |line| Plan::new(&args(line)).unwrap_err().join("; ");
        assert_eq!(refused("--rate 5"), "--rate is 5, but must be from 100 to 10M");
        assert_eq!(refused("--workers 0"), "--workers is 0, but must be from 1 to 1024");
        assert!(refused("--events 10").contains("lasts 0.00 s at 100000 a second"));
        assert!(refused("--events 1G").contains("from 1 s to 1 h"));
    }

    proptest! {
        /// Invariant: whatever is accepted, the neighbour comes after the load began, leaves before
        /// it ends, and the load has as many events as its rate makes in its length.
        #[test]
        fn the_neighbour_is_always_inside(rate in 100..1_000_000u32, seconds in 1..3_600u32) {
            let line = format!("--rate {rate} --events {}", u64::from(rate) * u64::from(seconds));
            let plan = Plan::new(&args(&line)).unwrap();
            prop_assert!(Duration::ZERO < plan.neighbour.start);
            prop_assert!(plan.neighbour.start < plan.neighbour.end);
            prop_assert!(plan.neighbour.end < plan.length);
            let events = plan.rate * plan.length.as_secs_f64();
            prop_assert!((events - float(plan.events)).abs() < 1.0);
        }
    }
}
