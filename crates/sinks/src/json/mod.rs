//! How does a batch become JSON? In one pass from its rows, one object an event, one line each.
//!
//! The sinks that speak JSON share this encoder, so that an event looks the same in a file, on
//! standard output and in a request. The names are those of the OpenTelemetry log data model, and
//! the reader at the door ([`tidegate_event::json`]) knows them: what one tidegate sends, another
//! takes in as the same event.
//!
//! | member | value | when |
//! |---|---|---|
//! | `_id`, or the name that is set | `journal:position`, the name of the event for ever | always |
//! | `timestamp` | RFC 3339 in UTC, nine decimals | if the producer gave one |
//! | `observed_timestamp` | the same: when tidegate received it | always |
//! | `severity_number` | 1 to 24 | if known |
//! | `severity_text`, `service`, `class` | text | if not empty |
//! | `body` | text, or any JSON value | if there is one |
//! | `trace_id`, `span_id` | 32 and 16 hexadecimal digits | if there is one |
//! | `attributes` | an object | always |
//!
//! Times are text since a number of nanoseconds does not survive a reader that has only floats.
//! JSON inside an event is copied as it stands, but for line breaks between its tokens: they become
//! spaces, since a line is an event.

mod event;
mod time;

use tidegate_event::{JournalId, Position};

use crate::contract::{Batch, Slice};

/// How the objects of a batch stand together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// One object a line.
    #[default]
    Ndjson,
    /// One array.
    Array,
    /// What the `_bulk` endpoints of Elasticsearch and those who follow it take: before each object
    /// a line `{"create":{"_id":"…"}}`. The object has no id of its own, since they refuse one, and
    /// its time stands under `@timestamp`: when it happened, or else when it was received.
    Bulk,
}

/// The members an event may have; the id must not be named like one of them.
pub const MEMBERS: [&str; 11] = [
    "timestamp",
    "@timestamp",
    "observed_timestamp",
    "severity_number",
    "severity_text",
    "service",
    "class",
    "body",
    "trace_id",
    "span_id",
    "attributes",
];

/// The batch cannot be encoded: its rows do not hold, or do not fit its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(String);

/// Turns batches into JSON.
///
/// ```
/// use tidegate_event::{Body, Event, JournalId, Rows, rows};
/// use tidegate_sinks::json::{Encoder, Layout};
/// use tidegate_sinks::{Batch, Slice};
///
/// let mut bytes = Vec::new();
/// rows::encode(&Event { body: Body::Text("high water"), ..Event::default() }, &mut bytes)?;
/// let slices = vec![Slice { first: 7, rows: Rows::new(bytes.into(), 1) }];
/// let batch = Batch { lane: "default".into(), range: 7..8, slices };
/// let mut text = String::new();
/// Encoder::new(Layout::Ndjson, "_id").encode(JournalId::from_u128(1), &batch, &mut text)?;
/// assert_eq!(
///     text,
///     "{\"_id\":\"00000000000000000000000000000001:7\",\
///      \"observed_timestamp\":\"1970-01-01T00:00:00.000000000Z\",\
///      \"body\":\"high water\",\"attributes\":{}}\n"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Encoder {
    layout: Layout,
    /// What stands before the name of an item.
    before_name: String,
    /// What stands between the name and the first member.
    after_name: &'static str,
}

impl Encoder {
    /// An encoder that puts an item's name under `id_field`.
    #[must_use]
    pub fn new(layout: Layout, id_field: &str) -> Self {
        let (before_name, after_name) = match layout {
            Layout::Ndjson | Layout::Array => {
                let mut before = String::from("{\"");
                tidegate_event::attributes::escape(id_field, &mut before);
                before.push_str("\":\"");
                (before, "\",")
            }
            Layout::Bulk => ("{\"create\":{\"_id\":\"".to_owned(), "\"}}\n{"),
        };
        Self { layout, before_name, after_name }
    }

    /// Appends the batch to `out`. After an error `out` holds a part of it.
    ///
    /// # Errors
    ///
    /// [`Broken`] when a row cannot be decoded, or the slices are out of order or reach outside of
    /// the batch's range.
    pub fn encode(
        &self,
        journal: JournalId,
        batch: &Batch,
        out: &mut String,
    ) -> Result<(), Broken> {
        check(batch)?;
        // JSON is a little larger than the rows; the names of the members make up for most of it.
        let rows = usize::try_from(batch.items()).unwrap_or(usize::MAX);
        let bytes = usize::try_from(batch.bytes()).unwrap_or(usize::MAX);
        out.reserve(bytes.saturating_add(rows.saturating_mul(ROW_EXTRA)));
        let before = format!("{}{journal}:", self.before_name);
        if self.layout == Layout::Array {
            out.push('[');
        }
        let (mut first, mut times) = (true, event::Times::default());
        for slice in &batch.slices {
            let mut next = slice.first;
            for event in &slice.rows {
                if self.layout == Layout::Array && !std::mem::take(&mut first) {
                    out.push(',');
                }
                self.name(&before, next, out);
                event::members(&event, self.layout, &mut times, out);
                out.push_str(if self.layout == Layout::Array { "}" } else { "}\n" });
                next += 1;
            }
            if next != slice.first + u64::from(slice.rows.len()) {
                return Err(Broken(format!("the row of position {next} cannot be decoded")));
            }
        }
        if self.layout == Layout::Array {
            out.push(']');
        }
        Ok(())
    }

    fn name(&self, before: &str, position: Position, out: &mut String) {
        out.push_str(before);
        let mut digits = [0; 20];
        let (mut at, mut rest) = (digits.len(), position);
        while at == digits.len() || rest > 0 {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        // Only ASCII was put in.
        out.push_str(std::str::from_utf8(&digits[at..]).unwrap_or_default());
        out.push_str(self.after_name);
    }
}

/// Bytes that the names of members and the name of the item add to a usual row.
const ROW_EXTRA: usize = 256;

/// Makes certain that the slices lie inside the range, in order.
fn check(batch: &Batch) -> Result<(), Broken> {
    let mut reached = batch.range.start;
    for slice in &batch.slices {
        let end = end_of(slice)?;
        if slice.first < reached || end > batch.range.end {
            return Err(Broken(format!(
                "the rows of positions {}..{end} are out of order or outside of the batch, {:?}",
                slice.first, batch.range
            )));
        }
        reached = end;
    }
    Ok(())
}

fn end_of(slice: &Slice) -> Result<Position, Broken> {
    let end = slice.first.checked_add(u64::from(slice.rows.len()));
    end.ok_or_else(|| Broken(format!("position {} is too near to 2^64", slice.first)))
}

#[cfg(test)]
mod tests;
