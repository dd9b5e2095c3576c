//! How does the sink fare with connections: kept, lost, refused, slow, encrypted?

use std::fs;
use std::time::Duration;

use tidegate::Outcome;
use tidegate_sinks::http::{HttpSink, Settings};
use tidegate_sinks::{DeliveryFailure, Sink};
use tidegate_testbed::http::{Behaviour, Deed, HttpBackend};

use super::contract::{batch, deliver, origin};
use super::{pair, pair_with, retry, sink};

#[tokio::test]
async fn connections_are_kept_and_shared() {
    let (backend, sink) = pair(Behaviour::default()).await;
    for first in 0..20 {
        deliver(&sink, batch(first..first + 1)).await;
    }
    assert_eq!(backend.ledger().connections, 1);
    let at_once = (0..4).map(|n| sink.deliver(batch(n * 10..n * 10 + 10)));
    for delivery in join(at_once).await {
        assert_eq!(delivery.outcome, Outcome::Ok);
    }
    assert!(backend.ledger().connections <= 4);
}

/// Polls all of them, side by side.
async fn join<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    let mut outputs = Vec::new();
    std::future::poll_fn(|context| {
        futures.retain_mut(|future| match future.as_mut().poll(context) {
            std::task::Poll::Ready(output) => {
                outputs.push(output);
                false
            }
            std::task::Poll::Pending => true,
        });
        if futures.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    outputs
}

#[tokio::test]
async fn a_lost_answer_leaves_the_batch_in_doubt_and_it_is_repeated() {
    let (backend, sink) = pair(Behaviour::default()).await;
    for (deed, was_taken) in [(Deed::Drop, 0), (Deed::TakeAndDrop, 1)] {
        backend.script([deed]);
        let (outcome, why) = retry(sink.deliver(batch(0..10)).await);
        assert_eq!(outcome, Outcome::Unreachable);
        assert!(why.contains("the connection ended before the answer"), "{why}");
        let times = |ledger: tidegate_testbed::http::Ledger| {
            ledger.items.values().map(|taken| taken.times).max().unwrap_or(0)
        };
        assert_eq!(times(backend.ledger()), was_taken);
    }
    // The status was there already: what is cut off of the rest says nothing new.
    backend.script([Deed::TakeAndCut]);
    assert_eq!(sink.deliver(batch(10..20)).await.outcome, Outcome::Ok);
    assert_eq!(backend.ledger().items.len(), 20);
}

#[tokio::test]
async fn no_answer_in_time_is_told_and_the_next_batch_is_none_the_worse() {
    let change = |settings: &mut Settings| settings.timeout = Duration::from_millis(50);
    let (backend, sink) = pair_with(Behaviour::default(), change).await;
    backend.script([Deed::Hang]);
    let (outcome, why) = retry(sink.deliver(batch(0..10)).await);
    assert_eq!(outcome, Outcome::TimedOut);
    assert_eq!(why, format!("POST {}: no answer within 50ms", backend.url("/events")));
    deliver(&sink, batch(0..10)).await;
}

#[tokio::test]
async fn whoever_stops_waiting_ends_the_attempt() {
    let (backend, sink) = pair(Behaviour::default()).await;
    backend.script([Deed::Hang]);
    {
        let mut attempt = sink.deliver(batch(0..10));
        tokio::select! {
            delivery = &mut attempt => panic!("{delivery:?}"),
            () = backend.until(|ledger| ledger.request_count == 1) => {}
        }
    }
    // A close would wait for an attempt that is on its way.
    sink.close().await;
    assert_eq!(backend.ledger().items.len(), 0);
}

#[tokio::test]
async fn a_server_that_is_gone_is_told_and_found_again() {
    let (backend, sink) = pair(Behaviour::default()).await;
    deliver(&sink, batch(0..10)).await;
    let (address, url) = (backend.address(), backend.url("/events"));
    drop(backend);
    let gone = loop {
        // The kept connection may end a moment later than the port.
        let (outcome, why) = retry(sink.deliver(batch(10..20)).await);
        assert_eq!(outcome, Outcome::Unreachable);
        if why.contains("Connection refused") {
            break why;
        }
    };
    assert!(gone.starts_with(&format!("POST {url}: ")), "{gone}");
    let backend = HttpBackend::start_at(address, Behaviour::default()).unwrap();
    deliver(&sink, batch(10..20)).await;
    assert_eq!(backend.ledger().items.len(), 10);
}

#[tokio::test]
async fn a_connection_that_does_not_come_about_is_given_up_in_time() {
    // It accepts nothing: the system answers for it until its queue is full, and TLS gets no word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", silent.local_addr().unwrap());
    let authority = HttpBackend::start_tls(Behaviour::default()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(url, "api");
    settings.connect_timeout = Duration::from_millis(50);
    settings.ca_file = Some(ca_file(&directory, authority.ca()));
    let sink = HttpSink::start(settings).unwrap();
    sink.open(origin(1)).await.unwrap();
    let (outcome, why) = retry(sink.deliver(batch(0..10)).await);
    assert_eq!(outcome, Outcome::Unreachable);
    assert!(why.contains("no connection within 50ms"), "{why}");
}

/// A file with these certificates.
fn ca_file(directory: &tempfile::TempDir, pem: &str) -> std::path::PathBuf {
    let path = directory.path().join("ca.pem");
    fs::write(&path, pem).unwrap();
    path
}

#[tokio::test]
async fn tls_trusts_the_authority_of_the_file_and_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let backend = HttpBackend::start_tls(Behaviour::default()).unwrap();
    assert!(backend.url("/").starts_with("https://"));
    let trusting = sink(&backend, |settings| {
        settings.ca_file = Some(ca_file(&directory, backend.ca()));
    })
    .await;
    deliver(&trusting, batch(0..10)).await;
    assert_eq!(backend.ledger().items.len(), 10);

    // Another authority, as real as the first.
    let other = HttpBackend::start_tls(Behaviour::default()).unwrap();
    let wary = sink(&backend, |settings| {
        settings.ca_file = Some(ca_file(&directory, other.ca()));
    })
    .await;
    let (outcome, why) = retry(wary.deliver(batch(10..20)).await);
    assert_eq!(outcome, Outcome::Unreachable);
    assert!(why.contains("certificate") && why.contains("name that one in ca_file"), "{why}");
    assert_eq!(backend.ledger().items.len(), 10);
}

#[tokio::test]
async fn certificates_that_cannot_be_used_are_told_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let refusal = |path: std::path::PathBuf| {
        let mut settings = Settings::new("https://api.example/v1?key=s3cret", "api");
        settings.ca_file = Some(path.clone());
        let error = HttpSink::start(settings).unwrap_err().to_string();
        let begin =
            format!("cannot use POST https://api.example/v1?***: ca_file {}: ", path.display());
        error.strip_prefix(&begin).unwrap_or_else(|| panic!("{error}")).to_owned()
    };
    let advice = "Give it a file of certificates in PEM form, which begin with `-----BEGIN \
                  CERTIFICATE-----`";
    let missing = refusal(directory.path().join("missing.pem"));
    assert!(missing.contains("No such file") && missing.ends_with(advice), "{missing}");
    let empty = refusal(ca_file(&directory, "no certificate"));
    assert_eq!(empty, format!("there is no certificate in it. {advice}"));
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let broken = refusal(ca_file(&directory, broken));
    assert!(broken.ends_with(advice), "{broken}");
}

#[tokio::test]
async fn close_waits_for_the_answer() {
    let (backend, sink) = pair(Behaviour::default()).await;
    backend.script([Deed::Slow(Duration::from_millis(20))]);
    let (delivery, ()) = tokio::join!(sink.deliver(batch(0..10)), sink.close());
    assert_eq!((delivery.outcome, delivery.failure), (Outcome::Ok, None::<DeliveryFailure>));
}
