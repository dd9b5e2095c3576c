//! What is in a row, when only little of it is asked for?
//!
//! An [`Event`](crate::Event) checks all its texts. Who looks at one field of a wide row, and then
//! passes it on or leaves it out, needs the head and that field: a view finds where each text
//! stands and checks a text when it is read.

use super::{BODY_JSON, BODY_TEXT, Fields, HAS_SPAN, HAS_TRACE, HEAD, Rows, decode, row_end};
use crate::event::{Body, Event};

/// One row, unread.
#[derive(Debug, Clone, Copy)]
pub struct RowView<'a> {
    row: &'a [u8],
    severity_number: u8,
    flags: u8,
    /// Where each text ends, from the beginning of the first: severity text, service, class, body,
    /// attributes.
    ends: [usize; 5],
    texts: &'a [u8],
}

impl<'a> RowView<'a> {
    /// The row as it is encoded, its length included.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.row
    }

    /// OpenTelemetry severity number, 0 when unknown.
    #[must_use]
    pub const fn severity_number(&self) -> u8 {
        self.severity_number
    }

    /// The severity as the producer wrote it.
    #[must_use]
    pub fn severity_text(&self) -> &'a str {
        self.text(0)
    }

    /// The service, empty when unknown.
    #[must_use]
    pub fn service(&self) -> &'a str {
        self.text(1)
    }

    /// The class as the producer named it, empty when it named none.
    #[must_use]
    pub fn class(&self) -> &'a str {
        self.text(2)
    }

    /// The message.
    #[must_use]
    pub fn body(&self) -> Body<'a> {
        match self.text(3) {
            text if self.flags & BODY_TEXT != 0 => Body::Text(text),
            text if self.flags & BODY_JSON != 0 => Body::Json(text),
            _ => Body::None,
        }
    }

    /// The text of the attributes object.
    #[must_use]
    pub fn attributes(&self) -> &'a str {
        self.text(4)
    }

    /// The whole event; `None` if some text is not UTF-8.
    #[must_use]
    pub fn event(&self) -> Option<Event<'a>> {
        decode(self.row.get(4..)?)
    }

    /// Whether it has a trace id, and whether it has a span id.
    #[must_use]
    pub const fn ids(&self) -> (bool, bool) {
        (self.flags & HAS_TRACE != 0, self.flags & HAS_SPAN != 0)
    }

    /// A text; empty if it is not UTF-8, which a sink will say.
    fn text(&self, at: usize) -> &'a str {
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let end = self.ends.get(at).copied().unwrap_or(0);
        let bytes = self.texts.get(start.unwrap_or(0)..end).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

/// The rows of some [`Rows`], unread.
#[derive(Debug, Clone)]
pub struct RowViews<'a> {
    rest: &'a [u8],
}

impl Rows {
    /// The rows, in order, without reading them. It ends early at a row that does not hold.
    ///
    /// ```
    /// use tidegate_event::{Event, Rows, rows};
    ///
    /// let mut bytes = Vec::new();
    /// rows::encode(&Event { service: "checkout", ..Event::default() }, &mut bytes)?;
    /// let rows = Rows::new(bytes.into(), 1);
    /// assert_eq!(rows.views().next().unwrap().service(), "checkout");
    /// # Ok::<(), rows::EncodeError>(())
    /// ```
    #[must_use]
    pub fn views(&self) -> RowViews<'_> {
        RowViews { rest: self.bytes() }
    }
}

impl<'a> Iterator for RowViews<'a> {
    type Item = RowView<'a>;

    fn next(&mut self) -> Option<RowView<'a>> {
        let (row, rest) = self.rest.split_at(row_end(self.rest, 0)?);
        self.rest = rest;
        view(row)
    }
}

fn view(row: &[u8]) -> Option<RowView<'_>> {
    let mut fields = Fields(row.get(4..)?);
    fields.take(16)?;
    let [severity_number, flags] = fields.array()?;
    let mut ends = [0; 5];
    let mut end = 0;
    for (at, place) in ends.iter_mut().enumerate() {
        end += if at < 3 {
            usize::from(u16::from_le_bytes(fields.array()?))
        } else {
            usize::try_from(u32::from_le_bytes(fields.array()?)).ok()?
        };
        *place = end;
    }
    let ids =
        if flags & HAS_TRACE == 0 { 0 } else { 16 } + if flags & HAS_SPAN == 0 { 0 } else { 8 };
    let texts = row.get(4 + HEAD + ids..)?;
    (end <= texts.len()).then_some(RowView { row, severity_number, flags, ends, texts })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::Event;
    use crate::rows::encode;

    proptest! {
        /// Invariant: a view says of every field what the decoded event says.
        #[test]
        fn a_view_and_an_event_agree(
            severity in 0..=24u8, texts in prop::array::uniform5(".{0,40}"), kind in 0..3u8,
            trace_id: Option<[u8; 16]>, span_id: Option<[u8; 8]>,
        ) {
            let event = Event {
                severity_number: severity,
                severity_text: &texts[0], service: &texts[1], class: &texts[2],
                body: [Body::None, Body::Text(&texts[3]), Body::Json(&texts[3])][usize::from(kind)],
                attributes: &texts[4], trace_id, span_id,
                ..Event::default()
            };
            let mut bytes = Vec::new();
            encode(&event, &mut bytes).unwrap();
            encode(&event, &mut bytes).unwrap();
            let rows = Rows::new(bytes.into(), 2);
            for (view, event) in rows.views().zip(&rows) {
                prop_assert_eq!(view.severity_number(), event.severity_number);
                prop_assert_eq!(view.severity_text(), event.severity_text);
                prop_assert_eq!((view.service(), view.class()), (event.service, event.class));
                prop_assert_eq!((view.body(), view.attributes()), (event.body, event.attributes));
                prop_assert_eq!(view.ids(), (trace_id.is_some(), span_id.is_some()));
            }
            let all: Vec<_> = rows.views().flat_map(|view| view.bytes().iter().copied()).collect();
            prop_assert_eq!(&all[..], &rows.bytes()[..]);
        }

        /// Invariant: any bytes at all are looked at without a panic.
        #[test]
        fn garbage_is_survived(bytes: Vec<u8>) {
            for view in Rows::new(bytes.into(), u32::MAX).views() {
                let _ = (view.severity_text(), view.body(), view.attributes());
            }
        }
    }
}
