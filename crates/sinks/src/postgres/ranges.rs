//! Which positions has a lane committed? The sink's own record, kept in the rows' transactions.
//!
//! A batch inserts its range before its rows. The table's exclusion constraint decides: where an
//! overlapping range is committed, nothing is inserted, and the batch is a repeat or was cut
//! differently; where one is in a transaction that has not ended — the commit in doubt of a lost
//! connection — the insert waits until it has. Ranges that do not overlap do not meet, so batches
//! do not serialize.
//!
//! There is one row a batch. [`compact`] joins those that touch, now and then, off the way of the
//! batches: under the constraint a row that is being joined makes an overlapping claim wait, and
//! then find the joined one.

use std::ops::Range;

use tidegate_event::Position;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::fence::{self, Taken};
use super::schema::Names;
use super::trouble::Trouble;
use crate::shape::{covers, merge};

/// Rows that are joined at once.
const COMPACT_MAX: i64 = 10_000;

/// What a claim came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// The range is this transaction's now; its rows may follow.
    Granted,
    /// All of it is committed already: an attempt whose answer was lost. The transaction has ended.
    Repeated,
}

/// Begins the batch's transaction: fence and claim, in one round trip.
pub(super) async fn begin(
    client: &Client,
    names: &Names,
    taken: &Taken,
    lane: i32,
    range: &Range<i64>,
) -> Result<Claim, Trouble> {
    let sql = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; {}; \
         INSERT INTO {} (lane, first, \"end\") VALUES ({lane}, {}, {}) \
         ON CONFLICT DO NOTHING RETURNING lane",
        fence::statements(names, taken),
        names.ranges,
        range.start,
        range.end
    );
    let mut answers = Vec::new();
    for message in client.simple_query(&sql).await? {
        match message {
            SimpleQueryMessage::RowDescription(_) => answers.push(None),
            SimpleQueryMessage::Row(row) => {
                if let Some(answer) = answers.last_mut() {
                    *answer = Some(row);
                }
            }
            _ => {}
        }
    }
    // One answer each of the lock, the fence's row and the claim.
    let row = answers.get(1).and_then(Option::as_ref);
    let row = row.and_then(|row| Some((row.get(0)?, row.get(1)?)));
    fence::check(taken, row)?;
    if answers.get(2).is_some_and(Option::is_some) {
        return Ok(Claim::Granted);
    }
    client.batch_execute("ROLLBACK").await?;
    let committed = overlapping(client, names, lane, range).await?;
    if covers(&committed, range) {
        return Ok(Claim::Repeated);
    }
    let (Some(first), Some(last)) = (committed.first(), committed.last()) else {
        return Err(Trouble::Unusable(
            "a range was refused that overlaps no committed one: somebody edits `tidegate_ranges`"
                .to_owned(),
        ));
    };
    let part = first.start.max(range.start)..last.end.min(range.end);
    Err(Trouble::Recut(position(part.start)..position(part.end)))
}

/// The ranges that end above `above`, in order.
pub(super) async fn above(
    client: &Client,
    names: &Names,
    lane: i32,
    above: Position,
) -> Result<Vec<Range<Position>>, Trouble> {
    // No stored position is above i64::MAX.
    let from = i64::try_from(above).unwrap_or(i64::MAX);
    let found = overlapping(client, names, lane, &(from..i64::MAX)).await?;
    let cut = found.into_iter().map(|part| position(part.start.max(from))..position(part.end));
    Ok(merge(cut))
}

async fn overlapping(
    client: &Client,
    names: &Names,
    lane: i32,
    range: &Range<i64>,
) -> Result<Vec<Range<i64>>, Trouble> {
    let select = format!(
        "SELECT first, \"end\" FROM {} WHERE lane = $1 AND first < $3 AND \"end\" > $2
         ORDER BY first",
        names.ranges
    );
    let rows = client.query(&select, &[&lane, &range.start, &range.end]).await?;
    Ok(rows.iter().map(|row| row.get(0)..row.get(1)).collect())
}

/// Joins the lane's ranges that touch. Only committed rows are seen, and only rows that this
/// transaction has deleted itself are joined, so it may run beside batches and beside another one.
pub(super) async fn compact(client: &Client, names: &Names, lane: i32) -> Result<(), Trouble> {
    client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    let delete = format!(
        "DELETE FROM {0} WHERE (lane, first) IN
             (SELECT lane, first FROM {0} WHERE lane = $1 ORDER BY first LIMIT $2)
         RETURNING first, \"end\"",
        names.ranges
    );
    let rows = client.query(&delete, &[&lane, &COMPACT_MAX]).await?;
    let mut ranges: Vec<Range<i64>> = rows.iter().map(|row| row.get(0)..row.get(1)).collect();
    ranges.sort_by_key(|range| range.start);
    let (firsts, ends): (Vec<i64>, Vec<i64>) =
        merge(ranges).into_iter().map(|range| (range.start, range.end)).unzip();
    let insert = format!(
        "INSERT INTO {} (lane, first, \"end\") SELECT $1, * FROM unnest($2::bigint[], $3::bigint[])",
        names.ranges
    );
    client.execute(&insert, &[&lane, &firsts, &ends]).await?;
    Ok(client.batch_execute("COMMIT").await?)
}

/// A stored position is never negative: the table checks it.
fn position(stored: i64) -> Position {
    u64::try_from(stored).unwrap_or_default()
}
