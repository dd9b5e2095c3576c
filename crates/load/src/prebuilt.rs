//! How does a request of a hundred events cost next to nothing to build?
//!
//! By being built before the run. A [`Prebuilt`] is head and body in one buffer, so that it
//! leaves in one write; sending it again as other events means filling three slots an event in
//! place, some ten nanoseconds each. A shorter request is the same buffer cut after its n-th event.

use std::time::Duration;

use crate::args::Protocol;
use crate::calendar::{STAMP, stamp};
use crate::events::{self, Labels, Mark, SEQ_DIGITS, TRY_DIGITS};
use crate::otlp::{self, Envelope};
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
    marks: Marks,
    tries: Vec<usize>,
}

/// Where the slots of the events lie.
#[derive(Debug)]
enum Marks {
    Lines(Vec<Mark>),
    Records(Envelope, Vec<otlp::Mark>),
}

/// A request as it leaves: its bytes, and where each event says which try this is.
pub(crate) struct Outgoing<'a> {
    bytes: &'a mut [u8],
    tries: &'a [usize],
    is_otlp: bool,
}

impl<'a> Outgoing<'a> {
    /// `tries` are offsets of slots of [`TRY_DIGITS`] in `bytes`; none when events carry no ids.
    pub(crate) fn new(bytes: &'a mut [u8], tries: &'a [usize]) -> Self {
        Self { bytes, tries, is_otlp: false }
    }

    /// The bytes to send as the try with this number.
    pub(crate) fn as_try(&mut self, attempt: u32) -> &[u8] {
        for at in self.tries {
            if self.is_otlp {
                otlp::fill_try(self.bytes, *at, attempt);
            } else {
                events::fill(self.bytes, *at, TRY_DIGITS, u64::from(attempt));
            }
        }
        self.bytes
    }
}

impl Prebuilt {
    /// A request of up to `events` events.
    pub(crate) fn new(
        head: &Head,
        protocol: Protocol,
        labels: &Labels,
        events: usize,
        random: &mut Random,
    ) -> Self {
        let mut bytes = Vec::with_capacity(head.bytes().len() + events * EVENT_BYTES);
        bytes.extend_from_slice(head.bytes());
        if protocol == Protocol::Ndjson {
            let mark = |_| events::write_event(&mut bytes, labels, random);
            let marks: Vec<Mark> = (0..events).map(mark).collect();
            let tries = marks.iter().map(|mark| mark.attempt).collect();
            return Self { head: head.clone(), bytes, marks: Marks::Lines(marks), tries };
        }
        let grpc = protocol == Protocol::OtlpGrpc;
        let envelope = Envelope::open(&mut bytes, grpc, labels, random);
        let mark = |_| otlp::write_record(&mut bytes, labels, random);
        let marks: Vec<otlp::Mark> = (0..events).map(mark).collect();
        let tries = marks.iter().map(|mark| mark.attempt).collect();
        Self { head: head.clone(), bytes, marks: Marks::Records(envelope, marks), tries }
    }

    /// The requests of one connection, to be sent in turn.
    pub(crate) fn set(
        head: &Head,
        protocol: Protocol,
        labels: &Labels,
        batch: usize,
        random: &mut Random,
    ) -> Vec<Self> {
        let requests = VARIETY.div_ceil(batch.max(1));
        (0..requests).map(|_| Self::new(head, protocol, labels, batch, random)).collect()
    }

    /// About how much memory [`Prebuilt::set`] takes, in bytes.
    pub(crate) fn set_bytes(head: &Head, batch: usize) -> usize {
        let requests = VARIETY.div_ceil(batch.max(1));
        requests
            .saturating_mul(batch.saturating_mul(EVENT_BYTES).saturating_add(head.bytes().len()))
    }

    /// Makes this the request of the events `first`, `first + 1`, …, sent at `now` since 1970: as
    /// many as it was built for, or fewer.
    pub(crate) fn fill(&mut self, first: u64, events: usize, now: Duration) -> Outgoing<'_> {
        let events = events.min(self.tries.len());
        let head = self.head.bytes().len();
        let end = match &self.marks {
            Marks::Lines(marks) => {
                let stamp = stamp(now);
                for (seq, mark) in (first..).zip(marks).take(events) {
                    if let Some(slot) = self.bytes.get_mut(mark.stamp..mark.stamp + STAMP) {
                        slot.copy_from_slice(&stamp);
                    }
                    events::fill(&mut self.bytes, mark.seq, SEQ_DIGITS, seq);
                }
                events.checked_sub(1).and_then(|last| marks.get(last)).map_or(head, |mark| mark.end)
            }
            Marks::Records(envelope, marks) => {
                for (seq, mark) in (first..).zip(marks).take(events) {
                    otlp::fill_record(&mut self.bytes, *mark, now, seq);
                }
                let last = events.checked_sub(1).and_then(|last| marks.get(last));
                let end = last.map_or(head, |mark| mark.end);
                envelope.close(&mut self.bytes, end);
                end
            }
        };
        self.head.set_length(&mut self.bytes, end - head);
        self.head.set_first(&mut self.bytes, first);
        let tries = self.tries.get(..events).unwrap_or_default();
        let is_otlp = matches!(self.marks, Marks::Records(..));
        Outgoing { bytes: self.bytes.get_mut(..end).unwrap_or_default(), tries, is_otlp }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::target::Target;

    #[test]
    fn a_request_is_refilled_in_place_and_cut_short() {
        let target = Target::parse("http://gate", Protocol::Ndjson).unwrap();
        let head = target.head(None).unwrap();
        let labels = Labels { run: "r".into(), service: None, class: None };
        let mut random = Random::new(1, 1);
        let mut request = Prebuilt::new(&head, Protocol::Ndjson, &labels, 10, &mut random);
        for (first, events, attempt) in [(0, 10, 1), (9_999_999_990, 10, 999), (40, 3, 2)] {
            let now = Duration::from_secs(first);
            let stamp = stamp(now);
            let mut outgoing = request.fill(first, events, now);
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
