//! Under load the server is killed with -9 at random moments and started again. The checker knows
//! only what clients were told and what the database holds.
//!
//! Bounded by `TIDEGATE_KILL_EVENTS` (default 40,000), `TIDEGATE_KILLS` (default 10) and drawn from
//! `TIDEGATE_KILL_SEED` (default 1). Its last line is a JSON object with the counts.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

mod common;

use std::path::Path;

use common::producers::{Attempt, Producers, setting};
use common::{Server, database};

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_stored_twice() {
    let events = setting("TIDEGATE_KILL_EVENTS", 40_000);
    let kills = setting("TIDEGATE_KILLS", 10);
    let mut random = fastrand::Rng::with_seed(setting("TIDEGATE_KILL_SEED", 1).unsigned_abs());
    let dir = tempfile::tempdir().unwrap();
    let producers = Producers::new(events);
    let listen = producers.address.to_string();
    let start = || Server::start_with(dir.path(), &["--listen", &listen]);

    let told = producers.run(|producers| {
        let mut server = start();
        producers.server_started();
        for kill in 0..kills {
            // Somewhere in the kill's own share of the run, so that each hits a busy server.
            let share = events / (kills + 1);
            producers.wait_for_acknowledged(kill * share + random.i64(share / 4..share));
            server.kill();
            server = start();
            producers.server_started();
        }
        producers.wait_for_acknowledged(events);
        let (status, log) = server.stop();
        assert!(status.success(), "{log:#?}");
    });
    let verdict = producers.check(&told, stored(dir.path()));
    println!("{}", serde_json::json!({ "events": events, "kills": kills, "verdict": verdict }));
    assert!(verdict.is_clean(), "{verdict:?}");
}

fn stored(dir: &Path) -> Vec<Attempt> {
    let database = database(dir);
    let sql = "SELECT attributes ->> 'id', attributes ->> 'try' FROM events";
    let mut rows = database.prepare(sql).unwrap();
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}
