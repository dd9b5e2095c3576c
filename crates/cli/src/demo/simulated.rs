//! And without a database? The library's batcher in this process against a backend of the simulator in
//! real time, always with more items than it can take.
//!
//! First the controller that was asked for is watched while the backend is busy with a load of its own,
//! then the same backend, from the same beginning, is given fixed sizes. It is the library that is
//! shown, without server, journal and disk; the backend's figures are a model's.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use tidegate::batcher::Answer;
use tidegate::{Batcher, ControllerSettings, Outcome, SettingError};
use tidegate_load::Format;
use tidegate_sim::live::Simulated;
use tidegate_sim::scenario::{BackendSpec, OwnLoad, canonical};

use super::args::{BackendPattern, Controller, DemoArgs};
use super::clock::Watch;
use super::error::DemoError;
use super::stop::Stop;
use super::words;

/// How long the first part is, and each run of the second; when it is to be quick.
const LENGTHS: (Duration, Duration) = (Duration::from_secs(24), Duration::from_secs(12));
const QUICK: (Duration, Duration) = (Duration::from_secs(3), Duration::from_millis(1_500));
/// How often it is told how it goes.
const TICK: Duration = Duration::from_secs(1);
/// Attempts in flight, for all alike: what the backend serves at once.
const CONCURRENCY: f64 = 4.0;
/// Fixed sizes to compare with.
const SIZES: [u32; 4] = [10, 100, 1_000, 5_000];

/// What came of a run.
#[derive(Debug, Clone, Serialize)]
struct Ran {
    plan: String,
    timely_per_second: f64,
    late_ratio: f64,
    attempts: u64,
    items_per_attempt: f64,
    backend_busy_seconds: f64,
}

/// What is told at the end.
#[derive(Debug, Serialize)]
struct Report<'a> {
    version: &'static str,
    backend: &'static str,
    target_ms: f64,
    runs: &'a [Ran],
}

/// Items in time and late.
#[derive(Debug, Default)]
struct Counts {
    timely: AtomicU64,
    late: AtomicU64,
}

