//! May this opening of the journal write here?
//!
//! Each journal has one row with the epoch and the opening that took it last. A later epoch takes
//! it over; every batch looks, inside its own transaction, whether the row is still its own. As
//! SQLite's write transactions are serial, nothing can change between the look and the commit.

use rusqlite::{Connection, TransactionBehavior, params};

use super::schema::holder;
use super::trouble::Trouble;
use crate::contract::Origin;

/// The journal that this sink writes for, as this file knows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    /// Which opening of which journal.
    pub(super) origin: Origin,
    /// The journal's number in this file.
    pub(super) journal: i64,
}

/// Takes the journal for this opening, or says who has it.
///
/// It is repeated whenever the file is opened again: then a file that was restored from an older
/// copy is taken again, and one that a later opening has taken meanwhile is not taken back.
pub(super) fn take(db: &mut Connection, origin: Origin) -> Result<Taken, Trouble> {
    let epoch = i64::try_from(origin.epoch)
        .map_err(|_| Trouble::Data(format!("epoch {} is above 2^63 - 1", origin.epoch)))?;
    let (id, opening) = (origin.journal.to_string(), opening_text(origin));
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    match holder(&transaction, &id)? {
        Some(held) if held.epoch == epoch && held.opening == opening => {
            return Ok(Taken { origin, journal: held.journal });
        }
        Some(held) if held.epoch >= epoch => return Err(fenced(origin, held.epoch)),
        _ => {}
    }
    let journal = transaction.query_row(
        "INSERT INTO tidegate_journals (id, epoch, opening) VALUES (?1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, opening = excluded.opening
         RETURNING journal",
        params![id, epoch, opening],
        |row| row.get(0),
    )?;
    transaction.commit()?;
    Ok(Taken { origin, journal })
}

/// Whether the journal is still this opening's, inside a batch's transaction.
pub(super) fn check(db: &Connection, taken: &Taken) -> Result<(), Trouble> {
    let origin = taken.origin;
    match holder(db, &origin.journal.to_string())? {
        Some(held)
            if held.journal == taken.journal
                && u64::try_from(held.epoch) == Ok(origin.epoch)
                && held.opening == opening_text(origin) =>
        {
            Ok(())
        }
        Some(held) => Err(fenced(origin, held.epoch)),
        // Somebody deleted the row: opening the file again takes the journal again.
        None => Err(Trouble::Moved("its row in `tidegate_journals` was deleted".to_owned())),
    }
}

fn fenced(origin: Origin, theirs: i64) -> Trouble {
    let theirs = u64::try_from(theirs).unwrap_or_default();
    Trouble::Fenced { journal: origin.journal, theirs, ours: origin.epoch }
}

fn opening_text(origin: Origin) -> String {
    format!("{:032x}", origin.opening)
}
