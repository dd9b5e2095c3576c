//! Does the record agree with the rows after the process was killed inside a transaction?

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tidegate_sinks::Sink;

use super::contract::{assert_stored, batch, deliver, opened, origin};
use super::{number, path_of, subject};

/// Large, so that a kill soon after an answer falls into the next transaction.
const ROWS: u64 = 2_000;
const DATABASE: &str = "TIDEGATE_TEST_CRASH_DATABASE";
const EPOCH: &str = "TIDEGATE_TEST_CRASH_EPOCH";

/// Not a test of its own: the process that is killed. It delivers until then.
#[tokio::test]
async fn child() {
    let Ok(path) = std::env::var(DATABASE) else { return };
    let epoch = std::env::var(EPOCH).unwrap().parse().unwrap();
    let settings = tidegate_sinks::sqlite::Settings::new(path, "sqlite");
    let sink = tidegate_sinks::sqlite::SqliteSink::start(settings).unwrap();
    sink.open(origin(epoch)).await.unwrap();
    let delivered = sink.delivered("default", 0).await.unwrap();
    let mut first = delivered.last().map_or(0, |range| range.end);
    loop {
        deliver(&sink, batch(first..first + ROWS)).await;
        first += ROWS;
        println!("\nacknowledged {first}");
    }
}

fn spawn(path: &std::path::Path, epoch: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture", "--test-threads=1"])
        .env(DATABASE, path)
        .env(EPOCH, epoch.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn killed_inside_a_transaction_record_and_rows_agree() {
    let subject = subject();
    let path = path_of(&subject);
    for kill in 1..=8 {
        let mut child = spawn(&path, kill);
        let mut acknowledged = 0;
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = lines.map_while(Result::ok).filter_map(|line| {
            line.strip_prefix("acknowledged ").and_then(|end| end.parse::<u64>().ok())
        });
        for end in said.take(1 + usize::try_from(kill % 3).unwrap()) {
            acknowledged = end;
        }
        child.kill().unwrap();
        child.wait().unwrap();

        assert!(acknowledged > 0, "the child ended before it delivered");
        let rows = number(&path, "SELECT count(*) FROM events");
        let span = r#"SELECT coalesce(sum("end" - first), 0) FROM tidegate_ranges"#;
        assert_eq!(rows, number(&path, span));
        assert!(u64::try_from(rows).unwrap() >= acknowledged, "an acknowledged batch is lost");
        assert_eq!(number(&path, "SELECT count(*) FROM tidegate_ranges"), 1);
        let integrity = "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'";
        assert_eq!(number(&path, integrity), 1);
    }
    // The batch in doubt comes again, whether it was committed or not.
    let sink = opened(&subject, 100).await;
    let end = sink.delivered("default", 0).await.unwrap().last().unwrap().end;
    deliver(&*sink, batch(end - ROWS..end)).await;
    deliver(&*sink, batch(end..end + ROWS)).await;
    assert_stored(&subject, 0..end + ROWS).await;
}
