//! What does a sample cost? Nanoseconds and allocations of each controller, apart from the attempts
//! that they are about.
//!
//! A controller is told of attempts against a backend of 2 ms and 20 µs an item with a little noise
//! from a fixed sequence, always saturated, and its plans are followed. *Quiet* samples are those
//! that led to no decision: they must not allocate, and no text is made for them.
//!
//! `cargo run --release -p tidegate --example cost_per_sample [SAMPLES]`
#![expect(clippy::print_stdout, reason = "a program that prints its figures")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]
#![expect(clippy::expect_used, reason = "a measurement that went wrong shall end")]
#![expect(unsafe_code, reason = "an allocator that counts is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tidegate::{
    Bounds, Change, Controller, ControllerSettings, Epoch, Moment, Outcome, Plan, Sample, Sent,
};

/// Counts what the system's allocator hands out.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What the samples of one controller cost.
#[derive(Debug, Default)]
struct Cost {
    nanos: u128,
    decisions: u64,
    quiet_allocations: u64,
}

fn first() -> Plan {
    Plan {
        batch_size: 100,
        concurrency: 4.0,
        pace: None,
        linger: Duration::ZERO,
        epoch: Epoch::default(),
    }
}

/// A latency of the backend for a batch of `items`, with noise from a fixed sequence.
fn latency(items: u32, noise: &mut u64) -> Duration {
    *noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let extra = 100 + u32::try_from(*noise >> 59).unwrap_or(0);
    (Duration::from_millis(2) + Duration::from_micros(20) * items) * extra / 100
}

fn measure(name: &str, samples: u64) -> Cost {
    let settings = ControllerSettings::by_name(name).expect("one of the names");
    let mut controller =
        settings.build(first(), &Bounds::default()).expect("defaults are within bounds");
    let mut now = Moment::ZERO;
    let mut plan = controller.start(now);
    let (mut noise, mut cost) = (7, Cost::default());
    for _ in 0..samples {
        let took = latency(plan.batch_size, &mut noise);
        let sent = Sent {
            at: now,
            epoch: plan.epoch,
            target: plan.batch_size,
            items: plan.batch_size,
            bytes: u64::from(plan.batch_size) * 200,
            in_flight: 16,
            full: true,
        };
        let sample = Sample {
            sent,
            at: now + took,
            latency: took,
            delivered_meanwhile: 0,
            outcome: Outcome::Ok,
            queue_items: 1 << 20,
            feedback: None,
        };
        now += took / 4;
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        let began = Instant::now();
        let change = tell(&mut *controller, &sample, now);
        cost.nanos += began.elapsed().as_nanos();
        if let Some(change) = change {
            cost.decisions += 1;
            plan = change.plan;
        } else {
            cost.quiet_allocations += ALLOCATIONS.load(Ordering::Relaxed) - before;
        }
    }
    cost
}

fn tell(controller: &mut dyn Controller, sample: &Sample, now: Moment) -> Option<Change> {
    let sent = controller.sent(&sample.sent);
    let answered = controller.sample(sample);
    let woken = controller.wake_at().is_some_and(|at| at <= now).then(|| controller.wake(now));
    woken.flatten().or(answered).or(sent)
}

/// What reading the clock twice costs.
fn of_the_clock(times: u64) -> u128 {
    let nanos: u128 = (0..times).map(|_| Instant::now().elapsed().as_nanos()).sum();
    nanos / u128::from(times)
}

fn main() {
    let samples = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1_000_000_u64);
    let clock = of_the_clock(samples.min(100_000));
    println!("{samples} samples each; reading the clock ({clock} ns) is taken off\n");
    println!("| controller | ns a sample | decisions a thousand | allocations a quiet sample |");
    println!("|---|---|---|---|");
    for name in ControllerSettings::NAMES {
        let Cost { nanos, decisions, quiet_allocations } = measure(name, samples);
        let each = (nanos / u128::from(samples)).saturating_sub(clock);
        #[expect(clippy::cast_precision_loss, reason = "counts of a short run")]
        let (share, quiet) = (
            decisions as f64 * 1e3 / samples as f64,
            quiet_allocations as f64 / (samples - decisions).max(1) as f64,
        );
        println!("| {name} | {each} | {share:.1} | {quiet:.4} |");
    }
}
