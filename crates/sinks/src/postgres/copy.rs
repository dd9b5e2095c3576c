//! How do rows get into the table as fast as it takes them? By binary COPY, encoded straight from
//! the batch's rows into the buffer that is sent.
//!
//! The sink's own table has an encoder of its own, in which everything of fixed length is one
//! copy; a mapped table is encoded column by column. While one buffer is on its way the next is
//! filled. The commit is sent right behind the data, without waiting for the answer to it: if the
//! data is refused, the transaction has failed and the commit rolls it back.
//!
//! Source of the format: <https://www.postgresql.org/docs/current/sql-copy.html>, "Binary Format".

use std::pin::pin;

use bytes::Bytes;
use tidegate_event::{Body, Event, JournalId};
use tokio_postgres::{Client, CopyInSink};

use super::catalogue::Bound;
use super::trouble::Trouble;
use super::types::micros;
use crate::contract::Batch;
use crate::mapping::Item;
use crate::shape::{broken, slice_end};

/// Bytes that are sent at once: large enough that handing over costs little, small enough that
/// the server is never idle while we encode.
const CHUNK: usize = 128 * 1024;
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const END: [u8; 2] = (-1_i16).to_be_bytes();

/// What a row looks like.
#[derive(Debug)]
pub(super) enum Encoder {
    /// As in the sink's own table.
    Own,
    /// As these columns say.
    Mapped(Vec<Bound>),
}

/// Whose rows they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    pub(super) id: JournalId,
    /// The journal's number in this database.
    pub(super) number: i32,
}

/// Copies all rows of the batch into the COPY that has begun, and commits.
pub(super) async fn rows(
    client: &Client,
    sink: CopyInSink<Bytes>,
    encoder: &Encoder,
    owner: Owner,
    batch: &Batch,
) -> Result<(), Trouble> {
    let mut sink = pin!(sink);
    let mut buffer = Vec::with_capacity(CHUNK + CHUNK / 4);
    buffer.extend_from_slice(SIGNATURE);
    for slice in &batch.slices {
        let end = slice_end(slice).map_err(no_item)?;
        let mut next = end - i64::from(slice.rows.len());
        for event in &slice.rows {
            encoder.row(owner, next, &event, &mut buffer)?;
            next += 1;
            if buffer.len() >= CHUNK {
                let full = std::mem::replace(&mut buffer, Vec::with_capacity(CHUNK + CHUNK / 4));
                send(sink.as_mut(), full).await?;
            }
        }
        if next != end {
            return Err(no_item(broken(next, end)));
        }
    }
    buffer.extend_from_slice(&END);
    send(sink.as_mut(), buffer).await?;
    let (copied, committed) = tokio::join!(sink.finish(), client.batch_execute("COMMIT"));
    copied?;
    Ok(committed?)
}

fn no_item(why: String) -> Trouble {
    Trouble::Data(why, None)
}

/// Hands a buffer over, once the one before it is on its way.
async fn send(
    mut sink: std::pin::Pin<&mut CopyInSink<Bytes>>,
    buffer: Vec<u8>,
) -> Result<(), Trouble> {
    use futures_sink::Sink as _;
    std::future::poll_fn(|context| sink.as_mut().poll_ready(context)).await?;
    Ok(sink.as_mut().start_send(buffer.into())?)
}

