//! What arrives at a server, and how? A backlog that is there before it begins, or `tidegate load`,
//! a process of its own, turn by turn.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use tidegate_sim::scenario::Arrivals;
use tokio::process::Command;
use tokio::task::JoinHandle;

use crate::case;

/// Events of a request. A backlog is filled by larger ones: nobody measures that.
const REQUEST: u32 = 100;
const REQUEST_OF_A_BACKLOG: u32 = 1_000;
/// Connections, each with one request in flight.
const CONNECTIONS: u32 = 8;
/// How long a burst and the calm before it take, in the mean.
const BURST_PERIOD: Duration = Duration::from_secs(1);

/// What arrives.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Feed {
    /// These many events wait in the journal when the run begins, and nothing arrives.
    Backlog {
        /// How many.
        events: u64,
    },
    /// One turn after the other, each as long.
    Turns(Vec<Turn>),
}

/// How events arrive for a while.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Turn {
    /// Events a second, in the mean.
    rate: f64,
    /// By its name in `tidegate load`.
    pattern: &'static str,
}

impl Feed {
    /// What a case says, with these many events of a backlog where it is saturated.
    pub(crate) fn of(arrivals: &case::Arrivals, backlog: u64) -> anyhow::Result<Self> {
        let turn = |rate, pattern| Turn { rate, pattern };
        if let Some([slow, burst, full]) = arrivals.turns {
            let turns = [turn(slow, "constant"), turn(burst, "burst"), turn(full, "constant")];
            return Ok(Self::Turns(turns.into()));
        }
        if arrivals.source.is_saturated() {
            return Ok(Self::Backlog { events: backlog });
        }
        match (arrivals.source.arrivals, arrivals.source.saturated_from_s) {
            (Arrivals::Constant { rate }, None) => Ok(Self::Turns(vec![turn(rate, "constant")])),
            _ => bail!(
                "{}: through the product arrivals are saturated, constant:RATE or \
                 turns:SLOW,BURSTS,FULL",
                arrivals.text
            ),
        }
    }

    /// When the second of three turns is, in seconds.
    pub(super) fn thirds(&self, length: Duration) -> Option<(f64, f64)> {
        let third = length.as_secs_f64() / 3.0;
        let three = matches!(self, Self::Turns(turns) if turns.len() == 3);
        three.then_some((third, 2.0 * third))
    }

    /// Begins; it ends by itself after `length`.
    pub(super) fn start(
        &self,
        program: &Path,
        server: SocketAddr,
        length: Duration,
    ) -> anyhow::Result<Load> {
        let turns = match self {
            Self::Backlog { .. } => Vec::new(),
            Self::Turns(turns) => turns.clone(),
        };
        let each = length / u32::try_from(turns.len().max(1))?;
        let program = program.to_owned();
        let running = tokio::spawn(async move {
            let mut all = Summary::default();
            for turn in turns {
                let rate = turn.rate.to_string();
                let duration = format!("{}ms", each.as_millis());
                let period = format!("{}ms", BURST_PERIOD.as_millis());
                let more = [
                    ["--rate", &rate],
                    ["--pattern", turn.pattern],
                    ["--duration", &duration],
                    ["--period", &period],
                    // What the server no longer answers when the run ends is nobody's loss.
                    ["--retry-for", "1s"],
                    ["--timeout", "3s"],
                ];
                all.add(load(&program, server, REQUEST, more.as_flattened()).await?);
            }
            Ok(all)
        });
        Ok(Load(running))
    }
}

/// Fills a journal.
pub(super) async fn fill(program: &Path, server: SocketAddr, events: u64) -> anyhow::Result<()> {
    let count = events.to_string();
    let done = load(program, server, REQUEST_OF_A_BACKLOG, &["--events", &count]).await?;
    ensure!(
        done.events_acknowledged == events,
        "only {} of {events} events of the backlog were acknowledged: {:?}",
        done.events_acknowledged,
        done.errors
    );
    Ok(())
}

/// Loads that run.
pub(super) struct Load(JoinHandle<anyhow::Result<Summary>>);

impl Load {
    /// Awaits their end.
    pub(super) async fn end(self) -> anyhow::Result<Summary> {
        self.0.await.context("the load broke")?
    }
}

/// What came of a load: a part of what `tidegate load --format json` says.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub(super) struct Summary {
    pub(super) events_acknowledged: u64,
    pub(super) cpu_seconds: f64,
    pub(super) latency_ms: Option<Latency>,
    errors: std::collections::BTreeMap<String, u64>,
}

/// Latency of acknowledged requests.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(super) struct Latency {
    pub(super) p50: f64,
    pub(super) p99: f64,
}

impl Summary {
    /// What came of another turn; of latencies, the worst is kept.
    fn add(&mut self, other: Self) {
        self.events_acknowledged += other.events_acknowledged;
        self.cpu_seconds += other.cpu_seconds;
        self.latency_ms = match (self.latency_ms, other.latency_ms) {
            (Some(a), Some(b)) => Some(Latency { p50: a.p50.max(b.p50), p99: a.p99.max(b.p99) }),
            (one, other) => one.or(other),
        };
        for (kind, count) in other.errors {
            *self.errors.entry(kind).or_default() += count;
        }
    }
}

async fn load(
    program: &Path,
    server: SocketAddr,
    request: u32,
    more: &[&str],
) -> anyhow::Result<Summary> {
    let output = Command::new(program)
        .args(["load", "--format", "json", "--quiet", "--url", &format!("http://{server}")])
        .args(["--connections", &CONNECTIONS.to_string(), "--batch", &request.to_string()])
        .args(more)
        .env_remove("TIDEGATE_TOKEN")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("the load cannot be started")?;
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("the load ended with {}: {said}", output.status))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(text: &str) -> anyhow::Result<Feed> {
        Feed::of(&text.parse().unwrap(), 7)
    }

    #[test]
    fn arrivals_are_a_backlog_or_turns() {
        assert_eq!(feed("saturated").unwrap(), Feed::Backlog { events: 7 });
        let constant = Turn { rate: 2_000.0, pattern: "constant" };
        assert_eq!(feed("constant:2000").unwrap(), Feed::Turns(vec![constant]));
        let Feed::Turns(turns) = feed("turns:2000,50000,400000").unwrap() else { panic!() };
        let rates: Vec<_> = turns.iter().map(|turn| (turn.rate, turn.pattern)).collect();
        assert_eq!(rates, [(2e3, "constant"), (5e4, "burst"), (4e5, "constant")]);
        assert!(feed("sine:5,3,1").unwrap_err().to_string().contains("through the product"));
    }
}
