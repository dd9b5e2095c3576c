//! The place where it happens: the server, its three sinks, and how each of them is broken.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tidegate_testbed::postgres::{Postgres, Settings};
use tidegate_testbed::proxy::{Cut, Proxy};

use crate::api::Api;
use crate::disk::Disk;
use crate::schedule::{Action, Can};
use crate::supervisor::Supervisor;

const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// What was done, and when.
#[derive(Debug, Default)]
pub struct Log(pub Vec<(Instant, Action)>);

impl Log {
    /// How often each fault was done; ends of faults do not count.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for (_, action) in &self.0 {
            let Some(name) = action.fault() else { continue };
            *counts.entry(name).or_default() += 1;
        }
        for (_, action) in &self.0 {
            let Action::ApiScript(deeds) = action else { continue };
            for deed in deeds {
                let name = match deed {
                    0 => "api_429",
                    1 => "api_500",
                    2 => "api_503",
                    3 => "api_hang",
                    4 => "api_drop",
                    5 | 6 => "api_take_and_drop",
                    7 => "api_cut_in_answer",
                    _ => "api_slow",
                };
                *counts.entry(name).or_default() += 1;
            }
        }
        counts
    }
}

/// Everything.
pub struct Site {
    pub supervisor: Supervisor,
    pub log: Log,
    address: SocketAddr,
    dir: PathBuf,
    data: PathBuf,
    api: Api,
    proxy: Proxy,
    postgres: Arc<Mutex<Postgres>>,
    /// Restarts take a while: they happen beside the schedule, one after another.
    outages: Option<mpsc::Sender<Action>>,
    restarting: Option<JoinHandle<()>>,
    /// When PostgreSQL took connections again.
    back: Arc<Mutex<Vec<Instant>>>,
    disk: Disk,
    clock: PathBuf,
    steps_clock: bool,
}