impl Encoder {
    fn row(
        &self,
        owner: Owner,
        position: i64,
        event: &Event<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Trouble> {
        match self {
            Self::Own => {
                own_row(owner.number, position, event, out);
                Ok(())
            }
            Self::Mapped(columns) => {
                // A mapping has at most 200 columns.
                let count = i16::try_from(columns.len()).unwrap_or(i16::MAX);
                out.extend_from_slice(&count.to_be_bytes());
                let item = item(owner, position, event);
                columns.iter().try_for_each(|column| column.write(&item, out))
            }
        }
    }
}

/// The event with its name.
pub(super) fn item<'a>(owner: Owner, position: i64, event: &'a Event<'a>) -> Item<'a> {
    Item {
        event,
        journal: owner.id,
        journal_number: i64::from(owner.number),
        position: position.cast_unsigned(),
    }
}

impl Bound {
    /// Writes the column's value of this event.
    pub(super) fn write(&self, item: &Item<'_>, out: &mut Vec<u8>) -> Result<(), Trouble> {
        let value = self.column.field.value(item);
        self.kind.write(&value, out).map_err(|_| {
            let (position, column) = (item.position, &self.column);
            let why = format!(
                "position {position}: {value} in `{}` does not fit column `{}`, which is of the type \
                 {}",
                column.field, column.name, self.written
            );
            Trouble::Data(why, Some(position))
        })
    }
}

/// The columns of the sink's own table, in the order of `schema::own`.
const COLUMNS: i16 = 13;

fn own_row(journal: i32, position: i64, event: &Event<'_>, out: &mut Vec<u8>) {
    let body = match event.body {
        Body::None => "",
        Body::Text(text) | Body::Json(text) => text,
    };
    let time = micros(event.timestamp.unwrap_or(event.observed));
    // All of the row but its texts, and what an id or a severity may add.
    out.reserve(
        160 + event.severity_text.len()
            + event.service.len()
            + event.class.len()
            + body.len()
            + event.attributes.len(),
    );
    let mut head = [0; 38];
    put(&mut head, 0, &COLUMNS.to_be_bytes());
    put(&mut head, 2, &4_i32.to_be_bytes());
    put(&mut head, 6, &journal.to_be_bytes());
    put(&mut head, 10, &8_i32.to_be_bytes());
    put(&mut head, 14, &position.to_be_bytes());
    put(&mut head, 22, &8_i32.to_be_bytes());
    put(&mut head, 26, &time.to_be_bytes());
    out.extend_from_slice(head.get(..34).unwrap_or_default());
    match event.timestamp {
        Some(timestamp) => fixed(timestamp.to_be_bytes(), out),
        None => out.extend_from_slice(&NULL),
    }
    fixed(event.observed.to_be_bytes(), out);
    match event.severity_number {
        0 => out.extend_from_slice(&NULL),
        number => fixed(i16::from(number).to_be_bytes(), out),
    }
    for text in [event.severity_text, event.service, event.class, body] {
        if text.is_empty() {
            out.extend_from_slice(&NULL);
        } else {
            sized(text.as_bytes(), out);
        }
    }
    if event.attributes.is_empty() {
        out.extend_from_slice(&NULL);
    } else {
        // The version of jsonb's binary form, then the text.
        out.extend_from_slice(&length(event.attributes.len() + 1));
        out.push(1);
        out.extend_from_slice(event.attributes.as_bytes());
    }
    for id in [
        event.trace_id.as_ref().map(<[u8; 16]>::as_slice),
        event.span_id.as_ref().map(<[u8; 8]>::as_slice),
    ] {
        match id {
            Some(id) => sized(id, out),
            None => out.extend_from_slice(&NULL),
        }
    }
}

const NULL: [u8; 4] = (-1_i32).to_be_bytes();

/// Puts the bytes into the array, which the compiler sees to be long enough.
#[inline(always)]
fn put<const N: usize>(into: &mut [u8; 38], at: usize, bytes: &[u8; N]) {
    if let Some(place) = into.get_mut(at..at + N) {
        place.copy_from_slice(bytes);
    }
}

/// A value of fixed length, with its length.
#[inline]
fn fixed<const N: usize>(value: [u8; N], out: &mut Vec<u8>) {
    let mut both = [0; 12];
    if let Some(place) = both.get_mut(..4) {
        place.copy_from_slice(&length(N));
    }
    if let Some(place) = both.get_mut(4..4 + N) {
        place.copy_from_slice(&value);
    }
    out.extend_from_slice(both.get(..4 + N).unwrap_or_default());
}

#[inline]
fn sized(value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&length(value.len()));
    out.extend_from_slice(value);
}

/// A length; no field of a row reaches 2 GiB.
#[inline]
fn length(bytes: usize) -> [u8; 4] {
    i32::try_from(bytes).unwrap_or(i32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::super::types::Kind;
    use super::*;

    /// Invariant: the fast encoder writes what the general one writes.
    #[test]
    fn the_own_encoder_agrees_with_the_general_one() {
        let kinds = [
            Kind::Int4,
            Kind::Int8,
            Kind::Timestamptz,
            Kind::Int8,
            Kind::Int8,
            Kind::Int2,
            Kind::Text,
            Kind::Text,
            Kind::Text,
            Kind::Text,
            Kind::Jsonb,
            Kind::Bytea,
            Kind::Bytea,
        ];
        let columns = schema::own("public", "events").columns;
        let bound = columns.into_iter().zip(kinds);
        let bound = bound.map(|(column, kind)| Bound { column, kind, written: String::new() });
        let general = Encoder::Mapped(bound.collect());
        let owner = Owner { id: JournalId::from_u128(7), number: 3 };
        let full = Event {
            timestamp: Some(-1_500),
            observed: 1_763_600_000_123_456_789,
            severity_number: 9,
            severity_text: "INFO",
            service: "checkout",
            class: "write",
            body: Body::Text("é"),
            attributes: r#"{"a":1}"#,
            trace_id: Some([0xab; 16]),
            span_id: Some([1; 8]),
        };
        for event in [
            full,
            Event::default(),
            Event { body: Body::Json("[1]"), timestamp: None, ..full },
            Event { attributes: "", trace_id: None, ..full },
        ] {
            let (mut fast, mut slow) = (Vec::new(), Vec::new());
            Encoder::Own.row(owner, 42, &event, &mut fast).unwrap();
            general.row(owner, 42, &event, &mut slow).unwrap();
            assert_eq!(fast, slow, "{event:?}");
        }
    }
}
