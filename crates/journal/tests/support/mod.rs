//! What the tests of the journal share: requests whose content tells their place, and a disk that
//! can crash.
#![allow(dead_code, clippy::unwrap_used, reason = "each test uses its own part")]

pub(crate) mod disk;

use std::sync::Arc;

use tidegate_journal::{Frame, Group, Lane};

/// Rows that say which request they are, of about `bytes` bytes.
pub(crate) fn rows(tag: u64, bytes: usize) -> bytes::Bytes {
    let mut rows = tag.to_le_bytes().to_vec();
    rows.resize(bytes.max(8), (tag % 251) as u8);
    rows.into()
}

/// The request a group's rows name; checks that every byte is as it was made.
pub(crate) fn tag(content: &[u8]) -> u64 {
    let tag = u64::from_le_bytes(content[..8].try_into().unwrap());
    assert_eq!(content, &rows(tag, content.len())[..], "rows of request {tag} have changed");
    tag
}

pub(crate) fn group(class: &str, items: u32, tag: u64, bytes: usize) -> Group {
    Group { class: class.into(), items, rows: rows(tag, bytes) }
}

/// One group without a class.
pub(crate) fn request(items: u32, tag: u64, bytes: usize) -> Vec<Group> {
    vec![group("", items, tag, bytes)]
}

/// Reads frames until their items reach `until`.
pub(crate) async fn read_until(lane: &mut Lane, until: u64) -> Vec<Arc<Frame>> {
    let mut frames: Vec<Arc<Frame>> = Vec::new();
    while frames.last().is_none_or(|frame| frame.end < until) {
        frames.extend(lane.next(100_000).await.unwrap());
    }
    frames
}