impl Site {
    pub fn start(dir: &Path, seed: u64) -> Self {
        let disk = Disk::mount(&dir.join("disk"));
        let data = dir.join("disk/data");
        let postgres = Postgres::start(Settings::default()).unwrap();
        let proxy = Proxy::start(postgres.address()).unwrap();
        let url = postgres.url("postgres");
        let url = url.replace(&postgres.address().to_string(), &proxy.address().to_string());
        let api = Api::start(seed);
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = dir.join("tidegate.yaml");
        std::fs::write(&config, settings(dir, &url, &api.url())).unwrap();
        let (clock, steps_clock) = (dir.join("clock"), Path::new(FAKETIME).exists());
        std::fs::write(&clock, "+0\n").unwrap();
        let command = {
            let (data, clock) = (data.clone(), clock.clone());
            move || serve(&config, &data, address, steps_clock.then_some(clock.as_path()))
        };
        let supervisor = Supervisor::start(command, dir.join("log"));
        supervisor.wait_until_up(1);
        // From here on it refuses what is poison.
        let check = "ALTER TABLE events ADD CHECK (body NOT LIKE 'poison %')";
        postgres.psql("postgres", check).unwrap();
        let postgres = Arc::new(Mutex::new(postgres));
        let (outages, asked) = mpsc::channel();
        let breaking = Arc::clone(&postgres);
        let back: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let noting = Arc::clone(&back);
        let restarting = Some(std::thread::spawn(move || {
            while let Ok(action) = asked.recv() {
                let mut postgres = breaking.lock().unwrap();
                match action {
                    Action::PostgresKill => postgres.kill().unwrap(),
                    _ => {
                        postgres.restart().unwrap();
                        noting.lock().unwrap().push(Instant::now());
                    }
                }
            }
        }));
        let (dir, log) = (dir.to_owned(), Log::default());
        Self {
            supervisor,
            log,
            address,
            dir,
            data,
            api,
            proxy,
            postgres,
            outages: Some(outages),
            restarting,
            back,
            disk,
            clock,
            steps_clock,
        }
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub const fn can(&self) -> Can {
        Can { fill_disk: self.disk.can_be_filled(), step_clock: self.steps_clock }
    }

    pub fn act(&mut self, action: &Action) {
        match action {
            Action::Kill => self.supervisor.kill(),
            Action::PostgresKill | Action::PostgresRestart | Action::PostgresStart => {
                if let Some(outages) = &self.outages {
                    outages.send(action.clone()).unwrap();
                }
            }
            Action::ConnectionsCut => self.proxy.cut_all(),
            Action::CutArmed(place, bytes) => self.proxy.arm(match place {
                0 => Cut::AfterClientBytes(*bytes),
                1 => Cut::AfterServerBytes(bytes / 20 + 1),
                2 => Cut::InCopy(*bytes),
                3 => Cut::BeforeCommit,
                _ => Cut::AfterCommit,
            }),
            Action::PostgresRefuses(refuses) => self.proxy.refuse(*refuses),
            Action::ApiScript(deeds) => self.api.script(deeds),
            Action::ApiBodyMax(bytes) => self.api.body_max(*bytes),
            Action::ApiFlaky(flaky) => self.api.flaky(*flaky),
            Action::DiskFull(true) => self.disk.fill(),
            Action::DiskFull(false) => self.disk.free(),
            Action::Clock(seconds) => {
                std::fs::write(&self.clock, format!("{seconds:+}\n")).unwrap();
            }
        }
        self.log.0.push((Instant::now(), action.clone()));
    }

    /// When PostgreSQL was there again, after an outage or behind a proxy that had refused.
    pub fn postgres_back(&self) -> Vec<Instant> {
        let refused = |(at, action): &(Instant, Action)| {
            (*action == Action::PostgresRefuses(false)).then_some(*at)
        };
        let mut back = self.back.lock().unwrap().clone();
        back.extend(self.log.0.iter().filter_map(refused));
        back
    }

    /// Ends all that is still broken.
    pub fn mend(&mut self) {
        self.outages = None;
        if let Some(restarting) = self.restarting.take() {
            restarting.join().unwrap();
        }
        // Does nothing to one that runs but to end what a schedule may have left.
        self.postgres.lock().unwrap().restart().unwrap();
        self.proxy.disarm();
        self.proxy.refuse(false);
        self.api.mend();
        self.disk.free();
        self.log.0.push((Instant::now(), Action::DiskFull(false)));
    }

    /// Waits until nothing waits any more; whether that came about.
    pub fn wait_for_delivery(&self, patience: Duration) -> bool {
        let (url, agent) = (format!("http://{}/api/metrics", self.address), agent());
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            let metrics = metrics(&agent, &url);
            let lanes = metrics.as_ref().and_then(|metrics| metrics["lanes"].as_array().cloned());
            if lanes.is_some_and(|lanes| lanes.iter().all(|lane| lane["backlog"] == 0)) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        println!("{}", self.supervisor.tail());
        false
    }

    pub fn sqlite_path(&self) -> PathBuf {
        self.dir.join("lite.db")
    }

    pub fn dead_letters_path(&self) -> PathBuf {
        self.data.join("control.db")
    }

    /// What PostgreSQL holds: a line of JSON for each event.
    pub fn dump_postgres(&self) -> PathBuf {
        let file = self.dir.join("postgres");
        let rows = "SELECT attributes FROM events";
        let dump = self.postgres.lock().unwrap().psql("postgres", rows).unwrap();
        std::fs::write(&file, dump).unwrap();
        file
    }

    /// What the API holds.
    pub fn dump_api(&self) -> PathBuf {
        let file = self.dir.join("api");
        self.api.dump(&file);
        file
    }
}

fn settings(dir: &Path, postgres: &str, api: &str) -> String {
    let lite = dir.join("lite.db").display().to_string();
    format!(
        "http: {{ body_bytes_max: 64 KiB, decompressed_bytes_max: 64 KiB, event_bytes_max: 16 KiB }}
journal: {{ segment_bytes: 128 KiB, max_bytes: 32 MiB, tail_bytes: 1 MiB }}
sinks:
  lite: {{ type: sqlite, path: '{lite}' }}
  pg: {{ type: postgres, url: '{postgres}' }}
  api: {{ type: http, url: '{api}', timeout: 1 s }}
"
    )
}

fn serve(config: &Path, data: &Path, listen: SocketAddr, clock: Option<&Path>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.env_remove("TIDEGATE_CONFIG").env_remove("TIDEGATE_TOKEN");
    command.args(["serve", "--log-format", "json", "--listen", &listen.to_string()]);
    command.arg("--data-dir").arg(data).arg("--config").arg(config);
    if let Some(clock) = clock {
        command.env("LD_PRELOAD", FAKETIME);
        command.env("FAKETIME_TIMESTAMP_FILE", clock);
        command.env("FAKETIME_CACHE_DURATION", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
    command
}

pub fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(2))).build().new_agent()
}

/// `/api/metrics`, if it is answered.
pub fn metrics(agent: &ureq::Agent, url: &str) -> Option<serde_json::Value> {
    let mut answer = agent.get(url).call().ok()?;
    serde_json::from_reader(answer.body_mut().as_reader()).ok()
}
