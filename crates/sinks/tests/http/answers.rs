//! What does each answer of a backend mean, and what is said of it?

use std::time::Duration;

use tidegate::Outcome;
use tidegate_sinks::http::Meaning;
use tidegate_sinks::{DeliveryFailure, Sink};
use tidegate_testbed::http::{Behaviour, Deed, Reply};

use super::contract::{batch, deliver};
use super::{pair, pair_with, retry};

/// What a batch comes to that is answered like this, and the message after the address.
async fn answered(reply: Reply) -> (Outcome, String) {
    let (backend, sink) = pair(Behaviour::default()).await;
    backend.script([Deed::Refuse(reply)]);
    let (outcome, why) = retry(sink.deliver(batch(0..10)).await);
    let site = format!("POST {} answered ", backend.url("/events"));
    let said = why.strip_prefix(&site).unwrap_or_else(|| panic!("{why}")).to_owned();
    // The batch as it was is taken once the backend takes it.
    deliver(&sink, batch(0..10)).await;
    assert_eq!(backend.ledger().items.len(), 10);
    (outcome, said)
}

#[tokio::test]
async fn limits_and_overload_say_how_long_to_wait() {
    let seconds = Some(Duration::from_secs(7));
    for (reply, outcome, said) in [
        (Reply::status(429), Outcome::Throttled { retry_after: None }, "429 Too Many Requests"),
        (
            Reply::status(429).header("Retry-After", "7").body("slow down\nplease"),
            Outcome::Throttled { retry_after: seconds },
            "429 Too Many Requests: slow down. It asks to wait for 7s",
        ),
        (
            Reply::status(429)
                .header("Date", "Sun, 06 Nov 1994 08:49:30 GMT")
                .header("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT"),
            Outcome::Throttled { retry_after: seconds },
            "429 Too Many Requests. It asks to wait for 7s",
        ),
        (
            Reply::status(503).header("Retry-After", "7"),
            Outcome::Overloaded,
            "503 Service Unavailable. It asks to wait for 7s",
        ),
        (
            Reply::status(500).body(" \n boom "),
            Outcome::Overloaded,
            "500 Internal Server Error: boom",
        ),
        (Reply::status(504), Outcome::TimedOut, "504 Gateway Timeout"),
        (Reply::status(408), Outcome::TimedOut, "408 Request Timeout"),
        (Reply::status(502), Outcome::Unreachable, "502 Bad Gateway"),
    ] {
        assert_eq!(answered(reply).await, (outcome, said.to_owned()));
    }
}

#[tokio::test]
async fn what_is_to_be_mended_gives_nothing_up_and_says_what_to_do() {
    for (reply, said) in [
        (
            Reply::status(401).body("token expired"),
            "401 Unauthorized: token expired. Check the credentials in the sink's headers; the \
             events wait meanwhile",
        ),
        (
            Reply::status(403),
            "403 Forbidden. The credentials in the sink's headers may not write there: grant it, \
             or use others; the events wait meanwhile",
        ),
        (
            Reply::status(404),
            "404 Not Found. Check the sink's url and method; the events wait meanwhile",
        ),
        (
            Reply::status(415),
            "415 Unsupported Media Type. Check the sink's format, its compression and its header \
             Content-Type",
        ),
        (
            Reply::status(308).header("Location", "https://new.example/v2?token=abc"),
            "308 Permanent Redirect. It points to https://new.example/v2?***. Redirects are not \
             followed: give the sink the address it points to",
        ),
        (Reply::status(418), "418 I'm a teapot"),
    ] {
        assert_eq!(answered(reply).await, (Outcome::Unreachable, said.to_owned()));
    }
}

#[tokio::test]
async fn only_a_fault_of_the_data_is_a_refusal() {
    let (backend, sink) = pair(Behaviour::default()).await;
    for (status, reason) in [(400, "Bad Request"), (422, "Unprocessable Entity")] {
        backend.script([Deed::Refuse(Reply::status(status).body("line 3: no object"))]);
        let delivery = sink.deliver(batch(0..10)).await;
        assert_eq!(delivery.outcome, Outcome::Rejected);
        let url = backend.url("/events");
        let why = format!("POST {url} answered {status} {reason}: line 3: no object");
        assert_eq!(delivery.failure, Some(DeliveryFailure::Refused { why, at: None }));
    }
    backend.script([Deed::status(413)]);
    let delivery = sink.deliver(batch(0..10)).await;
    assert_eq!(delivery.outcome, Outcome::TooLarge);
    assert!(matches!(delivery.failure, Some(DeliveryFailure::TooLarge(_))), "{delivery:?}");
}

#[tokio::test]
async fn settings_say_what_a_status_means() {
    let statuses = [(404, Meaning::Refused), (409, Meaning::Taken), (400, Meaning::Retry)];
    let change =
        |settings: &mut tidegate_sinks::http::Settings| settings.statuses = statuses.into();
    let (backend, sink) = pair_with(Behaviour::default(), change).await;
    backend.script([404, 409, 400].map(Deed::status));
    assert_eq!(sink.deliver(batch(0..1)).await.outcome, Outcome::Rejected);
    assert_eq!(sink.deliver(batch(0..1)).await.outcome, Outcome::Ok);
    assert_eq!(sink.deliver(batch(0..1)).await.outcome, Outcome::Unreachable);
}

#[tokio::test]
async fn a_quote_is_one_short_line_of_plain_text() {
    let body = format!("\u{1b}[31mred\u{7} {}\nsecond", "x".repeat(100_000));
    let (_, said) = answered(Reply::status(500).body(body)).await;
    let quote = said.strip_prefix("500 Internal Server Error: ").unwrap();
    assert!(quote.starts_with(" [31mred  xxx") && quote.ends_with("x…"), "{quote}");
    assert_eq!(quote.chars().count(), 201);
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_read_to_its_end() {
    // More than the sink reads of it, and far less than would hurt: what counts is that it answers
    // at once and that the next batch is none the worse.
    let endless = "y".repeat(8 << 20);
    assert_eq!(answered(Reply::status(500).body(endless.clone())).await.0, Outcome::Overloaded);
    let (backend, sink) = pair(Behaviour::default()).await;
    backend.script([Deed::Refuse(Reply::status(200).body(endless))]);
    assert_eq!(sink.deliver(batch(0..1)).await.outcome, Outcome::Ok);
    deliver(&sink, batch(0..1)).await;
}
