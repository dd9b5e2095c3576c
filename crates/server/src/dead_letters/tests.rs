//! Letters in a real file.

use tidegate::Outcome;
use tidegate_event::{Body, Event, rows};

use super::letter::Kind;
use super::*;

fn letter(position: Position, reason: &str) -> Letter {
    let mut row = Vec::new();
    let text = format!("event {position}");
    let class = if position.is_multiple_of(2) { "read" } else { "" };
    rows::encode(&Event { body: Body::Text(&text), class, ..Event::default() }, &mut row).unwrap();
    Letter {
        journal: "0123456789abcdef0123456789abcdef".parse().unwrap(),
        position,
        sink: "main".into(),
        lane: "default".into(),
        why: Why {
            kind: Kind::Refused,
            outcome: Outcome::Rejected,
            reason: reason.to_owned(),
            at: 20,
        },
        attempts: 2,
        first_at: 10,
        row: row.into(),
    }
}

const LIMITS: Limits = Limits { items_max: 5, bytes_max: 1 << 20 };

#[tokio::test]
async fn letters_outlive_the_process_and_come_once_under_their_name() {
    let dir = tempfile::tempdir().unwrap();
    let letters = DeadLetters::open(dir.path(), LIMITS).unwrap();
    letters.keep(vec![letter(1, "no 1"), letter(2, "no 2")]).await.unwrap();
    let bytes = letters.total().1;
    letters.close().await;
    assert_eq!(letters.keep(vec![letter(3, "late")]).await, Err(StoreError::Closed));

    let letters = DeadLetters::open(dir.path(), LIMITS).unwrap();
    assert_eq!(letters.total(), (2, bytes));
    letters.mend(1, "{\"body\":\"mended\"}".into(), letter(9, "").row).await.unwrap();
    letters.keep(vec![letter(1, "again")]).await.unwrap();
    let kept = letters.page(Filter::default(), 0, 10).await.unwrap();
    assert_eq!(kept.len(), 2);
    // What was tried adds up; what was mended stays.
    assert_eq!((kept[0].attempts, kept[0].mended, &*kept[0].reason), (4, 1, "again"));
    assert_eq!(kept[0].event, "{\"body\":\"mended\"}");
    assert_eq!(kept[1].event, "{\"class\":\"read\",\"body\":\"event 2\"}");
    let journal = letter(0, "").journal;
    let above = letters.positions(journal, "main".into(), "default".into(), 2).await.unwrap();
    assert_eq!(above, [2]);
}

#[tokio::test]
async fn at_the_bound_nothing_more_is_kept_and_what_is_there_may_change() {
    let dir = tempfile::tempdir().unwrap();
    let letters = DeadLetters::open(dir.path(), LIMITS).unwrap();
    let four: Vec<_> = (0..4).map(|at| letter(at, "no")).collect();
    letters.keep(four).await.unwrap();
    let error = letters.keep(vec![letter(4, "no"), letter(5, "no")]).await.unwrap_err();
    assert!(error.to_string().contains("4 of 5 items"), "{error}");
    assert_eq!(letters.total().0, 4);
    letters.keep(vec![letter(4, "no")]).await.unwrap();
    letters.keep(vec![letter(4, "no, again")]).await.unwrap();
    let room = letters.room();
    letters.remove(vec![1, 2]).await.unwrap();
    assert!(room.has_changed().unwrap());
    letters.keep(vec![letter(5, "no")]).await.unwrap();
    assert_eq!(letters.total().0, 4);
}

