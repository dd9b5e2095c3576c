//! Who runs beside us? Another process of this same program: the HTTP stand-in, a neighbour.
//!
//! A child says one line when it is ready, and ends when its standard input does. So it ends with
//! this process, however that ends, and nothing has to be hunted down afterwards.

use std::ffi::OsStr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

/// How long a child may take to begin or to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// A process that runs.
pub(crate) struct Child(tokio::process::Child);

impl Child {
    /// Starts this program with `arguments`, and awaits the line that says it is ready.
    pub(crate) async fn start(arguments: &[&OsStr]) -> anyhow::Result<(Self, String)> {
        let program = std::env::current_exe().context("this program's own path is unknown")?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{arguments:?} cannot be started"))?;
        let out = child.stdout.take().context("a child without its output")?;
        let mut line = String::new();
        let mut lines = BufReader::new(out);
        let read = tokio::time::timeout(PATIENCE, lines.read_line(&mut line));
        read.await.with_context(|| format!("{arguments:?} does not begin"))??;
        ensure!(!line.is_empty(), "{arguments:?} ended before it began");
        Ok((Self(child), line.trim().to_owned()))
    }

    /// Its number, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.0.id()
    }

    /// Tells it to end, and awaits that.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        drop(self.0.stdin.take());
        let ended = tokio::time::timeout(PATIENCE, self.0.wait()).await;
        ended.context("a child does not end")?.context("a child cannot be awaited")?;
        Ok(())
    }
}

/// In a child: says that it is ready, with `line`.
pub(crate) fn ready(line: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// In a child: returns when the parent wants it to end, or is gone.
pub(crate) fn wait_for_the_end() {
    use std::io::Read as _;
    let mut ignored = [0; 64];
    let mut input = std::io::stdin().lock();
    while matches!(input.read(&mut ignored), Ok(1..)) {}
}
