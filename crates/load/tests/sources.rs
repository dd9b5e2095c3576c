//! Where events come from: made up at a rate, or read from a file.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like the tests themselves")]

mod common;

use std::future::pending;
use std::io::Write as _;
use std::time::Duration;

use common::{Server, accept, ids};
use serde_json::json;
use tidegate_load::{LoadArgs, LoadError, Observer, Pattern, Progress, Summary, run};

async fn load(args: &LoadArgs) -> Summary {
    run(args, &mut (), pending()).await.unwrap()
}

fn file(name: &str, text: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::File::create(&path).unwrap().write_all(text).unwrap();
    (folder, path)
}

#[tokio::test]
async fn every_pattern_brings_its_events_and_a_bound_in_time_ends_it() {
    for pattern in
        [Pattern::Constant, Pattern::Sine, Pattern::Spikes, Pattern::Ramp, Pattern::Burst]
    {
        let server = Server::start(|_, seen| accept(seen)).await;
        let args = LoadArgs {
            rate: Some(5_000.0),
            pattern,
            period: Duration::from_millis(100),
            events: Some(1_000),
            batch: 7,
            ..server.args()
        };
        let summary = load(&args).await;
        assert!(summary.complete(), "{pattern:?}: {summary:?}");
        assert_eq!(server.events().len(), 1_000);
    }
    let server = Server::start(|_, seen| accept(seen)).await;
    let args = LoadArgs {
        rate: Some(1_000.0),
        duration: Some(Duration::from_millis(200)),
        batch: 10,
        ..server.args()
    };
    // The schedule, not the clock, decides how many events fit.
    assert_eq!(load(&args).await.events_acknowledged, 200);
}

#[tokio::test]
async fn without_a_rate_a_bound_in_time_ends_the_run_too() {
    let server = Server::start(|_, seen| accept(seen)).await;
    let args = LoadArgs { duration: Some(Duration::from_millis(50)), ..server.args() };
    let summary = load(&args).await;
    assert!(summary.complete() && summary.events_sent > 0, "{summary:?}");
}

