//! How does a server run beside us, and surely end? As a process of its own that is killed with its
//! handle, and is asked to end before that.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::oneshot;

use crate::cpu;

/// How long it may take to begin, and to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// Lines of its log that are kept.
const LINES: usize = 12;
/// The thread in which SQLite works: the backend's part of the process.
const BACKEND_THREAD: &str = "tidegate-sqlite";

/// A running `tidegate serve`.
pub(super) struct Server {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<Log>>,
}

#[derive(Debug, Default)]
struct Log {
    last: VecDeque<String>,
    /// The first line that warns.
    warning: Option<String>,
}

#[derive(Deserialize)]
struct Line {
    level: Option<String>,
    message: String,
    address: Option<SocketAddr>,
}

impl Server {
    /// Starts one on a free port with this configuration and everything under `directory`, and
    /// awaits that it takes events.
    pub(super) async fn start(
        program: &Path,
        directory: &Path,
        configuration: &str,
    ) -> anyhow::Result<Self> {
        let file = directory.join("tidegate.yaml");
        std::fs::write(&file, configuration).context("no configuration can be written")?;
        let mut child = Command::new(program)
            .arg("serve")
            .arg("--config")
            .arg(&file)
            .arg("--data-dir")
            .arg(directory)
            .args(["--listen", "127.0.0.1:0", "--log-format", "json"])
            .env_remove("TIDEGATE_CONFIG")
            .env_remove("TIDEGATE_TOKEN")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let said = child.stderr.take().context("a server without its log")?;
        let log = Arc::new(Mutex::new(Log::default()));
        let (tell, told) = oneshot::channel();
        tokio::spawn(read(said, Arc::clone(&log), tell));
        let told = tokio::time::timeout(PATIENCE, told).await;
        let last = || lock(&log).last.iter().cloned().collect::<Vec<_>>().join("\n");
        match told {
            Ok(Ok(address)) => Ok(Self { child, address, log }),
            Ok(Err(_)) => bail!("the server did not begin:\n{}", last()),
            Err(_) => bail!("the server does not begin:\n{}", last()),
        }
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Fails if it has ended.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(self.failed(&format!("ended in mid-run with {status}"))),
        }
    }

    /// Its processor time, and the part of it that is the backend's.
    pub(super) fn cpu(&self) -> (Duration, Duration) {
        let Some(pid) = self.child.id() else { return Default::default() };
        (cpu::of_process(pid), cpu::of_threads(pid, BACKEND_THREAD))
    }

    /// Asks it to end, and awaits that; answers with the first line in which it warned.
    pub(super) async fn end(mut self) -> anyhow::Result<Option<String>> {
        let pid = self.child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let pid = pid.context("the server has ended before")?;
        kill_process(pid, Signal::TERM).context("the server cannot be asked to end")?;
        match tokio::time::timeout(PATIENCE, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(lock(&self.log).warning.take()),
            Ok(Ok(status)) => Err(self.failed(&format!("ended with {status}"))),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(self.failed("does not end")),
        }
    }

    fn failed(&self, what: &str) -> anyhow::Error {
        let log = lock(&self.log).last.iter().cloned().collect::<Vec<_>>().join("\n");
        anyhow!("the server {what}:\n{log}")
    }
}

fn lock(log: &Mutex<Log>) -> std::sync::MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads the log to its end: keeps its last lines, and passes on the address.
async fn read(said: ChildStderr, log: Arc<Mutex<Log>>, tell: oneshot::Sender<SocketAddr>) {
    let mut lines = BufReader::new(said).lines();
    let mut tell = Some(tell);
    while let Ok(Some(text)) = lines.next_line().await {
        let line: Option<Line> = serde_json::from_str(&text).ok();
        let address = line.as_ref().filter(|line| line.message.starts_with("taking events"));
        if let Some(address) = address.and_then(|line| line.address)
            && let Some(tell) = tell.take()
        {
            // Whoever asked may have given up.
            let _ = tell.send(address);
        }
        let warns = line.is_some_and(|line| {
            line.level.is_some_and(|level| level == "WARN" || level == "ERROR")
                // A lane that only filled the journal.
                && !line.message.starts_with("no sink has this lane")
                && !line.message.starts_with("the time to drain is over")
        });
        let mut log = lock(&log);
        if warns && log.warning.is_none() {
            log.warning = Some(text.clone());
        }
        if log.last.len() == LINES {
            log.last.pop_front();
        }
        log.last.push_back(text);
    }
}
