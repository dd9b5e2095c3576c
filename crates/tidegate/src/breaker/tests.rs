//! What must hold for any sequence of attempts and answers.

use proptest::prelude::*;

use super::*;
use crate::retry::Dice;

const MS: Duration = Duration::from_millis(1);

fn verdict(index: u8) -> Verdict {
    match index {
        0 => Verdict::Answered,
        1 => Verdict::Failed,
        _ => Verdict::Silent,
    }
}

/// What a user of the breaker does next.
#[derive(Debug, Clone)]
enum Step {
    Ask,
    Answer(usize, u8),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Ask),
        3 => (0..20usize, 0..3u8).prop_map(|(which, verdict)| Step::Answer(which, verdict)),
        1 => (0..3000u64).prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 0..300)
}

proptest! {
    /// Invariant: never more than the probes are on their way while it is half-open, an open breaker
    /// says when it will be asked again and keeps to it, and it is never open longer than the most;
    /// each change has a reason, goes from where the last one led, and is one that there is.
    #[test]
    fn any_sequence_keeps_the_rules(
        failures in 1..8u32, open in 1..500u64, factor in 1..5u64, probes in 1..6u32, steps in steps(),
    ) {
        let (open, open_max) = (MS * u32::try_from(open).unwrap(), MS * u32::try_from(open * factor).unwrap());
        let settings = Settings { failures, open, open_max, probes };
        let mut breaker = Breaker::new(settings).unwrap();
        let (mut now, mut flying) = (Moment::ZERO, Vec::new());
        for step in steps {
            match step {
                Step::Pass(ms) => now += Duration::from_millis(ms),
                Step::Answer(which, index) if !flying.is_empty() => {
                    let pass = flying.swap_remove(which % flying.len());
                    breaker.answered(now, pass, verdict(index));
                }
                Step::Answer(..) => {}
                Step::Ask => match breaker.admit(now) {
                    Admission::Pass(pass) => flying.push(pass),
                    Admission::At(at) => {
                        prop_assert!(at > now && at.since(now) <= open_max);
                    }
                    Admission::AfterAnswer => prop_assert_eq!(breaker.phase(), Phase::HalfOpen),
                },
            }
            if breaker.phase() == Phase::HalfOpen {
                let now_flying = flying.iter().filter(|pass| pass.generation == breaker.generation);
                prop_assert!(now_flying.count() <= probes as usize);
            }
        }
        let mut phase: Option<Phase> = None;
        for change in breaker.history() {
            prop_assert!(phase.is_none_or(|phase| phase == change.from));
            prop_assert!(change.reason.len() > 10);
            let known = matches!(
                (change.from, change.to),
                (Phase::Closed | Phase::HalfOpen, Phase::Open { .. })
                    | (Phase::Open { .. }, Phase::HalfOpen)
                    | (Phase::HalfOpen, Phase::Closed)
            );
            prop_assert!(known, "{change:?}");
            phase = Some(change.to);
        }
    }

    /// Invariant: whatever happened before, once the backend answers the breaker closes: after the
    /// open time and as many attempts as there are probes.
    #[test]
    fn it_always_leaves_open(failures in 1..8u32, probes in 1..6u32, rounds in 1..9u32) {
        let settings = Settings { failures, probes, ..Settings::default() };
        let mut breaker = Breaker::new(settings).unwrap();
        let mut now = Moment::ZERO;
        for _ in 0..failures + rounds {
            match breaker.admit(now) {
                Admission::Pass(pass) => breaker.answered(now, pass, Verdict::Failed),
                Admission::At(at) => now = at,
                Admission::AfterAnswer => prop_assert!(false),
            }
        }
        let mut attempts = 0;
        while breaker.phase() != Phase::Closed {
            match breaker.admit(now) {
                Admission::Pass(pass) => breaker.answered(now, pass, Verdict::Answered),
                Admission::At(at) => now = at,
                Admission::AfterAnswer => prop_assert!(false),
            }
            attempts += 1;
            prop_assert!(attempts <= probes + 1);
        }
    }

    /// Invariant: a sink that fails at its usual rate, up to four in ten attempts, does not trip the
    /// breaker once that rate is known; and a real outage still does.
    #[test]
    fn a_sink_with_its_usual_error_rate_does_not_trip(rate in 0.0..0.4f64, seed: u64) {
        let mut breaker = Breaker::new(Settings::default()).unwrap();
        let mut dice = Dice::new(seed);
        // What is normal: the rate itself, spread evenly.
        let mut due = 0.0;
        for _ in 0..2000 {
            due += rate;
            let fails = due >= 1.0;
            due -= f64::from(u8::from(fails));
            let Admission::Pass(pass) = breaker.admit(Moment::ZERO) else { panic!() };
            breaker.answered(Moment::ZERO, pass, if fails { Verdict::Failed } else { Verdict::Answered });
        }
        for _ in 0..5000 {
            let Admission::Pass(pass) = breaker.admit(Moment::ZERO) else { panic!("{breaker:?}") };
            let fails = dice.roll() < rate;
            breaker.answered(Moment::ZERO, pass, if fails { Verdict::Failed } else { Verdict::Answered });
        }
        let mut failures = 0;
        while let Admission::Pass(pass) = breaker.admit(Moment::ZERO) {
            breaker.answered(Moment::ZERO, pass, Verdict::Failed);
            failures += 1;
        }
        prop_assert!(failures <= 31, "{failures}");
    }
}