#[tokio::test]
async fn with_a_rate_waiting_for_a_free_connection_counts_as_latency() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let slow = std::sync::atomic::AtomicBool::new(true);
    let slow = std::sync::Arc::new(slow);
    let answer = move || {
        let slow = slow.swap(false, std::sync::atomic::Ordering::Relaxed);
        async move {
            if slow {
                // The server's pause is the subject here; nothing is waited for.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            "{\"accepted\":1}"
        }
    };
    let router = axum::Router::new().route("/v1/events", axum::routing::post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let args = LoadArgs {
        rate: Some(1_000.0),
        events: Some(20),
        batch: 1,
        connections: 1,
        ..common::args(address)
    };
    let summary = load(&args).await;
    // All 20 were due within 20 ms of the start, and none could be answered before 100 ms.
    assert!(summary.latency_ms.unwrap().p50 >= 80.0, "{summary:?}");
}

#[tokio::test]
async fn an_observer_sees_start_and_end() {
    #[derive(Default)]
    struct Log {
        started: Vec<Option<u64>>,
        last: Progress,
        finished: usize,
    }
    impl Observer for Log {
        fn started(&mut self, events: Option<u64>) {
            self.started.push(events);
        }
        fn progress(&mut self, progress: &Progress) {
            assert!(progress.events_sent >= self.last.events_sent);
            self.last = *progress;
        }
        fn finished(&mut self) {
            self.finished += 1;
        }
    }
    let server = Server::start(|_, seen| accept(seen)).await;
    let mut log = Log::default();
    let args = LoadArgs { events: Some(1_000), ..server.args() };
    fn sendable<T: Send>(future: T) -> T {
        future
    }
    // A caller may spawn it on any runtime.
    sendable(run(&args, &mut log, pending())).await.unwrap();
    assert_eq!((log.started, log.finished), (vec![Some(1_000)], 1));
    assert_eq!(log.last.events_acknowledged, 1_000);
}

#[tokio::test]
async fn a_log_file_goes_in_once_line_by_line() {
    let log = b"2026-11-21 00:58:01 startup archives unpack\n\n\
                2026-11-21 00:58:02 install libc6:amd64 <none> 2.41-12\n\
                {\"msg\":\"already JSON\",\"level\":\"info\"}\n\
                caf\xe9\n\
                time=2026-11-21T01:02:03Z level=error msg=\"no end\" code=7";
    let (_folder, path) = file("dpkg.log", log);
    let server = Server::start(|_, seen| accept(seen)).await;
    let args = LoadArgs { from: Some(path), connections: 1, batch: 2, ..server.args() };
    let summary = load(&args).await;
    assert!(summary.complete(), "{summary:?}");
    let lines = summary.lines.unwrap();
    assert_eq!((lines.read, lines.blank, lines.repaired, lines.cut), (6, 1, 1, 0));
    let events = server.events();
    assert_eq!(events.len(), 5);
    assert_eq!(
        events[1],
        json!({"body": "2026-11-21 00:58:02 install libc6:amd64 <none> 2.41-12",
               "service": "dpkg", "timestamp": "2026-11-21T00:58:02Z",
               "attributes": {"log.file.name": "dpkg.log", "log.line": 3}})
    );
    assert_eq!(events[2], json!({"msg": "already JSON", "level": "info"}));
    assert_eq!(events[4]["severity"], "error");
    assert_eq!(events[4]["attributes"]["code"], "7");
}

#[tokio::test]
async fn a_file_is_repeated_up_to_the_wanted_number() {
    let (_folder, path) = file("app.log", b"one\ntwo\nthree\n");
    let server = Server::start(|_, seen| accept(seen)).await;
    let args = LoadArgs {
        from: Some(path),
        events: Some(10),
        ids: true,
        connections: 1,
        batch: 4,
        ..server.args()
    };
    let summary = load(&args).await;
    assert!(summary.complete(), "{summary:?}");
    let events = server.events();
    assert_eq!(
        events.iter().map(ids).collect::<Vec<_>>(),
        (0..10).map(|n| (n, 1)).collect::<Vec<_>>()
    );
    let bodies: Vec<_> = events.iter().map(|event| event["body"].as_str().unwrap()).collect();
    assert_eq!(bodies[..4], ["one", "two", "three", "one"]);
    assert_eq!(events[3]["attributes"]["log.line"], 1);
}

#[tokio::test]
async fn long_lines_are_cut_and_big_requests_closed_early() {
    let long = "x".repeat(300 * 1024);
    let (_folder, path) = file("long.log", format!("{long}\n").repeat(10).as_bytes());
    let server = Server::start(|_, seen| accept(seen)).await;
    let args = LoadArgs { from: Some(path), ..server.args() };
    let summary = load(&args).await;
    assert!(summary.complete(), "{summary:?}");
    assert_eq!(summary.lines.unwrap().cut, 10);
    assert_eq!(summary.requests, 2 + 1, "1 MiB closes a request");
    for event in server.events() {
        assert_eq!(event["body"].as_str().unwrap().len(), 256 * 1024);
        assert_eq!(event["attributes"]["log.line.truncated"], true);
    }
}

#[tokio::test]
async fn files_that_cannot_be_sent_are_refused() {
    let server = Server::start(|_, seen| accept(seen)).await;
    let (folder, blank) = file("blank.log", b"\n  \n");
    let error = |from, events| {
        let args = LoadArgs { from: Some(from), events, ..server.args() };
        async move { run(&args, &mut (), pending()).await.unwrap_err() }
    };
    assert!(matches!(error(blank, Some(10)).await, LoadError::NoLines { .. }));
    for path in [folder.path().to_path_buf(), folder.path().join("missing.log")] {
        let error = error(path.clone(), None).await;
        assert!(matches!(error, LoadError::File { action: "read", .. }), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()));
    }
}
