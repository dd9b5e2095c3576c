//! Keeps one `tidegate serve` running, as a supervisor of a real machine does: whenever it ends,
//! for whatever reason, it is started again.

use std::io::{BufRead, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);
/// How long it waits before it starts the server again that ended by itself.
const PAUSE: Duration = Duration::from_millis(100);

/// One life of the server.
#[derive(Debug, Clone, Default)]
pub struct Life {
    /// When it began to take events, if it came so far.
    pub up: Option<Instant>,
    pub ended: Option<Instant>,
    /// Whether we ended it.
    pub killed: bool,
    /// The last it said on stderr that is no line of its log: why it ended.
    pub last_words: String,
}

#[derive(Default)]
struct State {
    child: Option<Child>,
    lives: Vec<Life>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    stopping: AtomicBool,
}

pub struct Supervisor {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
    log: PathBuf,
}

impl Supervisor {
    /// Starts what `command` makes, anew for each life; its log goes to a file.
    pub fn start(command: impl Fn() -> Command + Send + 'static, log: PathBuf) -> Self {
        let shared = Arc::new(Shared::default());
        let (sharing, file) = (Arc::clone(&shared), log.clone());
        let thread = std::thread::spawn(move || keep(&sharing, command, &file));
        Self { shared, thread: Some(thread), log }
    }

    /// Ends the present life with -9, if there is one.
    pub fn kill(&self) {
        let mut state = self.shared.state.lock().unwrap();
        if let Some(child) = &mut state.child {
            let _ = child.kill();
            if let Some(life) = state.lives.last_mut() {
                (life.ended, life.killed) = (Some(Instant::now()), true);
            }
        }
    }

    /// Waits until so many lives have begun to take events.
    pub fn wait_until_up(&self, lives: usize) {
        let state = self.shared.state.lock().unwrap();
        let up = |state: &State| state.lives.iter().filter(|life| life.up.is_some()).count();
        let (_state, timeout) = self
            .shared
            .changed
            .wait_timeout_while(state, PATIENCE, |state| up(state) < lives)
            .unwrap();
        assert!(!timeout.timed_out(), "the server does not start: see {}", self.tail());
    }

    /// The end of the server's log.
    pub fn tail(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Asks it to end, and waits until it has; returns all its lives.
    pub fn stop(&mut self) -> Vec<Life> {
        self.shared.stopping.store(true, Ordering::SeqCst);
        let id = self.shared.state.lock().unwrap().child.as_ref().map(Child::id);
        if let Some(id) = id {
            let _ = Command::new("kill").args(["-TERM", &id.to_string()]).status();
        }
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
        self.shared.state.lock().unwrap().lives.clone()
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.kill();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The address that a line of the log names when the server begins to take events.
fn is_up(line: &str) -> Option<SocketAddr> {
    let line: serde_json::Value =
        line.contains("taking events").then(|| serde_json::from_str(line).ok())??;
    line["address"].as_str()?.parse().ok()
}

fn keep(shared: &Shared, command: impl Fn() -> Command, log: &std::path::Path) {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
    while !shared.stopping.load(Ordering::SeqCst) {
        let mut child = command().stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        {
            let mut state = shared.state.lock().unwrap();
            state.child = Some(child);
            state.lives.push(Life::default());
        }
        for line in stderr.lines().map_while(Result::ok) {
            if is_up(&line).is_some() {
                shared.state.lock().unwrap().lives.last_mut().unwrap().up = Some(Instant::now());
                shared.changed.notify_all();
            }
            if !line.starts_with('{') {
                shared.state.lock().unwrap().lives.last_mut().unwrap().last_words.clone_from(&line);
            }
            writeln!(file, "{line}").unwrap();
        }
        // Its stderr is closed: it has ended, or is about to.
        let mut state = shared.state.lock().unwrap();
        let mut child = state.child.take().unwrap();
        let status = child.wait().unwrap();
        let life = state.lives.last_mut().unwrap();
        life.ended.get_or_insert_with(Instant::now);
        let killed = life.killed;
        drop(state);
        writeln!(file, "-- ended: {status}").unwrap();
        if !killed && !shared.stopping.load(Ordering::SeqCst) {
            std::thread::sleep(PAUSE);
        }
    }
}
