//! How do the parts become a load? They are put together, started, watched and ended here.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::args::LoadArgs;
use crate::calendar;
use crate::clock;
use crate::connection::Connection;
use crate::error::LoadError;
use crate::feed::Claims;
use crate::file::{self, LineCounts, Lines};
use crate::ledger::Ledger;
use crate::lines::Context;
use crate::lines::timestamp::Year;
use crate::plan::Plan;
use crate::prebuilt::Prebuilt;
use crate::progress::{Observer, Progress};
use crate::random::Random;
use crate::shared::{Feed, Run, lock};
use crate::summary::{About, Ended, Summary};
use crate::tally::Tally;
use crate::worker::{Worker, within};

/// How often the observer is told.
const TICK: Duration = Duration::from_millis(100);
/// How long requests in flight may still be answered after the end was asked for.
const GRACE: Duration = Duration::from_secs(2);
/// Tallies at most: a histogram takes 190 kB, and a few are enough to keep them uncontended.
const TALLIES: usize = 16;

/// Runs a load to its end, or until `shutdown` completes: then nothing new is sent, requests in
/// flight get two seconds for their answers, and the summary says what was done.
///
/// It is cheapest on a current-thread runtime, where nothing is handed between threads.
///
/// ```no_run
/// # async fn example() -> Result<(), tidegate_load::LoadError> {
/// let args = tidegate_load::LoadArgs { events: Some(1_000), ..Default::default() };
/// let summary = tidegate_load::run(&args, &mut (), std::future::pending()).await?;
/// assert!(summary.complete());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`LoadError`] when settings contradict each other, nothing listens at the URL, or a file
/// cannot be read or written. What goes wrong with single requests is in the summary.
pub async fn run(
    args: &LoadArgs,
    observer: &mut dyn Observer,
    shutdown: impl Future<Output = ()>,
) -> Result<Summary, LoadError> {
    let plan = args.plan()?;
    let counts = Arc::new(Mutex::new(LineCounts::default()));
    let mut first = Connection::new(&plan.target, plan.tls.clone());
    within(args.timeout, first.open()).await.map_err(|source| LoadError::Unreachable {
        host: plan.target.host.clone(),
        port: plan.target.port,
        source,
    })?;
    let shared = shared(args, &plan, &counts)?;
    let cpu = clock::cpu();
    let (mut workers, tallies) = spawn(args, &plan, &shared, first)?;
    observer.started(plan.events.filter(|_| args.duration.is_none() || args.events.is_some()));
    let outcome = watch_over(&shared, &mut workers, &tallies, observer, shutdown).await;
    observer.finished();
    for ledger in [&shared.acknowledged, &shared.unanswered].into_iter().flatten() {
        ledger.flush()?;
    }
    outcome?;
    let about = About {
        run: plan.labels.run,
        seed: plan.seed,
        ended: shared.stop.borrow().clone().unwrap_or(Ended::Done),
        elapsed: shared.elapsed(),
        cpu: clock::cpu().saturating_sub(cpu),
        lines: args.from.as_ref().map(|_| *lock(&counts)),
    };
    Ok(Summary::new(merged(&tallies)?, about))
}

fn shared(
    args: &LoadArgs,
    plan: &Plan,
    counts: &Arc<Mutex<LineCounts>>,
) -> Result<Arc<Run>, LoadError> {
    let claims = Claims::new(plan.events, args.duration, plan.schedule.clone());
    let ledger = |path: &Option<std::path::PathBuf>| {
        path.as_deref().map(|path| Ledger::create(path, &plan.labels.run)).transpose()
    };
    let feed = match &args.from {
        None => Feed::Generated(Mutex::new(claims)),
        Some(path) => {
            let (file, stem) = file::names(path);
            let labels = plan.labels.clone();
            let lines = Lines {
                path: path.clone(),
                context: Context { labels, file, stem, ids: args.ids, year: year(args.year) },
                head: plan.head.clone(),
                batch: args.batch,
                claims,
                again: args.events.is_some() || args.duration.is_some(),
                counts: Arc::clone(counts),
            };
            Feed::File(AsyncMutex::new(lines.start()?))
        }
    };
    Ok(Arc::new(Run {
        head: plan.head.clone(),
        protocol: args.protocol,
        start: clock::now(),
        until: args.duration,
        batch: args.batch,
        timeout: args.timeout,
        retry_for: args.retry_for,
        keyed: plan.head.is_keyed(),
        feed,
        acknowledged: ledger(&args.acknowledged)?,
        unanswered: ledger(&args.unanswered)?,
        stop: watch::Sender::new(None),
    }))
}