/// Runs the demo against a simulated backend.
pub(super) fn run(args: &DemoArgs) -> Result<(), DemoError> {
    refuse(args)?;
    let stop = Stop::on_signals()?;
    let mut out: Box<dyn Write> = match args.format {
        Format::Text => Box::new(io::stdout()),
        Format::Json => Box::new(io::sink()),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (first, others) = if args.quick { QUICK } else { LENGTHS };
    let pattern = args.backend_pattern.unwrap_or_default();
    writeln!(
        out,
        "A simulated backend (2 ms + 20 µs an item, {CONCURRENCY} at once) that is busy by itself \
         ({}),\nalways more items than it takes, {} to be met.\n",
        told(pattern),
        words::ms(args.target.as_secs_f64() * 1e3),
    )?;
    let spec = spec(pattern, first)?;
    let mut runs = vec![runtime.block_on(watch(args, None, &spec, first, &stop, &mut out))?];
    if !args.no_compare {
        writeln!(
            out,
            "\nThe same backend from the same beginning, {} each:\n",
            words::about(others)
        )?;
        // The pattern in full, in less time.
        let spec = self::spec(pattern, others)?;
        let contenders = SIZES.map(Some).into_iter().chain([None]);
        for size in contenders {
            let mut nowhere = io::sink();
            let ran = watch(args, size, &spec, others, &stop, &mut nowhere);
            let ran = runtime.block_on(ran)?;
            writeln!(out, "{}", line(&ran))?;
            out.flush()?;
            runs.push(ran);
        }
        writeln!(out, "\n{}", verdict(&runs))?;
    }
    if args.format == Format::Json {
        let target_ms = args.target.as_secs_f64() * 1e3;
        let version = env!("CARGO_PKG_VERSION");
        let report = Report { version, backend: "simulated", target_ms, runs: &runs };
        let text = serde_json::to_string(&report).map_err(io::Error::from)?;
        writeln!(io::stdout(), "{text}")?;
    }
    Ok(())
}

/// Flags that mean nothing here, and settings that the library refuses.
fn refuse(args: &DemoArgs) -> Result<(), DemoError> {
    let given = [
        ("--events", args.events.is_some()),
        ("--rate", args.rate.is_some()),
        ("--keep", args.keep),
    ];
    let sentence = |flag| {
        format!("{flag} is of the demo with a database: leave it out, or --backend simulated")
    };
    let mut refused: Vec<_> =
        given.into_iter().filter(|(_, given)| *given).map(|(flag, _)| sentence(flag)).collect();
    let plan = |error: SettingError| refused.push(error.to_string());
    controller(args, None)
        .and_then(|controller| built(args, None, &controller))
        .unwrap_or_else(plan);
    if refused.is_empty() { Ok(()) } else { Err(DemoError::Flags(refused)) }
}

/// Whether the library takes these settings.
fn built(
    args: &DemoArgs,
    size: Option<u32>,
    controller: &ControllerSettings,
) -> Result<(), SettingError> {
    let bounds = tidegate::Bounds {
        batch_size_min: args.min_batch,
        batch_size_max: args.max_batch,
        ..tidegate::Bounds::default()
    };
    let first = tidegate::Plan {
        batch_size: size.unwrap_or(args.initial_batch),
        concurrency: CONCURRENCY,
        pace: None,
        linger: args.linger,
        epoch: tidegate::Epoch::default(),
    };
    bounds.check()?;
    controller.build(first, &bounds).map(drop)
}

/// The controller that was asked for, or a fixed size.
fn controller(args: &DemoArgs, size: Option<u32>) -> Result<ControllerSettings, SettingError> {
    let name = if size.is_some() { Controller::Fixed.name() } else { args.controller.name() };
    let mut settings = ControllerSettings::by_name(name).unwrap_or_default();
    if let ControllerSettings::LoadScore(score) = &mut settings {
        score.interval = args.adjust_interval.unwrap_or(score.interval);
        score.factor = args.adjust_factor.unwrap_or(score.factor);
    }
    Ok(settings.with_target(args.target))
}

/// The backend, which goes through its pattern in that time.
fn spec(pattern: BackendPattern, length: Duration) -> Result<BackendSpec, DemoError> {
    let scenario = canonical::by_name("pgA").ok().flatten();
    let mut spec = scenario.ok_or(DemoError::Fault("a scenario that ships"))?.backend;
    let seconds = length.as_secs_f64();
    spec.own_load = match pattern {
        BackendPattern::Constant => OwnLoad::Constant { share: 0.33 },
        BackendPattern::Sine => {
            OwnLoad::Sine { mean: 0.4, amplitude: 0.35, period_s: (seconds / 2.0).max(0.5) }
        }
        BackendPattern::Spikes => OwnLoad::Spikes {
            base: 0.0,
            peak: 0.8,
            every_s: (seconds / 2.0).max(0.5),
            for_s: (seconds / 6.0).max(0.1),
        },
        BackendPattern::Gradual => OwnLoad::Gradual { from: 0.0, to: 0.75, over_s: seconds },
    };
    Ok(spec)
}

const fn told(pattern: BackendPattern) -> &'static str {
    match pattern {
        BackendPattern::Constant => "a third of it, always",
        BackendPattern::Sine => "in waves, up to three quarters of it",
        BackendPattern::Spikes => "four fifths of it for a while, again and again",
        BackendPattern::Gradual => "more and more, up to three quarters of it",
    }
}

