//! May this opening of the journal write here, without batches waiting for each other to ask?
//!
//! Each journal has one row with the epoch and the opening that took it last. Every batch holds a
//! *shared* advisory lock of its journal for its transaction, and reads the row only after it has
//! the lock. A takeover holds the lock *exclusively*, and only then changes the row. So:
//!
//! * Batches never wait for each other: shared locks do not exclude one another, and live in
//!   memory, without the write that a row lock would cost.
//! * A takeover waits for every batch that has looked before it; a batch that looks after it sees
//!   the new row, since each statement of a READ COMMITTED transaction has a snapshot of its own,
//!   and is fenced. There is no moment in which a batch has looked, the takeover is done, and the
//!   batch still commits: once an opening has the journal, what it reads of the record of ranges
//!   is all that older openings will ever have committed.
//! * A batch whose client is gone keeps the lock until the server notices; that is why sessions
//!   ask for keepalives. A takeover waits for at most `lock_timeout` and says so.
//!
//! The lock's key is "tide" and a hash of the journal's id and the schema, which is where the row
//! is. Two with one hash only wait for each other's takeovers.

use tokio_postgres::Client;

use super::schema::{LOCKS, Names};
use super::trouble::Trouble;
use crate::contract::Origin;

/// The journal that a session writes for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    /// Which opening of which journal.
    pub(super) origin: Origin,
    /// The journal's number in this database.
    pub(super) journal: i32,
}

/// Takes the journal for this opening, or says who has it.
///
/// It is repeated on every new connection: a database that was restored from an older copy is
/// taken again, and one that a later opening has taken meanwhile is not taken back.
pub(super) async fn take(client: &Client, names: &Names, origin: Origin) -> Result<Taken, Trouble> {
    let epoch = i64::try_from(origin.epoch)
        .map_err(|_| Trouble::Data(format!("epoch {} is above 2^63 - 1", origin.epoch), None))?;
    if let Some(taken) = held(client, names, origin, epoch).await? {
        return Ok(taken);
    }
    let begin = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({LOCKS}, {})",
        hash(names, origin)
    );
    client.batch_execute(&begin).await?;
    // Another connection of this opening may have been faster.
    if let Some(taken) = held(client, names, origin, epoch).await? {
        client.batch_execute("COMMIT").await?;
        return Ok(taken);
    }
    let upsert = format!(
        "INSERT INTO {} AS journals (id, epoch, opening) VALUES ($1, $2, $3)
         ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, opening = excluded.opening
         RETURNING journal",
        names.journals
    );
    let row =
        client.query_one(&upsert, &[&origin.journal.to_string(), &epoch, &opening(origin)]).await?;
    client.batch_execute("COMMIT").await?;
    Ok(Taken { origin, journal: row.get(0) })
}

/// The journal, if this opening has it; nothing if it may take it.
async fn held(
    client: &Client,
    names: &Names,
    origin: Origin,
    epoch: i64,
) -> Result<Option<Taken>, Trouble> {
    let select = format!("SELECT journal, epoch, opening FROM {} WHERE id = $1", names.journals);
    let Some(row) = client.query_opt(&select, &[&origin.journal.to_string()]).await? else {
        return Ok(None);
    };
    let (theirs, opened): (i64, String) = (row.get(1), row.get(2));
    if theirs == epoch && opened == opening(origin) {
        return Ok(Some(Taken { origin, journal: row.get(0) }));
    }
    if theirs >= epoch { Err(fenced(origin, theirs)) } else { Ok(None) }
}

/// The statements that a batch's transaction begins with: the shared lock, then the row.
pub(super) fn statements(names: &Names, taken: &Taken) -> String {
    format!(
        "SELECT pg_advisory_xact_lock_shared({LOCKS}, {}); \
         SELECT epoch, opening FROM {} WHERE journal = {}",
        hash(names, taken.origin),
        names.journals,
        taken.journal
    )
}

/// Whether the row, as [`statements`] read it, is still this opening's.
pub(super) fn check(taken: &Taken, row: Option<(&str, &str)>) -> Result<(), Trouble> {
    let origin = taken.origin;
    match row {
        Some((epoch, opened)) if epoch.parse() == Ok(origin.epoch) && opened == opening(origin) => {
            Ok(())
        }
        Some((epoch, _)) => Err(fenced(origin, epoch.parse().unwrap_or_default())),
        // Somebody deleted the row: a new session takes the journal again.
        None => Err(Trouble::Unusable(
            "its row in `tidegate_journals` was deleted; the journal is taken again".to_owned(),
        )),
    }
}

fn fenced(origin: Origin, theirs: i64) -> Trouble {
    let theirs = u64::try_from(theirs).unwrap_or_default();
    Trouble::Fenced { journal: origin.journal, theirs, ours: origin.epoch }
}

fn opening(origin: Origin) -> String {
    format!("{:032x}", origin.opening)
}

/// The journal and the schema, folded to the 32 bits of a lock's key.
fn hash(names: &Names, origin: Origin) -> i32 {
    let id = origin.journal.as_u128().to_be_bytes();
    let words =
        id.chunks_exact(4).filter_map(|word| Some(i32::from_be_bytes(word.try_into().ok()?)));
    words.fold(names.lock, |folded, word| folded.rotate_left(5) ^ word)
}