/// The year of timestamps that name none.
fn year(given: Option<u64>) -> Year {
    given.map_or_else(
        || {
            let (year, month, _) = calendar::date(clock::wall().as_secs() / 86_400);
            Year::Now { year, month }
        },
        Year::Given,
    )
}

type Tallies = Vec<Arc<Mutex<Tally>>>;
type Workers = JoinSet<Result<(), LoadError>>;

fn spawn(
    args: &LoadArgs,
    plan: &Plan,
    run: &Arc<Run>,
    first: Connection,
) -> Result<(Workers, Tallies), LoadError> {
    let mut workers = JoinSet::new();
    let tallies = (0..args.connections.min(TALLIES))
        .map(|_| Tally::new().map(|tally| Arc::new(Mutex::new(tally))))
        .collect::<Result<Tallies, _>>()?;
    let mut each = tallies.iter().cycle();
    let mut first = Some(first);
    for number in 0..args.connections {
        let mut random = Random::new(plan.seed, number as u64);
        let prebuilt = match run.feed {
            Feed::Generated(_) => {
                Prebuilt::set(&plan.head, args.protocol, &plan.labels, args.batch, &mut random)
            }
            Feed::File(_) => Vec::new(),
        };
        let Some(tally) = each.next().map(Arc::clone) else { break };
        let connection =
            first.take().unwrap_or_else(|| Connection::new(&plan.target, plan.tls.clone()));
        let worker = Worker { run: Arc::clone(run), connection, prebuilt, random, tally };
        workers.spawn(worker.work());
    }
    Ok((workers, tallies))
}

/// Waits for the workers, tells the observer, and heeds the shutdown.
async fn watch_over(
    run: &Run,
    workers: &mut Workers,
    tallies: &Tallies,
    observer: &mut dyn Observer,
    shutdown: impl Future<Output = ()>,
) -> Result<(), LoadError> {
    let mut tick = interval(TICK);
    // After a stall one tick is enough.
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stop = run.stop.subscribe();
    let grace = async {
        // The sender lives as long as the run, so this ends only when a reason is given.
        let _ = stop.wait_for(Option::is_some).await;
        sleep(GRACE).await;
    };
    tokio::pin!(grace, shutdown);
    let mut told = false;
    loop {
        tokio::select! {
            joined = workers.join_next() => match joined {
                None => break,
                Some(Ok(done)) => done?,
                Some(Err(error)) => return Err(LoadError::Defect(error.to_string())),
            },
            _ = tick.tick() => observer.progress(&progress(run, tallies)?),
            () = &mut shutdown, if !told => {
                told = true;
                run.end(Ended::Interrupted);
            }
            () = &mut grace => {
                // Waits until they are dropped, so that the ledgers know what was in flight.
                workers.shutdown().await;
                break;
            }
        }
    }
    observer.progress(&progress(run, tallies)?);
    Ok(())
}

fn merged(tallies: &Tallies) -> Result<Tally, LoadError> {
    let mut sum = Tally::new()?;
    for tally in tallies {
        sum.add(&lock(tally));
    }
    Ok(sum)
}

fn progress(run: &Run, tallies: &Tallies) -> Result<Progress, LoadError> {
    let mut now = Progress { elapsed: run.elapsed(), ..Progress::default() };
    for tally in tallies {
        let tally = lock(tally);
        now.events_sent += tally.sent;
        now.events_acknowledged += tally.acknowledged;
        now.events_refused += tally.refused;
        now.retries += tally.retries;
        now.errors += tally.errors.values().sum::<u64>();
    }
    Ok(now)
}
