//! Is every item stored once, however often and however cut it comes?

use tidegate::Outcome;
use tidegate_event::{Body, Event};
use tidegate_sinks::{Batch, DeliveryFailure};

use super::{Subject, assert_stored, batch, batch_of, deliver, opened, slice};

pub(crate) async fn a_repeat_is_answered_and_stored_once(subject: &Subject) {
    let sink = opened(subject, 1).await;
    for _ in 0..3 {
        deliver(&*sink, batch(0..25)).await;
    }
    assert_stored(subject, 0..25).await;
    assert_eq!(sink.delivered("default", 0).await, Ok(vec![0..25]));
}

pub(crate) async fn a_repeat_after_a_restart_too(subject: &Subject) {
    let sink = opened(subject, 1).await;
    deliver(&*sink, batch(0..25)).await;
    sink.close().await;
    let sink = opened(subject, 2).await;
    deliver(&*sink, batch(0..25)).await;
    deliver(&*sink, batch(25..30)).await;
    assert_stored(subject, 0..30).await;
}

pub(crate) async fn a_smaller_cut_of_a_committed_range_is_a_repeat(subject: &Subject) {
    let sink = opened(subject, 1).await;
    deliver(&*sink, batch(0..10)).await;
    deliver(&*sink, batch(10..20)).await;
    for part in [0..1, 3..17, 10..20, 19..20, 0..20] {
        deliver(&*sink, batch(part)).await;
    }
    assert_stored(subject, 0..20).await;
}

pub(crate) async fn a_partly_committed_range_is_a_recut(subject: &Subject) {
    let sink = opened(subject, 1).await;
    deliver(&*sink, batch(10..20)).await;
    deliver(&*sink, batch(30..40)).await;
    for (range, committed) in [
        (5..15, 10..15),
        (15..25, 15..20),
        (5..25, 10..20),
        (19..21, 19..20),
        (10..21, 10..20),
        (15..35, 15..35), // both ends: the outermost committed positions are named
    ] {
        let delivery = sink.deliver(batch(range)).await;
        assert_ne!(delivery.outcome, Outcome::Ok);
        assert_eq!(delivery.failure, Some(DeliveryFailure::Recut(committed)));
    }
    assert_stored(subject, (10..20).chain(30..40)).await;
    deliver(&*sink, batch(20..30)).await;
    assert_eq!(sink.delivered("default", 0).await, Ok(vec![10..40]));
}

pub(crate) async fn ranges_may_come_in_any_order(subject: &Subject) {
    let sink = opened(subject, 1).await;
    for range in [40..50, 0..10, 20..30, 10..20, 30..40] {
        deliver(&*sink, batch(range)).await;
    }
    assert_stored(subject, 0..50).await;
    assert_eq!(sink.delivered("default", 0).await, Ok(vec![0..50]));
}

pub(crate) async fn delivered_merges_what_touches_and_is_cut_at_its_start(subject: &Subject) {
    let sink = opened(subject, 1).await;
    assert_eq!(sink.delivered("default", 0).await, Ok(vec![]));
    for range in [0..5, 5..10, 20..30, 12..20, 40..41] {
        deliver(&*sink, batch(range)).await;
    }
    assert_eq!(sink.delivered("default", 0).await, Ok(vec![0..10, 12..30, 40..41]));
    assert_eq!(sink.delivered("default", 7).await, Ok(vec![7..10, 12..30, 40..41]));
    assert_eq!(sink.delivered("default", 10).await, Ok(vec![12..30, 40..41]));
    assert_eq!(sink.delivered("default", 41).await, Ok(vec![]));
    assert_eq!(sink.delivered("default", u64::MAX).await, Ok(vec![]));
    assert_eq!(sink.delivered("another lane", 0).await, Ok(vec![]));
}

pub(crate) async fn lanes_share_the_positions_between_them(subject: &Subject) {
    let sink = opened(subject, 1).await;
    let even = Batch {
        lane: "even".into(),
        range: 0..6,
        slices: vec![slice(0..1), slice(2..3), slice(4..5)],
    };
    let odd = Batch {
        lane: "it's \"odd\"".into(),
        range: 0..6,
        slices: vec![slice(1..2), slice(3..4), slice(5..6)],
    };
    deliver(&*sink, even).await;
    assert_stored(subject, [0, 2, 4]).await;
    deliver(&*sink, odd).await;
    assert_stored(subject, 0..6).await;
    assert_eq!(sink.delivered("it's \"odd\"", 0).await, Ok(vec![0..6]));
}

pub(crate) async fn a_range_without_rows_is_committed(subject: &Subject) {
    let sink = opened(subject, 1).await;
    let empty = |range| Batch { lane: "default".into(), range, slices: vec![] };
    deliver(&*sink, empty(0..100)).await;
    deliver(&*sink, empty(100..100)).await;
    assert_stored(subject, 0..0).await;
    assert_eq!(sink.delivered("default", 0).await, Ok(vec![0..100]));
}

pub(crate) async fn an_item_that_another_lane_stored_is_not_stored_again(subject: &Subject) {
    let sink = opened(subject, 1).await;
    deliver(&*sink, batch(0..15)).await;
    // A class was declared since: its lane starts with an empty record.
    let lane = Batch { lane: "write".into(), ..batch(0..25) };
    deliver(&*sink, lane).await;
    assert_stored(subject, 0..25).await;
}

pub(crate) async fn another_item_under_the_same_name_is_refused(subject: &Subject) {
    let sink = opened(subject, 1).await;
    deliver(&*sink, batch(0..15)).await;
    let other = [Event { body: Body::Text("another"), ..Event::default() }];
    let delivery = sink.deliver(Batch { lane: "write".into(), ..batch_of(7, &other) }).await;
    assert_eq!(delivery.outcome, Outcome::Rejected);
    match delivery.failure {
        Some(DeliveryFailure::Refused { why, .. }) => assert!(why.contains("position 7"), "{why}"),
        failure => panic!("{failure:?}"),
    }
    assert_stored(subject, 0..15).await;
    assert_eq!(sink.delivered("write", 0).await, Ok(vec![]));
}
