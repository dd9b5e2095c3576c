//! Does a sink keep the contract? One suite for all of them.
//!
//! A sink's own test file says how it is started and how what it stored is read back — that is a
//! [`Subject`] — and names the suite once:
//!
//! ```ignore
//! #[path = "../contract/mod.rs"]
//! mod contract;
//! contract::suite!(subject);
//! ```
//!
//! Each check starts from an empty store. [`lifecycle`] and [`payloads`] hold for every sink. What
//! only an exactly-once sink promises (repeats, cuts, fences) is in [`exactly_once`], [`fencing`]
//! and [`model`]; a sink that promises less says so, `contract::suite!(at_least_once: subject)`, and
//! is held to [`at_least_once`] instead.

#![allow(dead_code, unused_macro_rules, reason = "no sink promises both")]

pub(crate) mod at_least_once;
pub(crate) mod exactly_once;
pub(crate) mod fencing;
#[cfg(any(feature = "http", feature = "lines"))]
pub(crate) mod json;
pub(crate) mod lifecycle;
pub(crate) mod model;
pub(crate) mod payloads;

use std::any::Any;
use std::ops::Range;

use tidegate::Outcome;
use tidegate_event::{Body, Event, JournalId, Position, Rows, rows};
use tidegate_sinks::{Batch, BoxFuture, Origin, Sink, Slice};

/// A sink under test and its store.
pub(crate) struct Subject {
    /// Starts a sink on the store; more than one may run at a time.
    pub(crate) start: Box<dyn Fn() -> Box<dyn Sink>>,
    /// Reads back what is stored, ordered by journal and position.
    pub(crate) stored: Box<dyn Fn() -> BoxFuture<'static, Vec<Stored>>>,
    /// What must live as long as the store (a temporary directory, a server).
    pub(crate) keep: Box<dyn Any>,
}

/// One stored event. Absent texts are empty, ids are hexadecimal.
///
/// Two are equal if their attributes are the same JSON: a store may write it in its own way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stored {
    pub(crate) journal: String,
    pub(crate) position: Position,
    pub(crate) timestamp: Option<i64>,
    pub(crate) observed: i64,
    pub(crate) severity_number: u8,
    pub(crate) severity_text: String,
    pub(crate) service: String,
    pub(crate) class: String,
    pub(crate) body: String,
    pub(crate) attributes: String,
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
}

impl PartialEq for Stored {
    fn eq(&self, other: &Self) -> bool {
        let texts = |row: &Self| {
            let Self { journal, severity_text, service, class, body, trace_id, span_id, .. } = row;
            [journal, severity_text, service, class, body, trace_id, span_id].map(String::clone)
        };
        let numbers = |row: &Self| (row.position, row.timestamp, row.observed, row.severity_number);
        let json = |row: &Self| serde_json::from_str::<serde_json::Value>(&row.attributes).ok();
        let is_same_json = || json(self).is_some_and(|json_of| Some(json_of) == json(other));
        texts(self) == texts(other)
            && numbers(self) == numbers(other)
            && (self.attributes == other.attributes || is_same_json())
    }
}

impl Stored {
    /// What a store must hold for this event.
    pub(crate) fn of(journal: JournalId, position: Position, event: &Event<'_>) -> Self {
        let hex = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        Self {
            journal: journal.to_string(),
            position,
            timestamp: event.timestamp,
            observed: event.observed,
            severity_number: event.severity_number,
            severity_text: event.severity_text.to_owned(),
            service: event.service.to_owned(),
            class: event.class.to_owned(),
            body: match event.body {
                Body::None => String::new(),
                Body::Text(text) | Body::Json(text) => text.to_owned(),
            },
            attributes: event.attributes.to_owned(),
            trace_id: event.trace_id.map(|id| hex(&id)).unwrap_or_default(),
            span_id: event.span_id.map(|id| hex(&id)).unwrap_or_default(),
        }
    }
}

/// The journal that most checks use.
pub(crate) const JOURNAL: JournalId = JournalId::from_u128(0x0dec_ade0);

/// The opening of [`JOURNAL`] with this epoch.
pub(crate) fn origin(epoch: u64) -> Origin {
    Origin { journal: JOURNAL, epoch, opening: 0xa5 << 120 | u128::from(epoch) }
}

/// A started sink that [`origin`]`(epoch)` has opened.
pub(crate) async fn opened(subject: &Subject, epoch: u64) -> Box<dyn Sink> {
    let sink = (subject.start)();
    sink.open(origin(epoch)).await.unwrap();
    sink
}

