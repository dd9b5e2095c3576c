//! Does every event arrive as it was accepted, however it looks?

use tidegate::Outcome;
use tidegate_event::{Body, Event, Rows};
use tidegate_sinks::{Batch, DeliveryFailure, Slice};

use super::{JOURNAL, Stored, Subject, assert_stored, batch_of, deliver, opened, slice};

async fn assert_arrives(subject: &Subject, events: &[Event<'_>]) {
    let sink = opened(subject, 1).await;
    deliver(&*sink, batch_of(0, events)).await;
    let expected: Vec<_> =
        (0..).zip(events).map(|(position, event)| Stored::of(JOURNAL, position, event)).collect();
    let stored = (subject.stored)().await;
    assert_eq!(stored.len(), expected.len());
    for (stored, expected) in stored.iter().zip(&expected) {
        assert!(stored == expected, "stored {stored:.300?}, expected {expected:.300?}");
    }
}

pub(crate) async fn every_field_arrives_as_it_was(subject: &Subject) {
    let full = Event {
        timestamp: Some(1_763_600_000_123_456_789),
        observed: 1_763_600_001_000_000_001,
        severity_number: 17,
        severity_text: "error",
        service: "checkout",
        class: "write",
        body: Body::Text("payment failed"),
        attributes: r#"{"user":"u-1","nested":{"a":[1,2.5,null,true]}}"#,
        trace_id: Some([
            0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e,
            0x47, 0x36,
        ]),
        span_id: Some([0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]),
    };
    assert_arrives(
        subject,
        &[
            full,
            Event::default(),
            Event { timestamp: Some(-1), observed: i64::MAX, ..full },
            Event { timestamp: Some(0), observed: -1, severity_number: 24, ..full },
            Event { body: Body::Json(r#"{"code":7}"#), ..full },
            Event { body: Body::Text(""), attributes: "", ..Event::default() },
            Event { trace_id: Some([0; 16]), span_id: None, ..full },
            Event { trace_id: None, ..full },
        ],
    )
    .await;
}

pub(crate) async fn hostile_texts_arrive_as_they_were(subject: &Subject) {
    let long = "x".repeat(1 << 20);
    let long_attributes = format!(r#"{{"long":"{}"}}"#, "é".repeat(200_000));
    let name = "\u{e9}\u{301}".repeat(10_000);
    let texts = [
        "🦀 émoji 👩‍👩‍👧‍👦 \u{1f3f4}\u{e0067}\u{e0062}\u{e007f}",
        r#"'; DROP TABLE events; -- " '' \ `"#,
        "line\nfeed\r\n\ttab \u{1}\u{7f}\u{1b}[31m",
        "\u{feff}\u{202e}\u{200b}\u{2028}\u{fffd}\u{fffe}\u{ffff}\u{10ffff}\u{d7ff}\u{e000}",
        "\u{301}", // an accent with nothing to stand on
        "$1 ?1 :a @b %s {} ${x} \\N \\.",
        " ",
        long.as_str(),
    ];
    let mut events: Vec<Event<'_>> = Vec::new();
    for text in texts {
        events.push(Event { body: Body::Text(text), ..Event::default() });
        if text.len() < 1_000 {
            events.push(Event {
                severity_text: text,
                service: text,
                class: text,
                ..Event::default()
            });
        }
    }
    events.push(Event { attributes: &long_attributes, ..Event::default() });
    events.push(Event { service: &name, ..Event::default() });
    events.push(Event { attributes: r#"{"a.b":1,"'":"\"","":{}}"#, ..Event::default() });
    assert_arrives(subject, &events).await;
}

pub(crate) async fn a_batch_with_broken_rows_is_refused_whole(subject: &Subject) {
    let sink = opened(subject, 1).await;
    let good = slice(0..5);
    let cut = Rows::new(good.rows.bytes().slice(..good.rows.bytes().len() - 1), 5);
    let broken = [
        // The last row is cut off.
        Batch { lane: "default".into(), range: 0..5, slices: vec![Slice { first: 0, rows: cut }] },
        // A slice that is not inside the range; slices out of order; slices that overlap.
        Batch { lane: "default".into(), range: 0..4, slices: vec![slice(0..5)] },
        Batch { lane: "default".into(), range: 0..9, slices: vec![slice(5..6), slice(0..5)] },
        Batch { lane: "default".into(), range: 0..9, slices: vec![slice(0..5), slice(4..6)] },
    ];
    for batch in broken {
        let delivery = sink.deliver(batch).await;
        assert_eq!(delivery.outcome, Outcome::Rejected);
        assert!(matches!(delivery.failure, Some(DeliveryFailure::Refused { .. })));
    }
    assert_stored(subject, 0..0).await;
    deliver(&*sink, super::batch(0..5)).await;
    assert_stored(subject, 0..5).await;
}
