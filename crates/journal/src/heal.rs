//! How is the end of the journal made sound again after a crash?
//!
//! Four steps on the last segment with frames, then one sync:
//! 1. Bad spots inside the last commit become gap frames. Its sync may never have been finished,
//!    so a frame of it may be missing while a later one is there; nobody need look at it again.
//! 2. The last commit is written again, byte for byte, with the zeros behind it. After a *failed* sync the system may hold
//!    pages as clean that the disk never got: reading them proves nothing, and another sync would
//!    not write them. Only one commit can be in that state.
//! 3. Everything behind the last intact frame is zeroed, so that no half-written frame can ever be
//!    taken for one that follows a later, shorter commit.
//! 4. The file is synced, before anything read from it is handed to a lane.
//!
//! Each step leaves a state that can be healed again, so a crash in between does no harm.

use std::io;

use crate::format::frame::{HEADER_BYTES, Header};
use crate::scan::Scan;
use crate::storage::{StorageFile, read_full};
use crate::walk::BadSpot;

const CHUNK_BYTES: usize = 1 << 20;
/// At least as much as a commit puts behind its last frame.
const GUARD_BYTES: usize = 2 * 4096;

/// What had to be done.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Healed {
    /// Whether an unfinished frame stood behind the last intact one.
    pub(crate) torn: bool,
    /// Bytes from there to the last byte that was not zero.
    pub(crate) behind_bytes: u64,
}

/// Whether a bad spot lies in the last commit of its segment.
pub(crate) fn is_unfinished(scan: &Scan, spot: &BadSpot) -> bool {
    scan.last_commit.1 <= spot.positions.start
}

/// Makes the end of the last segment sound.
pub(crate) fn heal(scan: &Scan) -> io::Result<Healed> {
    let file = scan.file.as_ref();
    let mut from = scan.last_commit.0;
    for spot in scan.inside.iter().filter(|spot| is_unfinished(scan, spot)) {
        let bytes = spot.at.end - spot.at.start;
        if !spot.positions.is_empty() && bytes >= HEADER_BYTES as u64 {
            let mut gap = Vec::with_capacity(HEADER_BYTES);
            Header::gap(spot.positions.start, spot.positions.end, scan.last_commit.1, bytes)
                .encode(scan.header.salt, &mut gap);
            file.write_all_at(&gap, spot.at.start)?;
            from = from.min(spot.at.start);
        }
    }
    rewrite(file, from, scan.end)?;
    let healed = clear(file, scan)?;
    let guard = GUARD_BYTES.min(usize::try_from(scan.header.capacity - scan.end).unwrap_or(0));
    file.write_all_at(&vec![0; guard], scan.end)?;
    file.sync_data()?;
    Ok(healed)
}

fn rewrite(file: &dyn StorageFile, mut from: u64, end: u64) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    while from < end {
        let size = usize::try_from(end - from).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
        let part = chunk.get_mut(..size).unwrap_or_default();
        let read = read_full(file, part, from)?;
        let Some(bytes) = part.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        file.write_all_at(bytes, from)?;
        from += read as u64;
    }
    Ok(())
}

/// Zeroes what is not zero behind the last intact frame.
fn clear(file: &dyn StorageFile, scan: &Scan) -> io::Result<Healed> {
    let mut healed = Healed { torn: !scan.trailing.is_empty(), behind_bytes: 0 };
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut at = scan.end;
    loop {
        let read = read_full(file, &mut chunk, at)?;
        let Some(bytes) = chunk.get_mut(..read).filter(|bytes| !bytes.is_empty()) else { break };
        // After every commit come that many zeros, whatever the file held in a former life.
        let guard = bytes.get(..HEADER_BYTES.min(read)).unwrap_or_default();
        healed.torn |= at == scan.end && guard.iter().any(|&byte| byte != 0);
        if let Some(last) = bytes.iter().rposition(|&byte| byte != 0) {
            healed.behind_bytes = at + last as u64 + 1 - scan.end;
            bytes.fill(0);
            file.write_all_at(bytes, at)?;
        }
        at += read as u64;
    }
    Ok(healed)
}