/// One run: a line each second, and what came of it.
async fn watch(
    args: &DemoArgs,
    size: Option<u32>,
    spec: &BackendSpec,
    length: Duration,
    stop: &Stop,
    out: &mut dyn Write,
) -> Result<Ran, DemoError> {
    let backend = Simulated::start(spec, args.seed.unwrap_or(1));
    let counts = Arc::new(Counts::default());
    let batcher = batcher(args, size, &backend, &counts)
        .map_err(|error| DemoError::Flags(vec![error.to_string()]))?;
    let full = batcher.clone();
    let source = tokio::spawn(async move { while full.add(0).await.is_ok() {} });
    writeln!(out, "   time  backend left       plan      items/s in time  late")?;
    let (began, mut before) = (Watch::start(), (0, 0));
    while began.elapsed() < length {
        if stop.requested() {
            return Err(DemoError::Interrupted);
        }
        tokio::time::sleep(TICK.min(length.saturating_sub(began.elapsed()))).await;
        let (plan, left) = (batcher.stats().plan, backend.stats().capacity_left);
        let now = (counts.timely.load(Ordering::Relaxed), counts.late.load(Ordering::Relaxed));
        let (timely, late) = (now.0 - before.0, now.1 - before.1);
        before = now;
        writeln!(
            out,
            "{:>7}  {:3.0} % {:10}  {:>6} × {:<3.1}  {:>14}  {:4.1} %",
            words::seconds(began.elapsed()),
            left * 100.0,
            "█".repeat(words::whole(left.clamp(0.0, 1.0) * 10.0).try_into().unwrap_or(0)),
            words::count(plan.batch_size.into()),
            plan.concurrency,
            words::count(timely),
            share(late, timely + late) * 100.0,
        )?;
    }
    let seconds = began.elapsed().as_secs_f64();
    source.abort();
    if size.is_none() {
        for decision in batcher.stats().decisions.iter().rev().take(3).rev() {
            writeln!(
                out,
                "   {}: {}",
                words::seconds(decision.at.since(tidegate::Moment::ZERO)),
                decision.reason
            )?;
        }
    }
    let (timely, late) =
        (counts.timely.load(Ordering::Relaxed), counts.late.load(Ordering::Relaxed));
    let found = backend.stats();
    #[expect(clippy::cast_precision_loss, reason = "counts of some seconds")]
    let (per_second, items) = (timely as f64 / seconds, (timely + late) as f64);
    #[expect(clippy::cast_precision_loss, reason = "counts of some seconds")]
    let per_attempt = items / found.attempts.max(1) as f64;
    let name = size.map_or_else(|| args.controller.name().to_owned(), |size| size.to_string());
    Ok(Ran {
        plan: name,
        timely_per_second: per_second,
        late_ratio: share(late, timely + late),
        attempts: found.attempts,
        items_per_attempt: per_attempt,
        backend_busy_seconds: found.busy_s,
    })
}

fn batcher(
    args: &DemoArgs,
    size: Option<u32>,
    backend: &Simulated,
    counts: &Arc<Counts>,
) -> Result<Batcher<u64>, SettingError> {
    let (backend, counts, target) = (backend.clone(), Arc::clone(counts), args.target);
    let handler = move |batch: Vec<u64>| {
        let (backend, counts) = (backend.clone(), Arc::clone(&counts));
        async move {
            let (items, began) = (u32::try_from(batch.len()).unwrap_or(u32::MAX), Watch::start());
            let outcome = backend.send(items).await;
            if outcome == Outcome::Ok {
                let timely = began.elapsed() <= target;
                let count = if timely { &counts.timely } else { &counts.late };
                count.fetch_add(items.into(), Ordering::Relaxed);
                return Answer::ok().with_feedback(backend.feedback());
            }
            Answer::failed(outcome, "the simulated backend").with_feedback(backend.feedback())
        }
    };
    let (least, most) = size.map_or((args.min_batch, args.max_batch), |size| (size, size));
    Batcher::builder()
        .batch_size(least..=most)
        .batch_size_initial(size.unwrap_or(args.initial_batch))
        .concurrency(CONCURRENCY)
        .linger(args.linger)
        .controller(controller(args, size)?)
        .build(handler)
}

#[expect(clippy::cast_precision_loss, reason = "counts of some seconds")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn line(ran: &Ran) -> String {
    format!(
        "  {:>12}  {:>12} in time  {:5.1} % late  {:>7} attempts of {:>6.0} items",
        ran.plan,
        words::rate(ran.timely_per_second),
        ran.late_ratio * 100.0,
        words::count(ran.attempts),
        ran.items_per_attempt,
    )
}

/// What the second part says: computed from what was measured, whoever won.
fn verdict(runs: &[Ran]) -> String {
    let compared = runs.get(1..).unwrap_or_default();
    let Some((ours, fixed)) = compared.split_last() else { return String::new() };
    let best = fixed.iter().max_by(|a, b| a.timely_per_second.total_cmp(&b.timely_per_second));
    let Some(best) = best.filter(|best| best.timely_per_second > 0.0) else {
        return "No fixed size delivered anything in time.".to_owned();
    };
    let ratio = ours.timely_per_second / best.timely_per_second;
    format!(
        "{} came to {:.2} of the best of these fixed sizes ({}), which nobody knew beforehand.",
        ours.plan, ratio, best.plan
    )
}
