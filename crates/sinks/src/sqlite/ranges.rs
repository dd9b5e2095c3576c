//! Which positions has a lane committed? The sink's own record, kept in the rows' transactions.
//!
//! A batch claims its range before its rows go in; a trigger refuses a claim that overlaps one
//! that is committed. At the end of the transaction the range is joined with the ones it touches:
//! SQLite's write transactions are serial, so no batch waits for another because of that, and the
//! record stays at one row a lane plus one for each gap. Nothing has to be compacted later.

use std::ops::Range;

use rusqlite::{Connection, Row, params};
use tidegate_event::Position;

use super::trouble::{Trouble, is_constraint};
use crate::shape::{covers, merge};

/// Whose ranges: the key of the record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner<'a> {
    /// The sink's name.
    pub(super) sink: &'a str,
    /// The journal's number in this file.
    pub(super) journal: i64,
    /// The lane.
    pub(super) lane: &'a str,
}

/// A range as SQLite stores it.
pub(super) type Stored = Range<i64>;

/// What a claim came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// The range is this transaction's now; its rows may follow.
    Granted,
    /// All of it is committed already: an attempt whose answer was lost.
    Repeated,
}

/// Puts the range into the record, first of all, or finds out why it does not fit.
pub(super) fn claim(db: &Connection, owner: Owner<'_>, range: &Stored) -> Result<Claim, Trouble> {
    match put(db, owner, range) {
        Ok(()) => Ok(Claim::Granted),
        Err(error) if is_constraint(&error) => {
            let committed = overlapping(db, owner, range)?;
            if covers(&committed, range) {
                return Ok(Claim::Repeated);
            }
            // The refusal came from something else than an overlap: it is not ours to interpret.
            let (Some(first), Some(last)) = (committed.first(), committed.last()) else {
                return Err(error.into());
            };
            let part = first.start.max(range.start)..last.end.min(range.end);
            Err(Trouble::Recut(position(part.start)..position(part.end)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Joins the range that was claimed in this transaction with the ones it touches.
pub(super) fn join(db: &Connection, owner: Owner<'_>, range: &Stored) -> rusqlite::Result<()> {
    let Owner { sink, journal, lane } = owner;
    let near: Vec<Stored> = db
        .prepare_cached(
            r#"SELECT first, "end" FROM tidegate_ranges
               WHERE sink = ?1 AND journal = ?2 AND lane = ?3 AND first <= ?4
               ORDER BY first DESC LIMIT 3"#,
        )?
        .query_map(params![sink, journal, lane, range.end], read)?
        .collect::<Result<_, _>>()?;
    let touching: Vec<_> =
        near.iter().filter(|other| other.end >= range.start && other.start <= range.end).collect();
    let joined = touching
        .iter()
        .fold(range.clone(), |whole, part| whole.start.min(part.start)..whole.end.max(part.end));
    if joined == *range {
        return Ok(());
    }
    let mut delete = db.prepare_cached(
        "DELETE FROM tidegate_ranges
         WHERE sink = ?1 AND journal = ?2 AND lane = ?3 AND first = ?4",
    )?;
    for part in touching {
        delete.execute(params![sink, journal, lane, part.start])?;
    }
    put(db, owner, &joined)
}

/// The ranges that end above `above`, in order.
pub(super) fn above(
    db: &Connection,
    owner: Owner<'_>,
    above: Position,
) -> rusqlite::Result<Vec<Range<Position>>> {
    // No stored position is above i64::MAX.
    let from = i64::try_from(above).unwrap_or(i64::MAX);
    let found = overlapping(db, owner, &(from..i64::MAX))?;
    Ok(merge(found.into_iter().map(|part| position(part.start.max(from))..position(part.end))))
}

fn put(db: &Connection, owner: Owner<'_>, range: &Stored) -> rusqlite::Result<()> {
    db.prepare_cached(
        r#"INSERT INTO tidegate_ranges (sink, journal, lane, first, "end")
           VALUES (?1, ?2, ?3, ?4, ?5)"#,
    )?
    .execute(params![owner.sink, owner.journal, owner.lane, range.start, range.end])
    .map(drop)
}

fn overlapping(db: &Connection, owner: Owner<'_>, range: &Stored) -> rusqlite::Result<Vec<Stored>> {
    db.prepare_cached(
        r#"SELECT first, "end" FROM tidegate_ranges
           WHERE sink = ?1 AND journal = ?2 AND lane = ?3 AND first < ?5 AND "end" > ?4
           ORDER BY first"#,
    )?
    .query_map(params![owner.sink, owner.journal, owner.lane, range.start, range.end], read)?
    .collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(row.get(0)?..row.get(1)?)
}

/// A stored position is never negative: the table checks it.
fn position(stored: i64) -> Position {
    u64::try_from(stored).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;
    use proptest::prelude::*;

    fn database() -> Connection {
        let mut db = Connection::open_in_memory().unwrap();
        schema::install(&mut db).unwrap();
        db
    }

    const OWNER: Owner<'_> = Owner { sink: "s", journal: 1, lane: "default" };

    fn commit(db: &Connection, range: &Stored) -> Result<Claim, Trouble> {
        let claim = claim(db, OWNER, range)?;
        if claim == Claim::Granted {
            join(db, OWNER, range)?;
        }
        Ok(claim)
    }

    proptest! {
        /// Invariant: a claim is granted, repeated or refused exactly as a set of committed
        /// positions says, and the record is that set, with as few rows as can be.
        #[test]
        fn the_record_is_the_set_of_committed_positions(
            claims in proptest::collection::vec((0..40i64, 1..12i64), 0..40),
        ) {
            let db = database();
            let mut model = std::collections::BTreeSet::new();
            for (first, length) in claims {
                let range = first..first + length;
                let known = range.clone().filter(|position| model.contains(position)).count();
                match commit(&db, &range) {
                    Ok(Claim::Granted) => {
                        prop_assert_eq!(known, 0);
                        model.extend(range);
                    }
                    Ok(Claim::Repeated) => prop_assert_eq!(known, range.count()),
                    Err(Trouble::Recut(part)) => {
                        prop_assert!(known > 0 && known < range.clone().count());
                        let part = i64::try_from(part.start).unwrap()..i64::try_from(part.end).unwrap();
                        let inside: Vec<_> = range.filter(|p| model.contains(p)).collect();
                        prop_assert_eq!(inside.first(), Some(&part.start));
                        prop_assert_eq!(inside.last(), Some(&(part.end - 1)));
                    }
                    Err(other) => prop_assert!(false, "{other:?}"),
                }
                let stored = above(&db, OWNER, 0).unwrap();
                prop_assert!(stored.windows(2).all(|pair| pair[0].end < pair[1].start));
                let rows: i64 = db
                    .query_row("SELECT count(*) FROM tidegate_ranges", [], |row| row.get(0))
                    .unwrap();
                prop_assert_eq!(usize::try_from(rows).unwrap(), stored.len());
                let positions: Vec<i64> =
                    stored.into_iter().flatten().map(|p| i64::try_from(p).unwrap()).collect();
                prop_assert_eq!(positions, model.iter().copied().collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn what_is_delivered_is_cut_at_the_position_asked_for() {
        let db = database();
        for range in [0..10, 20..30, 40..50] {
            commit(&db, &range).unwrap();
        }
        assert_eq!(above(&db, OWNER, 25).unwrap(), [25..30, 40..50]);
        assert_eq!(above(&db, OWNER, 22).unwrap(), [22..30, 40..50]);
        assert_eq!(above(&db, OWNER, u64::MAX).unwrap(), [0..0; 0]);
    }

    #[test]
    fn lanes_sinks_and_journals_have_records_of_their_own() {
        let db = database();
        for owner in [
            OWNER,
            Owner { lane: "write", ..OWNER },
            Owner { sink: "other", ..OWNER },
            Owner { journal: 2, ..OWNER },
        ] {
            assert_eq!(claim(&db, owner, &(0..10)).unwrap(), Claim::Granted, "{owner:?}");
        }
    }

    #[test]
    fn the_table_itself_refuses_an_overlap() {
        let db = database();
        put(&db, OWNER, &(10..20)).unwrap();
        for overlap in [9..11, 19..21, 12..13, 5..25, 10..20] {
            let error = put(&db, OWNER, &overlap).unwrap_err();
            assert!(error.to_string().contains("overlaps"), "{overlap:?}: {error}");
        }
        put(&db, OWNER, &(20..21)).unwrap();
        put(&db, OWNER, &(9..10)).unwrap();
    }
}
