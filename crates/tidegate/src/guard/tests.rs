//! The guards together.

use super::*;
use crate::Outcome;
use crate::control::tests::{first_plan, sample};
use proptest::prelude::*;

fn at(seconds: u64) -> Moment {
    Moment::ZERO + Duration::from_secs(seconds)
}

#[test]
fn memory_halves_the_batch_and_says_so() {
    let limits =
        Limits { process_memory: Some(100 << 20), system_memory: Some(0.8), ..Limits::default() };
    let mut guards = Guards::new(limits).unwrap();
    let reading = Reading { process_memory: Some(90 << 20), system_memory: Some(0.9), cpu: None };
    let (by, reason) = guards.read(at(1), &reading).unwrap();
    assert_eq!(by, "memory");
    assert_eq!(reason, "batch size × 0.50: 90 % of memory is in use, and 80 % is allowed");
    assert_eq!(guards.rule(&first_plan(100), 1).batch_size, 50);
    assert!(guards.is_braking());
    let free = Reading { process_memory: Some(1 << 20), system_memory: Some(0.1), cpu: None };
    for seconds in 2..10 {
        guards.read(at(seconds), &free);
    }
    assert_eq!(guards.rule(&first_plan(100), 1), first_plan(100));
}

#[test]
fn items_in_flight_are_held_by_fewer_attempts_and_then_by_smaller_batches() {
    let limits = Limits { in_flight_items: Some(300), ..Limits::default() };
    let guards = Guards::new(limits).unwrap();
    let plan = Plan { concurrency: 8.0, ..first_plan(100) };
    assert_eq!(guards.rule(&plan, 1).concurrency, 3.0);
    let plan = Plan { concurrency: 8.0, ..first_plan(1_000) };
    let ruled = guards.rule(&plan, 1);
    assert_eq!((ruled.batch_size, ruled.concurrency), (300, 1.0));
}

#[test]
fn most_attempts_late_is_a_veto_whatever_the_controller_thinks() {
    let limits = Limits { target: Some(Duration::from_millis(50)), ..Limits::default() };
    let mut guards = Guards::new(limits).unwrap();
    let late = (0..20).find_map(|n| guards.answered(&sample(n * 100, 80, 10, Outcome::Ok)));
    let (by, reason) = late.unwrap();
    assert_eq!(by, "target");
    assert!(reason.ends_with("% of attempts took longer than 50 ms"), "{reason}");
}

#[test]
fn limits_out_of_range_are_refused() {
    let refused = |limits: Limits| Guards::new(limits).unwrap_err().to_string();
    assert_eq!(
        refused(Limits { cpu: Some(1.5), ..Limits::default() }),
        "guards.cpu is 1.5, but must be between 0.01 and 1"
    );
    assert!(refused(Limits { system_memory: Some(f64::NAN), ..Limits::default() }).contains("NaN"));
    assert!(
        refused(Limits { in_flight_items: Some(0), ..Limits::default() }).contains("between 1")
    );
}

proptest! {
    /// Invariant: what the guards let through is at most what was asked for, and never nothing.
    #[test]
    fn a_veto_only_takes_away(
        size in 1..1_000_000u32, concurrency in 0.01..1024.0f64,
        readings in proptest::collection::vec((any::<f64>(), any::<f64>(), any::<u64>()), 0..20),
    ) {
        let limits = Limits {
            process_memory: Some(1 << 30), system_memory: Some(0.8), cpu: Some(0.9),
            in_flight_items: Some(10_000), ..Limits::default()
        };
        let mut guards = Guards::new(limits).unwrap();
        let asked = Plan { concurrency, ..first_plan(size) };
        for (second, (cpu, memory, bytes)) in readings.into_iter().enumerate() {
            let reading = Reading {
                process_memory: Some(bytes), system_memory: Some(memory), cpu: Some(cpu),
            };
            guards.read(at(second as u64 * 2), &reading);
            let ruled = guards.rule(&asked, 1);
            prop_assert!((1..=size).contains(&ruled.batch_size));
            prop_assert!(ruled.concurrency > 0.0 && ruled.concurrency <= concurrency);
        }
    }
}
