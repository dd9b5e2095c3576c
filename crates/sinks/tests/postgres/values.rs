//! What does PostgreSQL take that looks as if it would not, and what does it refuse?

use tidegate::Outcome;
use tidegate_event::{Body, Event};
use tidegate_sinks::DeliveryFailure;

use super::contract::{assert_stored, batch, batch_of, deliver, opened};
use super::{place_of, subject};

#[tokio::test]
async fn numbers_of_any_size_that_a_numeric_holds_arrive() {
    let subject = subject();
    let sink = opened(&subject, 1).await;
    let long = format!(r#"{{"n":{}}}"#, "9".repeat(5_000));
    let attributes =
        [r#"{"n":1e400}"#, r#"{"n":-1E-400}"#, r#"{"n":123456789012345678901234567890.1}"#, &long];
    let events = attributes.map(|attributes| Event { attributes, ..Event::default() });
    deliver(&*sink, batch_of(0, &events)).await;
    let place = place_of(&subject);
    let whole = "SELECT count(*) FROM events WHERE
                 (attributes ->> 'n')::numeric IN (1e400, -1e-400, 123456789012345678901234567890.1)";
    assert_eq!(place.number(whole).await, 3);
    let digits = "SELECT max(length(attributes ->> 'n'))::bigint FROM events";
    assert_eq!(place.number(digits).await, 5_000);
}

#[tokio::test]
async fn what_jsonb_and_text_cannot_hold_is_refused_with_its_position() {
    let subject = subject();
    let sink = opened(&subject, 1).await;
    let deep = format!(r#"{{"n":{}1{}}}"#, "[".repeat(50_000), "]".repeat(50_000));
    for event in [
        Event { attributes: r#"{"n":1e200000}"#, ..Event::default() },
        Event { attributes: r#"{"n":"\u0000"}"#, ..Event::default() },
        Event { attributes: r#"{"n":"\ud800"}"#, ..Event::default() },
        Event { attributes: "{", ..Event::default() },
        Event { attributes: &deep, ..Event::default() },
        Event { body: Body::Text("a\0b"), ..Event::default() },
    ] {
        let good = Event { body: Body::Text("COPY events, line 1"), ..Event::default() };
        let delivery = sink.deliver(batch_of(100, &[good, good, event, good])).await;
        assert_eq!(delivery.outcome, Outcome::Rejected, "{delivery:?}");
        match delivery.failure {
            Some(DeliveryFailure::Refused { why, at }) => {
                assert_eq!(at, Some(102), "{why}");
                assert!(why.starts_with("position 102: "), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
    deliver(&*sink, batch(0..10)).await;
    assert_stored(&subject, 0..10).await;
}
