//! How do rows get into the table `events`?
//!
//! Ten rows a statement: that is a quarter to a half faster than one by one, since SQLite's work to
//! enter and leave a statement is shared; more rows a statement gained nothing further.
//!
//! When a group hits a row that is there already, it goes in one by one. An event that is stored
//! under its name with the same content is not stored again: that happens when a class was
//! declared after another lane had delivered some of its events. Other content under the same name
//! is an alarm, not a repetition: then two journals share an id, or the table was edited.

use rusqlite::{CachedStatement, Connection, ErrorCode, ToSql};
use tidegate_event::{Body, Event};

use super::trouble::{Trouble, is_constraint};
use crate::contract::Batch;
use crate::shape::{broken, slice_end};

/// Rows a statement.
const GROUP: usize = 10;
/// Parameters a row.
const COLUMNS: usize = 12;

const INSERT: &str = "INSERT INTO events (journal, position, timestamp, observed, severity_number, \
                      severity_text, service, class, body, attributes, trace_id, span_id) VALUES ";
const ROW: &str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const IS_STORED: &str =
    "SELECT timestamp IS ?3 AND observed IS ?4 AND severity_number IS ?5 AND severity_text IS ?6
            AND service IS ?7 AND class IS ?8 AND body IS ?9 AND attributes IS ?10
            AND trace_id IS ?11 AND span_id IS ?12
     FROM events WHERE journal = ?1 AND position = ?2";

/// An event and its stored position.
type Placed<'a> = (i64, Event<'a>);

/// The prepared statements, taken from the connection's cache.
struct Statements<'db> {
    group: CachedStatement<'db>,
    single: CachedStatement<'db>,
}

fn statements(db: &Connection) -> rusqlite::Result<Statements<'_>> {
    Ok(Statements {
        group: db.prepare_cached(&format!("{INSERT}{}", [ROW; GROUP].join(", ")))?,
        single: db.prepare_cached(&format!("{INSERT}{ROW}"))?,
    })
}

/// Prepares every statement once: it fails if the table is not as documented.
pub(super) fn prepare(db: &Connection) -> rusqlite::Result<()> {
    statements(db)?;
    db.prepare_cached(IS_STORED).map(drop)
}

/// Inserts all rows of the batch.
pub(super) fn rows(db: &Connection, journal: i64, batch: &Batch) -> Result<(), Trouble> {
    let mut statements = statements(db)?;
    let mut waiting: Vec<Placed<'_>> = Vec::with_capacity(GROUP);
    for slice in &batch.slices {
        let end = slice_end(slice).map_err(Trouble::Data)?;
        let mut next = end - i64::from(slice.rows.len());
        for event in &slice.rows {
            waiting.push((next, event));
            next = next.saturating_add(1);
            if waiting.len() == GROUP {
                group(db, &mut statements, journal, &waiting)?;
                waiting.clear();
            }
        }
        if next != end {
            return Err(Trouble::Data(broken(next, end)));
        }
    }
    waiting.iter().try_for_each(|row| single(db, &mut statements.single, journal, row))
}

fn group(
    db: &Connection,
    statements: &mut Statements<'_>,
    journal: i64,
    rows: &[Placed<'_>],
) -> Result<(), Trouble> {
    for (row, first) in rows.iter().zip((1..).step_by(COLUMNS)) {
        bind(&mut statements.group, first, journal, row)?;
    }
    match statements.group.raw_execute() {
        Ok(_) => Ok(()),
        // The failed statement has undone its ten rows; which one it was shows one by one.
        Err(error) if is_constraint(&error) || is_too_big(&error) => {
            rows.iter().try_for_each(|row| single(db, &mut statements.single, journal, row))
        }
        Err(error) => Err(error.into()),
    }
}

fn single(
    db: &Connection,
    statement: &mut CachedStatement<'_>,
    journal: i64,
    row: &Placed<'_>,
) -> Result<(), Trouble> {
    let inserted = bind(statement, 1, journal, row).and_then(|()| statement.raw_execute());
    match inserted {
        Ok(_) => Ok(()),
        Err(error) if is_constraint(&error) => recognize(db, journal, row, &error),
        Err(error) if is_too_big(&error) => {
            Err(Trouble::Item(row.0.cast_unsigned(), error.to_string()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether the event that is in the way is the very same.
fn recognize(
    db: &Connection,
    journal: i64,
    row: &Placed<'_>,
    refusal: &rusqlite::Error,
) -> Result<(), Trouble> {
    let mut statement = db.prepare_cached(IS_STORED)?;
    bind(&mut statement, 1, journal, row)?;
    let mut found = statement.raw_query();
    let position = row.0.cast_unsigned();
    match found.next()?.map(|row| row.get(0)).transpose()? {
        Some(true) => Ok(()),
        Some(false) => Err(Trouble::Item(
            position,
            "another event is stored under this name already. Either the table was edited, or two \
             journals with one id deliver here"
                .to_owned(),
        )),
        None => Err(Trouble::Item(position, refusal.to_string())),
    }
}

fn is_too_big(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::TooBig)
}

/// Binds the parameters of one row, from parameter `first` on.
fn bind(
    statement: &mut CachedStatement<'_>,
    first: usize,
    journal: i64,
    (position, event): &Placed<'_>,
) -> rusqlite::Result<()> {
    let mut index = first;
    let mut next = |value: &dyn ToSql| {
        let bound = statement.raw_bind_parameter(index, value);
        index += 1;
        bound
    };
    let body = match event.body {
        Body::None => "",
        Body::Text(text) | Body::Json(text) => text,
    };
    let severity = Some(event.severity_number).filter(|number| *number != 0);
    next(&journal)?;
    next(position)?;
    next(&event.timestamp)?;
    next(&event.observed)?;
    next(&severity)?;
    for text in [event.severity_text, event.service, event.class, body, event.attributes] {
        next(&Some(text).filter(|text| !text.is_empty()))?;
    }
    next(&event.trace_id.as_ref().map(hex::<16, 32>).as_ref().and_then(text))?;
    next(&event.span_id.as_ref().map(hex::<8, 16>).as_ref().and_then(text))
}

/// Lower-case hexadecimal digits, without an allocation.
fn hex<const N: usize, const DIGITS: usize>(id: &[u8; N]) -> [u8; DIGITS] {
    const { assert!(DIGITS == 2 * N, "two digits a byte") };
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    let mut digits = [0; DIGITS];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(id) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    digits
}

fn text<const N: usize>(digits: &[u8; N]) -> Option<&str> {
    std::str::from_utf8(digits).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_lower_case_hexadecimal() {
        let id = [0x00, 0x09, 0x0a, 0x10, 0xff, 0xde, 0xca, 0xde];
        assert_eq!(text(&hex::<8, 16>(&id)), Some("00090a10ffdecade"));
    }
}
