//! Does only the latest opening of a journal deliver?

use tidegate::Outcome;
use tidegate_event::JournalId;
use tidegate_sinks::{DeliveryFailure, OpenError, Origin};

use super::{JOURNAL, Subject, assert_stored, batch, deliver, opened, origin};

pub(crate) async fn an_older_epoch_is_refused_at_the_open(subject: &Subject) {
    opened(subject, 5).await.close().await;
    let sink = (subject.start)();
    let refused = OpenError::Copied { journal: JOURNAL, theirs: 5, ours: 4 };
    assert_eq!(sink.open(origin(4)).await, Err(refused));
    // The refusal took nothing from the one that may.
    assert_eq!(sink.open(origin(6)).await, Ok(()));
    deliver(&*sink, batch(0..1)).await;
}

pub(crate) async fn the_same_epoch_of_another_opening_is_refused(subject: &Subject) {
    let sink = opened(subject, 5).await;
    let copy = (subject.start)();
    let twin = Origin { opening: 7, ..origin(5) };
    let refused = OpenError::Copied { journal: JOURNAL, theirs: 5, ours: 5 };
    assert_eq!(copy.open(twin).await, Err(refused));
    deliver(&*sink, batch(0..1)).await;
}

pub(crate) async fn the_same_opening_may_open_again(subject: &Subject) {
    let sink = opened(subject, 5).await;
    deliver(&*sink, batch(0..1)).await;
    assert_eq!(sink.open(origin(5)).await, Ok(()));
    deliver(&*sink, batch(1..2)).await;
    assert_stored(subject, 0..2).await;
}

pub(crate) async fn a_running_older_opening_is_fenced_at_its_next_batch(subject: &Subject) {
    let old = opened(subject, 5).await;
    deliver(&*old, batch(0..1)).await;
    let new = opened(subject, 6).await;
    let delivery = old.deliver(batch(1..2)).await;
    let fenced = DeliveryFailure::Fenced { journal: JOURNAL, theirs: 6, ours: 5 };
    assert_eq!(delivery.failure, Some(fenced));
    // Never an outcome on which a lane would give its items up.
    assert_ne!(delivery.outcome, Outcome::Rejected);
    assert_ne!(delivery.outcome, Outcome::Ok);
    deliver(&*new, batch(1..3)).await;
    assert_stored(subject, 0..3).await;
}

pub(crate) async fn journals_do_not_fence_each_other(subject: &Subject) {
    let one = opened(subject, 9).await;
    let two = (subject.start)();
    let journal = JournalId::from_u128(u128::MAX);
    assert_eq!(two.open(Origin { journal, epoch: 1, opening: 1 }).await, Ok(()));
    deliver(&*one, batch(0..5)).await;
    deliver(&*two, batch(0..5)).await;
    let stored = (subject.stored)().await;
    let of =
        |journal: JournalId| stored.iter().filter(|row| row.journal == journal.to_string()).count();
    assert_eq!((of(JOURNAL), of(journal)), (5, 5));
}
