//! What does a made-up event look like as a log record of OpenTelemetry?
//!
//! The same as in JSON: the same message, severity and attributes, in protobuf. Numbers that change
//! from sending to sending have slots of fixed width here too: times are eight bytes anyhow, and an
//! integer may be written longer than it need be. The service is the resource's, so all events of a
//! request have the same one. A request ends with its records, so it is cut short by writing new
//! lengths into its envelope, whose slots are as wide as any length needs.

use std::time::Duration;

use crate::events::{Labels, Story, service};
use crate::random::Random;

/// Bytes of a `seq`: seven bits each.
const SEQ_BYTES: usize = 5;
/// Bytes of a `try`.
const TRY_BYTES: usize = 2;
/// Bytes of a length in the envelope.
const LENGTH_BYTES: usize = 5;
/// Flag and length of a message of gRPC.
pub(crate) const PREFIX: usize = 5;
/// From the time of an event to the time at which it was observed.
const TO_OBSERVED: usize = 9;

/// Where the slots of one record lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    /// Eight bytes for the time, and as many a little further on.
    pub(crate) time: usize,
    pub(crate) seq: usize,
    pub(crate) attempt: usize,
    /// Just behind the record.
    pub(crate) end: usize,
}

/// Where the lengths of the messages around the records lie.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    /// Where gRPC's prefix is, if there is one.
    prefix: Option<usize>,
    resource: usize,
    scope: usize,
}

impl Envelope {
    /// Begins a request, to be followed by records.
    pub(crate) fn open(
        out: &mut Vec<u8>,
        grpc: bool,
        labels: &Labels,
        random: &mut Random,
    ) -> Self {
        let prefix = grpc.then(|| slot(out, PREFIX));
        out.push(tag(1, 2));
        let resource = slot(out, LENGTH_BYTES);
        let mut about = Vec::new();
        attribute(&mut about, "service.name", |value| text(value, 1, service(labels, random)));
        if let Some(class) = &labels.class {
            attribute(&mut about, "tidegate.class", |value| text(value, 1, class));
        }
        message(out, 1, &about);
        out.push(tag(2, 2));
        let scope = slot(out, LENGTH_BYTES);
        let mut about = Vec::new();
        text(&mut about, 1, "tidegate.load");
        text(&mut about, 2, env!("CARGO_PKG_VERSION"));
        message(out, 1, &about);
        Self { prefix, resource, scope }
    }

    /// Makes the request end at `end`.
    pub(crate) fn close(&self, bytes: &mut [u8], end: usize) {
        for at in [self.resource, self.scope] {
            fill(bytes, at, LENGTH_BYTES, end.saturating_sub(at + LENGTH_BYTES) as u64);
        }
        if let Some(at) = self.prefix {
            let length = u32::try_from(end.saturating_sub(at + PREFIX)).unwrap_or(u32::MAX);
            if let Some(slot) = bytes.get_mut(at + 1..at + PREFIX) {
                slot.copy_from_slice(&length.to_be_bytes());
            }
        }
    }
}

/// Appends one record.
pub(crate) fn write_record(out: &mut Vec<u8>, labels: &Labels, random: &mut Random) -> Mark {
    let story = Story::draw(random);
    let mut record = vec![tag(1, 1)];
    let time = slot(&mut record, 8);
    record.push(tag(11, 1));
    slot(&mut record, 8);
    let number = match story.level {
        "DEBUG" => 5,
        "INFO" => 9,
        "WARN" => 13,
        _ => 17,
    };
    record.extend_from_slice(&[tag(2, 0), number]);
    text(&mut record, 3, story.level);
    let mut body = Vec::new();
    text(&mut body, 1, &story.message);
    message(&mut record, 5, &body);
    attribute_of(&mut record, "run", |value| text(value, 1, &labels.run));
    // Each is the last of its attribute, so its slot ends where the record does then.
    attribute_of(&mut record, "seq", |value| integer_slot(value, SEQ_BYTES));
    let seq = record.len() - SEQ_BYTES;
    attribute_of(&mut record, "try", |value| integer_slot(value, TRY_BYTES));
    let attempt = record.len() - TRY_BYTES;
    if let Some(status) = story.status {
        attribute_of(&mut record, "http.status_code", |value| {
            value.push(tag(3, 0));
            varint(value, status.into());
        });
        attribute_of(&mut record, "latency_ms", |value| {
            value.push(tag(4, 1));
            let latency: f64 = story.latency.parse().unwrap_or(0.0);
            value.extend_from_slice(&latency.to_le_bytes());
        });
    }
    if let Some(user) = story.user {
        attribute_of(&mut record, "user.id", |value| text(value, 1, &format!("u{user}")));
    }
    attribute_of(&mut record, "host.name", |value| {
        text(value, 1, &format!("web-{:02}", story.host));
    });
    if random.below(6) == 0 {
        let (high, low, span) = (random.next_u64(), random.next_u64(), random.next_u64());
        // An all-zero id would be invalid by the W3C's rules: one bit is always set.
        let trace = [high.to_be_bytes(), (low | 1).to_be_bytes()].concat();
        message(&mut record, 9, &trace);
        message(&mut record, 10, &(span | 1).to_be_bytes());
    }
    message(out, 2, &record);
    let start = out.len() - record.len();
    let [time, seq, attempt] = [time, seq, attempt].map(|at| start + at);
    Mark { time, seq, attempt, end: out.len() }
}

