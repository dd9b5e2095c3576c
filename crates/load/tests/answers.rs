//! What a load makes of the answers it gets, held against real servers.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like the tests themselves")]

mod common;

use std::collections::BTreeSet;
use std::future::pending;
use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use common::{Server, accept, args, ids, refuse, scripted};
use tidegate_load::{Ended, LoadArgs, LoadError, Summary, run};

async fn load(args: &LoadArgs) -> Summary {
    run(args, &mut (), pending()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_is_sent_once_under_its_own_name() {
    let server = Server::start(|_, seen| accept(seen)).await;
    let args = LoadArgs {
        events: Some(2_345),
        run: Some("r-1".into()),
        class: Some("write".into()),
        token: Some("s3cret".parse().unwrap()),
        ..server.args()
    };
    let summary = load(&args).await;
    assert!(summary.complete(), "{summary:?}");
    assert_eq!((summary.events_sent, summary.events_acknowledged), (2_345, 2_345));
    assert_eq!((summary.requests, summary.retries), (24, 0));
    let latency = summary.latency_ms.unwrap();
    assert!(latency.p50 > 0.0 && latency.p50 <= latency.p99 && latency.p99 <= latency.max * 1.01);
    let events = server.events();
    let names: BTreeSet<_> = events.iter().map(ids).collect();
    assert_eq!(names, (0..2_345).map(|seq| (seq, 1)).collect());
    assert_eq!(events.len(), 2_345);
    assert!(events.iter().all(|e| e["attributes"]["run"] == "r-1" && e["class"] == "write"));
    for seen in server.seen() {
        assert_eq!(seen.headers[header::AUTHORIZATION], "Bearer s3cret");
        assert_eq!(seen.headers[header::CONTENT_TYPE], "application/x-ndjson");
    }
}

#[tokio::test]
async fn pushed_back_requests_are_sent_again_as_another_try() {
    let server = Server::start(|number, seen| match number {
        0 => {
            (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "0")], "full").into_response()
        }
        1 => refuse(429, "slow down"),
        2 => refuse(500, "oops"),
        _ => accept(seen),
    })
    .await;
    let args =
        LoadArgs { events: Some(250), connections: 1, no_idempotency_key: true, ..server.args() };
    let summary = load(&args).await;
    assert!(server.seen().iter().all(|seen| !seen.headers.contains_key("idempotency-key")));
    assert!(summary.complete(), "{summary:?}");
    assert_eq!((summary.requests, summary.retries), (6, 3));
    for (kind, message) in [("http_503", "full"), ("http_429", "slow down"), ("http_500", "oops")] {
        assert_eq!((summary.errors[kind], summary.messages[kind].as_str()), (1, message));
    }
    let tries: Vec<u64> = server.seen().iter().map(|seen| ids(&seen.events[0]).1).collect();
    assert_eq!(tries, [1, 2, 3, 4, 1, 1]);
    let names: BTreeSet<_> = server.events().iter().map(ids).collect();
    assert_eq!(names.len(), server.events().len(), "a (seq, try) was sent twice");
}

#[tokio::test]
async fn a_request_with_a_key_is_repeated_unchanged_and_each_has_its_own() {
    let server = Server::start(|number, seen| match number {
        0 | 1 => refuse(500, "oops"),
        _ => accept(seen),
    })
    .await;
    let args = LoadArgs { events: Some(250), connections: 1, ..server.args() };
    let summary = load(&args).await;
    assert!(summary.complete(), "{summary:?}");
    assert_eq!((summary.requests, summary.retries), (5, 2));
    let seen = server.seen();
    let keys: Vec<_> = seen.iter().map(|seen| &seen.headers["idempotency-key"]).collect();
    assert!(keys[0] == keys[1] && keys[1] == keys[2], "{keys:?}");
    assert!(seen[0].events == seen[1].events && seen[1].events == seen[2].events);
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 3, "{keys:?}");
}

