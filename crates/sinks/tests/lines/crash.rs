//! Are there only whole lines, and all that were acknowledged, after the process was killed?

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tidegate_sinks::Sink;
use tidegate_sinks::file::{FileSink, Settings};

use super::contract::at_least_once::assert_arrived;
use super::contract::{batch, deliver, opened, origin};
use super::file::{path_of, subject};

/// Large, so that a kill soon after an answer falls into the next write.
const ROWS: u64 = 2_000;
const FILE: &str = "TIDEGATE_TEST_CRASH_FILE";
const FIRST: &str = "TIDEGATE_TEST_CRASH_FIRST";

/// Not a test of its own: the process that is killed. It delivers until then.
#[tokio::test]
async fn child() {
    let Ok(path) = std::env::var(FILE) else { return };
    let mut first: u64 = std::env::var(FIRST).unwrap().parse().unwrap();
    let sink = FileSink::start(Settings::new(path)).unwrap();
    sink.open(origin(1)).await.unwrap();
    loop {
        deliver(&sink, batch(first..first + ROWS)).await;
        first += ROWS;
        println!("\nacknowledged {first}");
    }
}

fn spawn(path: &Path, first: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture", "--test-threads=1"])
        .env(FILE, path)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn killed_inside_a_write_only_whole_lines_and_all_acknowledged_ones_are_there() {
    let subject = subject();
    let path = path_of(&subject);
    let mut acknowledged = 0;
    for kill in 1..=8 {
        // As a journal does it: what was not acknowledged comes again.
        let mut child = spawn(&path, acknowledged);
        let before = acknowledged;
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = lines.map_while(Result::ok).filter_map(|line| {
            line.strip_prefix("acknowledged ").and_then(|end| end.parse::<u64>().ok())
        });
        for end in said.take(1 + kill % 3) {
            acknowledged = end;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(acknowledged > before, "the child ended before it delivered");
    }
    // One more batch than was acknowledged may have been written, and is repeated as a whole.
    let sink = opened(&subject, 2).await;
    deliver(&*sink, batch(acknowledged..acknowledged + ROWS)).await;
    assert_arrived(&subject, 0..acknowledged + ROWS).await;
}