#[tokio::test]
async fn filters_let_through_what_they_say_and_purge_that_alone() {
    let letters = DeadLetters::in_memory(Limits { items_max: 100, ..LIMITS });
    letters.keep((0..6).map(|at| letter(at, &format!("bad value {at}"))).collect()).await.unwrap();
    letters.keep(vec![letter(6, "too \"long\" by 7")]).await.unwrap();
    let count = async |filter: Filter| letters.page(filter, 0, 100).await.unwrap().len();
    let filter = Filter::default;
    assert_eq!(count(filter()).await, 7);
    assert_eq!(count(Filter { class: Some("read".into()), ..filter() }).await, 4);
    assert_eq!(count(Filter { position: Some(3), ..filter() }).await, 1);
    assert_eq!(count(Filter { sink: Some("other' OR 1".into()), ..filter() }).await, 0);
    assert_eq!(count(Filter { reason: Some("value 3".into()), ..filter() }).await, 1);
    let groups = letters.groups(filter()).await.unwrap();
    let seen: Vec<_> = groups.iter().map(|group| (&*group.group, group.count)).collect();
    assert_eq!(seen, [("bad value #", 6), ("too \"…\" by #", 1)]);
    letters
        .put_back(vec![7], Why { kind: Kind::TooLarge, ..letter(6, "still").why })
        .await
        .unwrap();
    assert_eq!(count(Filter { kind: Some(Kind::TooLarge), ..filter() }).await, 1);
    let kinds: Vec<_> = letters.totals().into_iter().map(|one| (one.kind, one.items)).collect();
    assert_eq!(kinds, [("refused".to_owned(), 6), ("too_large".to_owned(), 1)]);
    let group = Filter { group: Some("bad value #".into()), ..filter() };
    assert_eq!(letters.purge(group).await.unwrap(), 6);
    assert_eq!(letters.total().0, 1);
}

#[tokio::test]
async fn what_may_have_been_delivered_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let letters = DeadLetters::open(dir.path(), LIMITS).unwrap();
    letters.keep(vec![letter(1, "no"), letter(2, "no")]).await.unwrap();
    let sent = letters.sending(vec![1, 2, 77], false).await.unwrap();
    assert_eq!(sent.iter().map(|letter| letter.id).collect::<Vec<_>>(), [1, 2]);
    letters.close().await;
    // As after a crash in the midst of it.
    let letters = DeadLetters::open(dir.path(), LIMITS).unwrap();
    let mend = async |id| letters.mend(id, "{}".into(), letter(9, "").row).await;
    assert_eq!(mend(1).await, Err(StoreError::UnderWay(1)));
    letters.put_back(vec![1], letter(1, "still no").why).await.unwrap();
    assert_eq!(mend(1).await, Ok(true));
    assert_eq!(mend(2).await, Err(StoreError::UnderWay(2)));
    letters.not_there(vec![2]).await.unwrap();
    assert_eq!(mend(2).await, Ok(true));
}

#[tokio::test]
async fn a_letter_goes_back_by_itself_so_often_and_anew_once_it_is_mended() {
    let letters = DeadLetters::in_memory(LIMITS);
    letters.keep(vec![letter(1, "no"), letter(2, "no")]).await.unwrap();
    let eligible = async |kinds: &[Kind]| {
        let filter =
            Filter { kinds: Some(kinds.to_vec()), automatic_below: Some(2), ..Filter::default() };
        let found = letters.page(filter, 0, 10).await.unwrap();
        found.into_iter().map(|letter| letter.id).collect::<Vec<_>>()
    };
    assert_eq!(eligible(&[Kind::Attempts, Kind::Age]).await, [0; 0]);
    let kinds = [Kind::Age, Kind::Refused];
    assert_eq!(eligible(&kinds).await, [1, 2]);
    for is_automatic in [true, false, true] {
        assert_eq!(eligible(&kinds).await, [1, 2]);
        letters.sending(vec![1], is_automatic).await.unwrap();
    }
    assert_eq!(eligible(&kinds).await, [2]);
    letters.not_there(vec![1]).await.unwrap();
    letters.mend(1, "{}".into(), letter(9, "").row).await.unwrap();
    assert_eq!(eligible(&kinds).await, [1, 2]);
}

#[test]
fn a_file_of_somebody_else_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = rusqlite::Connection::open(dir.path().join("control.db")).unwrap();
    file.execute_batch("CREATE TABLE theirs (x)").unwrap();
    let error = DeadLetters::open(dir.path(), LIMITS).unwrap_err();
    assert!(error.to_string().contains("something else"), "{error}");
}