#[tokio::test]
async fn a_refusal_is_told_and_not_repeated() {
    let server = Server::start(|number, seen| match number {
        0 => refuse(400, "line 3: not JSON"),
        _ => accept(seen),
    })
    .await;
    let summary = load(&LoadArgs { events: Some(300), connections: 1, ..server.args() }).await;
    assert!(!summary.complete());
    assert_eq!(summary.ended, Ended::Done);
    assert_eq!((summary.events_acknowledged, summary.events_refused), (200, 100));
    assert_eq!(summary.messages["http_400"], "line 3: not JSON");
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_refusal_that_would_meet_every_request_ends_the_run() {
    let server = Server::start(|_, _| refuse(401, "token wanted")).await;
    let summary = load(&LoadArgs { connections: 1, ..server.args() }).await;
    assert_eq!(summary.ended, Ended::Refused { message: "401: token wanted".into() });
    assert_eq!((summary.requests, summary.events_refused), (1, 100));
}

#[tokio::test]
async fn a_part_accepted_is_counted_as_a_part() {
    let server = Server::start(|_, _| "{\"accepted\":60,\"rejected\":40}".into_response()).await;
    let summary = load(&LoadArgs { events: Some(100), ..server.args() }).await;
    assert_eq!((summary.events_acknowledged, summary.events_refused), (60, 40));
    assert_eq!(summary.errors["partly_refused"], 1);
    assert!(!summary.complete());
}

#[tokio::test]
async fn lost_answers_lead_to_another_try_on_a_new_connection() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                   6\r\n{\"acce\r\n9\r\npted\":10}\r\n0\r\n\r\n";
    let (address, bodies) = scripted(vec![
        None,
        Some("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"accepted\":10}CUT"),
        Some("not http at all CUT\r\n\r\n"),
        Some("HTTP/1.1 200 OK\r\ncontent-length: 15\r\nconnection: close\r\n\r\n{\"accepted\":10}"),
        Some(chunked),
        Some("HTTP/1.1 204 No Content\r\n\r\n"),
    ])
    .await;
    let folder = tempfile::tempdir().unwrap();
    let (kept, lost) = (folder.path().join("kept.csv"), folder.path().join("lost.csv"));
    let args = LoadArgs {
        events: Some(30),
        batch: 10,
        connections: 1,
        no_idempotency_key: true,
        run: Some("r".into()),
        acknowledged: Some(kept.clone()),
        unanswered: Some(lost.clone()),
        ..args(address)
    };
    let summary = load(&args).await;
    assert!(summary.complete(), "{summary:?}");
    assert_eq!((summary.requests, summary.retries), (6, 3));
    assert_eq!(summary.errors.values().sum::<u64>(), 3);
    assert_eq!(summary.errors["bad_answer"], 1);
    let read = |path| std::fs::read_to_string(path).unwrap();
    assert_eq!(read(kept), "run,first_seq,last_seq,try\nr,0,9,4\nr,10,19,1\nr,20,29,1\n");
    assert_eq!(read(lost), "run,first_seq,last_seq,try\nr,0,9,1\nr,0,9,2\nr,0,9,3\n");
    // Apart from the number of the try, the events are the same.
    let bodies = bodies.lock().unwrap();
    assert_eq!(bodies[0].replace("\"try\":  1", "\"try\":  2"), bodies[1]);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_in_time() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let args = LoadArgs {
        events: Some(100),
        timeout: Duration::from_millis(20),
        retry_for: Duration::from_millis(40),
        ..args(listener.local_addr().unwrap())
    };
    let summary = load(&args).await;
    assert!(summary.errors["timeout"] >= 1);
    assert_eq!(summary.errors["given_up"], 1);
    assert_eq!((summary.events_sent, summary.events_unanswered), (100, 100));
}

#[tokio::test]
async fn a_server_that_was_never_there_is_an_error() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let error = run(&args(closed), &mut (), pending()).await.unwrap_err();
    assert!(matches!(error, LoadError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("tidegate serve"));
}

#[tokio::test]
async fn a_server_that_goes_for_good_ends_the_run() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        stream.readable().await.unwrap();
    });
    let args = LoadArgs {
        events: Some(1_000_000),
        connections: 1,
        retry_for: Duration::from_millis(100),
        ..args(address)
    };
    let summary = load(&args).await;
    assert!(matches!(summary.ended, Ended::Unreachable { .. }), "{summary:?}");
    assert!(summary.errors["connect_refused"] >= 1);
    assert_eq!((summary.events_sent, summary.events_unanswered), (100, 100));
    assert!(!summary.complete());
}

#[tokio::test]
async fn what_was_in_flight_at_the_end_is_known_to_be_unanswered() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (told, ended) = tokio::sync::oneshot::channel::<()>();
    let held = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        stream.readable().await.unwrap();
        // Nothing but timers is left to happen: the grace period passes at once.
        tokio::time::pause();
        drop(told);
        pending::<()>().await;
        drop((stream, listener));
    });
    let folder = tempfile::tempdir().unwrap();
    let lost = folder.path().join("lost.csv");
    let args = LoadArgs {
        events: Some(500),
        connections: 1,
        run: Some("r".into()),
        unanswered: Some(lost.clone()),
        ..args(address)
    };
    let summary = run(&args, &mut (), async { drop(ended.await) }).await.unwrap();
    assert_eq!(summary.ended, Ended::Interrupted);
    assert_eq!((summary.events_sent, summary.events_unanswered), (100, 100));
    let lost = std::fs::read_to_string(lost).unwrap();
    assert_eq!(lost, "run,first_seq,last_seq,try\nr,0,99,1\n");
    held.abort();
}

#[tokio::test]
async fn a_restart_is_waited_for() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let restart = tokio::spawn(async move {
        // The first life ends with the first request unanswered …
        let (stream, _) = listener.accept().await.unwrap();
        stream.readable().await.unwrap();
        drop((stream, listener));
        // … and the second is a proper server at the same address.
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let ok = || async { "{\"accepted\":10}" };
        let router = axum::Router::new().route("/v1/events", axum::routing::post(ok));
        axum::serve(listener, router).await
    });
    let args = LoadArgs { events: Some(500), batch: 10, connections: 4, ..args(address) };
    let summary = load(&args).await;
    assert!(summary.complete(), "{summary:?}");
    assert!(summary.retries >= 1);
    restart.abort();
}

#[tokio::test]
async fn an_interrupted_run_says_what_was_done() {
    let (told, ended) = tokio::sync::oneshot::channel::<()>();
    let told = std::sync::Mutex::new(Some(told));
    let server = Server::start(move |number, seen| {
        if number == 20 {
            drop(told.lock().unwrap().take());
        }
        accept(seen)
    })
    .await;
    let args = LoadArgs { events: Some(1_000_000_000), batch: 10, ..server.args() };
    let shutdown = async { drop(ended.await) };
    let summary = run(&args, &mut (), shutdown).await.unwrap();
    assert_eq!(summary.ended, Ended::Interrupted);
    assert!(summary.events_acknowledged >= 200 && !summary.complete());
    assert_eq!(summary.events_sent, server.events().len() as u64);
    assert_eq!(summary.events_unanswered, 0, "requests in flight were answered");
}