#[test]
fn the_open_time_doubles_with_failed_probes_and_begins_anew() {
    let mut breaker =
        Breaker::new(Settings { failures: 1, probes: 1, ..Settings::default() }).unwrap();
    let mut now = Moment::ZERO;
    let mut open = Vec::new();
    for verdict in [1, 1, 1, 1, 0, 1] {
        let pass = loop {
            match breaker.admit(now) {
                Admission::Pass(pass) => break pass,
                Admission::At(at) => now = at,
                Admission::AfterAnswer => panic!(),
            }
        };
        breaker.answered(now, pass, super::tests::verdict(verdict));
        if let Phase::Open { until } = breaker.phase() {
            open.push(until.since(now).as_secs());
        }
    }
    assert_eq!(open, [1, 2, 4, 4, 1]);
    assert_eq!(breaker.opened(), 5);
}

#[test]
fn five_failures_three_hundred_seconds_and_three_probes_can_be_said() {
    let long = Duration::from_secs(300);
    let settings = Settings { failures: 5, open: long, open_max: long, probes: 3 };
    assert_eq!(settings.check(), Ok(()));
    let error = Settings { open_max: MS, ..settings }.check().unwrap_err();
    assert_eq!(
        error.to_string(),
        "breaker.open_max_ms is 1, but must be between 300000 and 86400000"
    );
}

#[test]
fn an_attempt_that_was_on_its_way_is_no_probe() {
    let mut breaker = Breaker::new(Settings { failures: 1, ..Settings::default() }).unwrap();
    let Admission::Pass(late) = breaker.admit(Moment::ZERO) else { panic!() };
    let Admission::Pass(first) = breaker.admit(Moment::ZERO) else { panic!() };
    breaker.answered(Moment::ZERO, first, Verdict::Failed);
    let now = Moment::ZERO + Duration::from_secs(1);
    breaker.advance(now);
    breaker.answered(now, late, Verdict::Failed);
    assert_eq!(breaker.phase(), Phase::HalfOpen);
}

#[test]
fn outcomes_count_as_the_table_says() {
    let counts = |outcome| Verdict::from(outcome) == Verdict::Failed;
    assert!([Outcome::Unreachable, Outcome::TimedOut, Outcome::Overloaded].into_iter().all(counts));
    let throttled = Outcome::Throttled { retry_after: None };
    let partial = Outcome::Partial { delivered: 0 };
    let others = [Outcome::Ok, partial, throttled, Outcome::TooLarge, Outcome::Rejected];
    assert!(!others.into_iter().any(counts));
}