/// Calls `with` with the event that the checks put at this position.
pub(crate) fn with_event<T>(position: Position, with: impl FnOnce(&Event<'_>) -> T) -> T {
    let body = format!("event {position}");
    let attributes = format!(r#"{{"user":"u-{position}"}}"#);
    let number = i64::try_from(position).unwrap();
    with(&Event {
        timestamp: (!position.is_multiple_of(3)).then_some(1_763_600_000_000_000_000 + number),
        observed: 1_763_600_000_000_000_000 + number,
        severity_number: 9,
        severity_text: "INFO",
        service: "checkout",
        body: Body::Text(&body),
        attributes: &attributes,
        trace_id: position.is_multiple_of(2).then_some([0xab; 16]),
        span_id: position.is_multiple_of(2).then_some([0x01; 8]),
        ..Event::default()
    })
}

/// The usual events of these positions, as one slice.
pub(crate) fn slice(positions: Range<Position>) -> Slice {
    let mut bytes = Vec::new();
    for position in positions.clone() {
        with_event(position, |event| rows::encode(event, &mut bytes).unwrap());
    }
    let count = u32::try_from(positions.end - positions.start).unwrap();
    Slice { first: positions.start, rows: Rows::new(bytes.into(), count) }
}

/// A batch of the lane `default` that holds every position of the range.
pub(crate) fn batch(range: Range<Position>) -> Batch {
    Batch { lane: "default".into(), range: range.clone(), slices: vec![slice(range)] }
}

/// A batch with given events.
pub(crate) fn batch_of(first: Position, events: &[Event<'_>]) -> Batch {
    let mut bytes = Vec::new();
    for event in events {
        rows::encode(event, &mut bytes).unwrap();
    }
    let count = u32::try_from(events.len()).unwrap();
    let rows = Rows::new(bytes.into(), count);
    let range = first..first + u64::from(count);
    Batch { lane: "default".into(), range, slices: vec![Slice { first, rows }] }
}

/// Delivers and insists that all of it was taken.
pub(crate) async fn deliver(sink: &dyn Sink, batch: Batch) {
    let delivery = sink.deliver(batch).await;
    assert_eq!((delivery.outcome, delivery.failure), (Outcome::Ok, None));
}

/// The usual events of these positions, as stored.
pub(crate) fn usual(positions: impl IntoIterator<Item = Position>) -> Vec<Stored> {
    let stored = |position| with_event(position, |event| Stored::of(JOURNAL, position, event));
    positions.into_iter().map(stored).collect()
}

/// Insists that the store holds the usual events of these positions and nothing else.
pub(crate) async fn assert_stored(
    subject: &Subject,
    positions: impl IntoIterator<Item = Position>,
) {
    let stored = (subject.stored)().await;
    let expected = usual(positions);
    let names = |rows: &[Stored]| rows.iter().map(|row| row.position).collect::<Vec<_>>();
    assert_eq!(names(&stored), names(&expected));
    assert_eq!(stored, expected);
}

/// A test for every check, on subjects that `$subject()` makes.
macro_rules! suite {
    ($subject:path) => {
        contract::suite!(@common $subject);
        contract::suite!(@tests $subject;
            exactly_once: a_repeat_is_answered_and_stored_once,
                a_repeat_after_a_restart_too,
                a_smaller_cut_of_a_committed_range_is_a_repeat,
                a_partly_committed_range_is_a_recut,
                ranges_may_come_in_any_order,
                delivered_merges_what_touches_and_is_cut_at_its_start,
                lanes_share_the_positions_between_them,
                a_range_without_rows_is_committed,
                an_item_that_another_lane_stored_is_not_stored_again,
                another_item_under_the_same_name_is_refused;
            fencing: an_older_epoch_is_refused_at_the_open,
                the_same_epoch_of_another_opening_is_refused,
                the_same_opening_may_open_again,
                a_running_older_opening_is_fenced_at_its_next_batch,
                journals_do_not_fence_each_other;
        );

        #[test]
        fn model_every_committed_position_is_stored_exactly_once() {
            contract::model::every_committed_position_is_stored_exactly_once($subject);
        }
    };
    (at_least_once: $subject:path) => {
        contract::suite!(@common $subject);
        contract::suite!(@tests $subject;
            at_least_once: it_says_so,
                a_repeat_arrives_under_the_same_names,
                a_batch_that_is_cut_otherwise_arrives,
                nothing_is_known_to_be_delivered,
                a_range_without_rows_is_taken,
                lanes_and_journals_do_not_disturb_each_other,
                the_next_opening_goes_on;
        );

        #[test]
        fn every_position_that_was_taken_is_stored() {
            contract::at_least_once::every_position_that_was_taken_is_stored($subject);
        }
    };
    (@common $subject:path) => {
        contract::suite!(@tests $subject;
            lifecycle: a_sink_takes_what_it_is_given,
                close_waits_for_what_is_in_flight,
                after_the_close_it_says_so,
                before_the_open_nothing_is_taken;
            payloads: every_field_arrives_as_it_was,
                hostile_texts_arrive_as_they_were,
                a_batch_with_broken_rows_is_refused_whole;
        );
    };
    (@tests $subject:path; $($module:ident: $($check:ident),+;)+) => { $($(
        #[tokio::test]
        async fn $check() {
            contract::$module::$check(&$subject()).await;
        }
    )+)+ };
}
pub(crate) use suite;
