//! How does a request of a hundred events cost next to nothing to build?
//!
//! By being built before the run. A [`Prebuilt`] is head and body in one buffer, so that it
//! leaves in one write; sending it again as other events means filling three slots an event in
//! place, some ten nanoseconds each. A shorter request is the same buffer cut after its n-th event.

use crate::calendar::STAMP;
use crate::events::{self, Labels, Mark, SEQ_DIGITS, TRY_DIGITS};
use crate::random::Random;
use crate::target::Head;

/// Distinct events that a connection has at least, so that small requests are not all alike.
const VARIETY: usize = 256;
/// Rough size of an event, for capacity and for the bound on memory; see [`events`].
const EVENT_BYTES: usize = 300;

/// A complete request whose numbers can be changed in place.
#[derive(Debug)]
pub(crate) struct Prebuilt {
    head: Head,
    bytes: Vec<u8>,
    marks: Vec<Mark>,
    tries: Vec<usize>,
}

/// A request as it leaves: its bytes, and where each event says which try this is.
pub(crate) struct Outgoing<'a> {
    bytes: &'a mut [u8],
    tries: &'a [usize],
}

impl<'a> Outgoing<'a> {
    /// `tries` are offsets of slots of [`TRY_DIGITS`] in `bytes`; none when events carry no ids.
    pub(crate) fn new(bytes: &'a mut [u8], tries: &'a [usize]) -> Self {
        Self { bytes, tries }
    }

    /// The bytes to send as the try with this number.
    pub(crate) fn as_try(&mut self, attempt: u32) -> &[u8] {
        for at in self.tries {
            events::fill(self.bytes, *at, TRY_DIGITS, u64::from(attempt));
        }
        self.bytes
    }
}

impl Prebuilt {
    /// A request of up to `events` events.
    pub(crate) fn new(head: &Head, labels: &Labels, events: usize, random: &mut Random) -> Self {
        let mut bytes = Vec::with_capacity(head.bytes().len() + events * EVENT_BYTES);
        bytes.extend_from_slice(head.bytes());
        let marks: Vec<Mark> =
            (0..events).map(|_| events::write_event(&mut bytes, labels, random)).collect();
        let tries = marks.iter().map(|mark| mark.attempt).collect();
        Self { head: head.clone(), bytes, marks, tries }
    }

    /// The requests of one connection, to be sent in turn.
    pub(crate) fn set(
        head: &Head,
        labels: &Labels,
        batch: usize,
        random: &mut Random,
    ) -> Vec<Self> {
        let requests = VARIETY.div_ceil(batch.max(1));
        (0..requests).map(|_| Self::new(head, labels, batch, random)).collect()
    }

    /// About how much memory [`Prebuilt::set`] takes, in bytes.
    pub(crate) fn set_bytes(head: &Head, batch: usize) -> usize {
        let requests = VARIETY.div_ceil(batch.max(1));
        requests
            .saturating_mul(batch.saturating_mul(EVENT_BYTES).saturating_add(head.bytes().len()))
    }

    /// Makes this the request of the events `first`, `first + 1`, …: as many as it was built
    /// for, or fewer.
    pub(crate) fn fill(&mut self, first: u64, events: usize, stamp: &[u8; STAMP]) -> Outgoing<'_> {
        let events = events.min(self.marks.len());
        for (seq, mark) in (first..).zip(&self.marks).take(events) {
            if let Some(slot) = self.bytes.get_mut(mark.stamp..mark.stamp + STAMP) {
                slot.copy_from_slice(stamp);
            }
            events::fill(&mut self.bytes, mark.seq, SEQ_DIGITS, seq);
        }
        let head = self.head.bytes().len();
        let end =
            events.checked_sub(1).and_then(|last| self.marks.get(last)).map_or(head, |m| m.end);
        self.head.set_length(&mut self.bytes, end - head);
        self.head.set_first(&mut self.bytes, first);
        let tries = self.tries.get(..events).unwrap_or_default();
        Outgoing::new(self.bytes.get_mut(..end).unwrap_or_default(), tries)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;

    use super::*;
    use crate::calendar::stamp;
    use crate::target::Target;

    #[test]
    fn a_request_is_refilled_in_place_and_cut_short() {
        let head = Target::parse("http://gate").unwrap().head(None).unwrap();
        let labels = Labels { run: "r".into(), service: None, class: None };
        let mut request = Prebuilt::new(&head, &labels, 10, &mut Random::new(1, 1));
        for (first, events, attempt) in [(0, 10, 1), (9_999_999_990, 10, 999), (40, 3, 2)] {
            let stamp = stamp(Duration::from_secs(first));
            let mut outgoing = request.fill(first, events, &stamp);
            let text = String::from_utf8(outgoing.as_try(attempt).to_vec()).unwrap();
            let (top, body) = text.split_once("\r\n\r\n").unwrap();
            let length = top.split_once("Content-Length:").unwrap().1.trim();
            assert_eq!(length.parse(), Ok(body.len()));
            let parsed: Vec<Value> =
                body.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
            assert_eq!(parsed.len(), events);
            for (seq, event) in (first..).zip(parsed) {
                assert_eq!(event["attributes"]["seq"], seq);
                assert_eq!(event["attributes"]["try"], attempt);
                assert_eq!(event["timestamp"].as_str().map(str::as_bytes), Some(&stamp[..]));
            }
        }
    }
}
