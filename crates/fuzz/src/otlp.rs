//! An export of OpenTelemetry becomes rows, in either encoding.

use std::sync::Arc;

use tidegate_event::json::Limits;
use tidegate_event::otlp::{Encoding, Options, Parser};

use crate::events::sound;
use crate::first;

/// Bytes that the rows of one request may take, and before which leave is asked for more.
const ROWS_BYTES_MAX: usize = 256 << 10;

/// Any bytes, walked as protobuf.
pub fn otlp(data: &[u8]) {
    parsed(data, Encoding::Protobuf);
}

/// Any bytes, read as OTLP/JSON.
pub fn otlp_json(data: &[u8]) {
    parsed(data, Encoding::Json);
}

/// What is accepted is in the rows, within every bound, and every row holds what a sink takes.
fn parsed(data: &[u8], encoding: Encoding) {
    let (flags, body) = first(data);
    let classes: [Arc<str>; 2] = ["urgent".into(), "bulk".into()];
    let options = Options {
        limits: Limits { event_bytes_max: 4096, depth_max: 16, events_max: 500 },
        rows_bytes_max: ROWS_BYTES_MAX,
        classes: &classes,
        observed: 1_700_000_000_000_000_000,
    };
    let mut leave = ROWS_BYTES_MAX / 4;
    let mut room = |bytes: usize| {
        leave = bytes;
        assert!(bytes <= ROWS_BYTES_MAX, "leave for {bytes} bytes");
        flags & 1 == 0
    };
    let Ok(parsed) = Parser::default().parse(body, encoding, &options, &mut room) else { return };
    let (mut events, mut bytes) = (0, 0);
    for group in parsed.groups {
        assert!(group.count > 0 && group.class <= classes.len());
        (events, bytes) = (events + u64::from(group.count), bytes + group.rows.len());
        let rows = group.into_rows();
        assert_eq!(rows.iter().count(), rows.len() as usize);
        rows.views().for_each(|row| assert!(row.bytes().len() <= 4096));
        rows.iter().for_each(|event| sound(&event));
    }
    assert_eq!(events, parsed.accepted);
    assert!(parsed.accepted + parsed.rejected.total <= 500);
    assert_eq!(parsed.rejected.total > 0, parsed.rejected.first.is_some());
    assert!(bytes <= leave.max(2 * body.len()).max(64 << 10), "{bytes} bytes of rows");
}
