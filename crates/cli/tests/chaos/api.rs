//! The HTTP API of the run, on a runtime of its own.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use tidegate_testbed::http::{Answers, Behaviour, Deed, HttpBackend, Poison, Random, Reply};
use tokio::runtime::Runtime;

pub struct Api {
    backend: HttpBackend,
    _runtime: Runtime,
    usual: Behaviour,
}

impl Api {
    pub fn start(seed: u64) -> Self {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        let usual = Behaviour {
            honours_keys: true,
            answers: Answers::Listed,
            poison: Some(Poison { marker: "poison ".into(), status: 422 }),
            random: Some(Random { seed, share: 0.0, deeds: vec![Deed::Drop, Deed::TakeAndDrop] }),
            ..Behaviour::default()
        };
        let backend = {
            let _inside = runtime.enter();
            HttpBackend::start(usual.clone()).unwrap()
        };
        Self { backend, _runtime: runtime, usual }
    }

    pub fn url(&self) -> String {
        self.backend.url("/events")
    }

    /// What the next requests meet, by the numbers of the schedule.
    pub fn script(&self, deeds: &[u8]) {
        self.backend.script(deeds.iter().map(|deed| match deed {
            0 => Deed::Refuse(Reply::status(429).header("Retry-After", "0")),
            1 => Deed::status(500),
            2 => Deed::Bar(Reply::status(503)),
            3 => Deed::Hang,
            4 => Deed::Drop,
            5 | 6 => Deed::TakeAndDrop,
            7 => Deed::TakeAndCut,
            _ => Deed::Slow(Duration::from_millis(300)),
        }));
    }

    pub fn body_max(&mut self, bytes: Option<u64>) {
        self.usual.body_bytes_max = bytes;
        self.backend.behave(self.usual.clone());
    }

    pub fn flaky(&mut self, flaky: bool) {
        if let Some(random) = &mut self.usual.random {
            random.share = if flaky { 0.4 } else { 0.0 };
        }
        self.backend.behave(self.usual.clone());
    }

    /// Back to taking everything but poison.
    pub fn mend(&mut self) {
        self.body_max(None);
        self.flaky(false);
    }

    /// Writes what it has taken: a line for each item, with how often.
    pub fn dump(&self, file: &Path) {
        let mut out = std::io::BufWriter::new(std::fs::File::create(file).unwrap());
        let ledger = self.backend.ledger();
        for (id, taken) in &ledger.items {
            writeln!(out, "{} {}", taken.times, taken.text).unwrap();
            if taken.times > 1 {
                // Whoever looks for the cause wants to know in which requests it came.
                for request in ledger.requests.iter().filter(|request| request.ids.contains(id)) {
                    let (first, last) = (request.ids.first(), request.ids.last());
                    let key = request.key();
                    println!("{id} came in {key}, {first:?} to {last:?}: {}", request.status);
                }
            }
        }
    }
}
