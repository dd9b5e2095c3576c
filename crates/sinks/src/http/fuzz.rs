//! The parts of the sink that read what a backend answered, for the fuzz targets.

use std::time::SystemTime;

use hyper::HeaderMap;
use hyper::header::{DATE, HeaderValue, RETRY_AFTER};
use tidegate_event::{Event, JournalId, Rows, rows};

use super::items::Reader;
use super::status::Meaning;
use super::wait;
use crate::contract::{Batch, Slice};

/// An answer item by item, with its headers.
///
/// # Panics
///
/// When it names an item that was not sent, or one twice.
pub fn answer(retry_after: &[u8], date: &[u8], body: &[u8]) {
    let mut headers = HeaderMap::new();
    for (name, value) in [(RETRY_AFTER, retry_after), (DATE, date)] {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.insert(name, value);
        }
    }
    let _ = wait::asked(&headers, || SystemTime::UNIX_EPOCH);
    let mut row = Vec::new();
    if rows::encode(&Event::default(), &mut row).is_err() {
        return;
    }
    let slice = |first, count: u32| Slice {
        first,
        rows: Rows::new(row.repeat(count as usize).into(), count),
    };
    let slices = vec![slice(3, 2), slice(8, 1)];
    let batch = Batch { lane: "default".into(), range: 0..9, slices };
    let meaning = |status| Meaning::of(status);
    let reader = Reader { meaning: &meaning, id_field: "name" };
    if let Ok(not_taken) = reader.read(body, JournalId::from_u128(0xdecade), &batch) {
        let positions: Vec<_> = not_taken.iter().map(|item| item.position).collect();
        assert!(positions.iter().all(|position| [3, 4, 8].contains(position)), "{positions:?}");
        assert!(positions.windows(2).all(|pair| pair[0] < pair[1]), "{positions:?}");
    }
}