/// Notes in a record when it happened, and its number.
pub(crate) fn fill_record(bytes: &mut [u8], mark: Mark, now: Duration, seq: u64) {
    let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX).to_le_bytes();
    for at in [mark.time, mark.time + TO_OBSERVED] {
        if let Some(slot) = bytes.get_mut(at..at + 8) {
            slot.copy_from_slice(&nanos);
        }
    }
    fill(bytes, mark.seq, SEQ_BYTES, seq);
}

/// Notes in a record which try this is.
pub(crate) fn fill_try(bytes: &mut [u8], at: usize, attempt: u32) {
    fill(bytes, at, TRY_BYTES, attempt.into());
}

/// How many records of a request were rejected, by the answer to it.
pub(crate) fn rejected(response: &[u8]) -> u64 {
    // `partial_success` is field 1, `rejected_log_records` field 1 of it, and comes first.
    match response {
        [0x0a, _, 0x08, rest @ ..] => {
            let mut value = 0;
            for (index, byte) in rest.iter().enumerate().take(9) {
                value |= u64::from(byte & 0x7f) << (7 * index);
                if *byte < 0x80 {
                    break;
                }
            }
            value
        }
        _ => 0,
    }
}

const fn tag(field: u8, kind: u8) -> u8 {
    field << 3 | kind
}

/// Leaves room and says where.
fn slot(out: &mut Vec<u8>, width: usize) -> usize {
    let at = out.len();
    out.resize(at + width, 0);
    at
}

/// Appends an integer that is filled in later.
fn integer_slot(out: &mut Vec<u8>, width: usize) {
    out.push(tag(3, 0));
    slot(out, width);
}

/// Fills a slot with an integer, written as long as the slot is.
fn fill(bytes: &mut [u8], at: usize, width: usize, value: u64) {
    let Some(slot) = bytes.get_mut(at..at + width) else { return };
    for (index, byte) in slot.iter_mut().enumerate() {
        let more = if index + 1 < width { 0x80 } else { 0 };
        *byte = (value >> (7 * index)) as u8 & 0x7f | more;
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn message(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(tag(field, 2));
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn text(out: &mut Vec<u8>, field: u8, text: &str) {
    message(out, field, text.as_bytes());
}

/// Appends an attribute of a resource.
fn attribute(out: &mut Vec<u8>, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
    key_value(out, 1, name, value);
}

/// Appends an attribute of a record.
fn attribute_of(out: &mut Vec<u8>, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
    key_value(out, 6, name, value);
}

fn key_value(out: &mut Vec<u8>, field: u8, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
    let (mut any, mut pair) = (Vec::new(), Vec::new());
    value(&mut any);
    text(&mut pair, 1, name);
    message(&mut pair, 2, &any);
    message(out, field, &pair);
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::logs::v1::{
        ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
    };
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::logs::v1::LogRecord;
    use prost::Message as _;

    use super::*;

    fn integer(record: &LogRecord, name: &str) -> i64 {
        let found = record.attributes.iter().find(|kv| kv.key == name).unwrap();
        match found.value.as_ref().unwrap().value {
            Some(Value::IntValue(value)) => value,
            ref other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn a_request_is_what_the_generated_types_read_whole_and_cut_short() {
        let labels = Labels { run: "r-1".into(), service: None, class: Some("bulk".into()) };
        let (mut bytes, mut random) = (Vec::new(), Random::new(1, 1));
        let envelope = Envelope::open(&mut bytes, true, &labels, &mut random);
        let marks: Vec<_> =
            (0..50).map(|_| write_record(&mut bytes, &labels, &mut random)).collect();
        for (seq, mark) in (9_999_999_900..).zip(&marks) {
            fill_record(&mut bytes, *mark, Duration::from_nanos(1_790_000_000_123_456_789), seq);
            fill_try(&mut bytes, mark.attempt, 999);
        }
        for count in [50, 1, 17] {
            let end = marks[count - 1].end;
            envelope.close(&mut bytes, end);
            let length = u32::from_be_bytes(bytes[1..PREFIX].try_into().unwrap()) as usize;
            assert_eq!(length, end - PREFIX);
            let request = ExportLogsServiceRequest::decode(&bytes[PREFIX..end]).unwrap();
            let of = &request.resource_logs[0];
            assert_eq!(of.resource.as_ref().unwrap().attributes.len(), 2);
            let records = &of.scope_logs[0].log_records;
            assert_eq!(records.len(), count);
            for (seq, record) in (9_999_999_900..).zip(records) {
                assert_eq!((integer(record, "seq"), integer(record, "try")), (seq, 999));
                assert_eq!(record.time_unix_nano, 1_790_000_000_123_456_789);
                assert_eq!(record.observed_time_unix_nano, record.time_unix_nano);
                assert!(record.body.is_some() && record.severity_number > 0);
            }
        }
    }

    #[test]
    fn rejected_records_are_read_off_the_answer() {
        for rejected_log_records in [0, 3, 300] {
            let error_message = "why".to_owned();
            let partial = ExportLogsPartialSuccess { rejected_log_records, error_message };
            let response = ExportLogsServiceResponse { partial_success: Some(partial) };
            assert_eq!(rejected(&response.encode_to_vec()), rejected_log_records as u64);
        }
        assert_eq!(rejected(&[]), 0);
    }
}
