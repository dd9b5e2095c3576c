//! What is in this directory, and how does a journal go on from it?
//!
//! The segments are read in order, each frame must begin where the one before ended. What cannot
//! be read is either the *tail* — the write under way when the journal stopped, nothing intact
//! after it: cut off — or *damage*, with intact frames after it: that frame alone is lost, reported,
//! and passed by lanes. An intact frame is never cut off.
//!
//! The next position is above everything that may ever have been used: the last frame, a torn
//! frame whose header is readable, the floor in `meta`, every cursor and every note.

use std::io;
use std::sync::Arc;

use tidegate_event::{JournalId, Position};

use crate::cursor::Cursor;
use crate::error::OpenError;
use crate::format::cursors::Cursors;
use crate::format::meta::{self, Meta, State};
use crate::format::notes::Noted;
use crate::found::{self, Found};
use crate::heal::heal;
use crate::keys::window::Window;
use crate::pool::{NoSegment, Pool, Ready, make_zeroed};
use crate::random;
use crate::report::{Identity, KeysFound, Recovery, Torn};
use crate::scan::Scan;
use crate::segments::{Segment, Segments};
use crate::settings::Settings;
use crate::storage::{Storage, replace};

/// A journal ready to go on.
pub(crate) struct Recovered {
    pub(crate) meta: Meta,
    pub(crate) segments: Segments,
    pub(crate) pool: Pool,
    pub(crate) cursors: Cursors,
    pub(crate) noted: Noted,
    pub(crate) keys: Window,
    /// The position after the last frame on disk, if there is one. A gap frame must lead from
    /// there to the report's `next`.
    pub(crate) chain_end: Option<Position>,
    pub(crate) report: Recovery,
}

/// Turns the system's answer into an error that says what was tried.
pub(crate) fn failed<'a>(
    storage: &'a dyn Storage,
    action: &'a str,
) -> impl FnOnce(io::Error) -> OpenError + 'a {
    move |source| OpenError::Io { place: storage.place(), action: action.to_owned(), source }
}

pub(crate) fn recover(
    storage: &Arc<dyn Storage>,
    settings: &Settings,
) -> Result<Recovered, OpenError> {
    let names = found::list(storage.as_ref())?;
    let old = found::read_meta(storage.as_ref(), &names)?;
    let created = old.is_none();
    let old = match old {
        Some(meta) => meta,
        None => {
            let id = JournalId::from_u128(random::id()?);
            Meta { id, epoch: 0, floor: 0, state: State::Closed { end: None } }
        }
    };
    let mut keys = Window::new(settings.keys_max, settings.keys_age_max);
    // Before the frames: what the file knows is older.
    let keys_readable = found::read_keys(storage.as_ref(), old.id, &mut keys)?;
    let found = Found::read(storage.as_ref(), &names, &old, &mut keys)?;
    let (mut cursors, cursors_found) = found::read_cursors(storage.as_ref(), old.id)?;
    let noted = found::read_notes(storage.as_ref(), old.id, &mut cursors)?;
    let delivered_end = cursors.values().map(Cursor::end).max().unwrap_or(0);
    let attempted_end = noted.values().filter_map(|lane| lane.open.end()).max().unwrap_or(0);
    let next = old.floor.max(found.seen_end()).max(delivered_end).max(attempted_end);

    // Nothing was changed so far. The epoch comes first: whatever happens from here on belongs to
    // this opening, not to the one before.
    let meta = Meta { epoch: old.epoch + 1, floor: next, state: State::Open, ..old };
    replace(storage.as_ref(), meta::NAME, &meta.encode())
        .map_err(failed(storage.as_ref(), "write `meta`"))?;
    let torn = heal_end(storage.as_ref(), &found, old.state)?;
    let set_aside = clean_up(storage.as_ref(), &found)?;
    let report = Recovery {
        identity: Identity { id: meta.id, epoch: meta.epoch },
        created,
        closed_in_order: old.state != State::Open,
        segments: found.scans.len(),
        frames: found.scans.iter().map(|scan| scan.frames).sum(),
        items: found.scans.iter().map(|scan| scan.items).sum(),
        first: found.scans.first().and_then(|scan| scan.positions).map_or(next, |(first, _)| first),
        next,
        torn,
        skipped: found.chain_end.filter(|&end| end < next).map(|end| end..next),
        missing: found.missing,
        set_aside,
        cursors: cursors_found,
        keys: KeysFound { known: keys.len(), lost: !keys_readable },
        ignored_segments: 0,
    };
    let sizes = (settings.segment_bytes, settings.max_bytes);
    let mut pool = Pool::new(Arc::clone(storage), meta.id, meta.epoch, sizes, found.next_sequence);
    let segments = assemble(storage, &mut pool, found.scans, next)?;
    let chain_end = found.chain_end;
    Ok(Recovered { meta, segments, pool, cursors, noted, keys, chain_end, report })
}

/// Makes the last segment sound and every segment durable.
fn heal_end(storage: &dyn Storage, found: &Found, state: State) -> Result<Option<Torn>, OpenError> {
    let torn_behind = found.behind.iter().find(|scan| !scan.trailing.is_empty());
    let torn_at = |scan: &Scan, bytes| {
        let (segment, offset) = (scan.header.sequence, scan.end);
        Torn { segment, offset, bytes }
    };
    let lost = torn_behind.map(|scan| {
        let until = scan.trailing.last().map_or(scan.end, |spot| spot.at.end);
        torn_at(scan, until - scan.end)
    });
    let Some((last, before)) = found.scans.split_last() else { return Ok(lost) };
    // What the kernel holds but the disk does not would otherwise be delivered, and then lost.
    for scan in before {
        scan.file.sync_data().map_err(failed(storage, "sync a segment"))?;
    }
    if state != State::Open && last.trailing.is_empty() {
        return Ok(lost);
    }
    let healed = heal(last).map_err(failed(storage, "repair the end of the last segment"))?;
    Ok(if healed.torn { Some(torn_at(last, healed.behind_bytes)) } else { lost })
}

/// Sets aside what cannot be read, and removes what is of no use; returns the new names.
fn clean_up(storage: &dyn Storage, found: &Found) -> Result<Vec<String>, OpenError> {
    let mut set_aside = Vec::new();
    for name in &found.bad {
        let aside = name.replace(".seg", ".bad");
        storage.rename(name, &aside).map_err(failed(storage, "set a bad segment aside"))?;
        set_aside.push(aside);
    }
    for name in &found.remove {
        // `meta.tmp` has meanwhile become `meta`.
        match storage.remove(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed(storage, "remove an unused file")(error));
            }
            _ => {}
        }
    }
    storage.sync_dir().map_err(failed(storage, "sync the directory"))?;
    Ok(set_aside)
}

/// The segments as the running journal keeps them; the first one is made if there is none.
fn assemble(
    storage: &Arc<dyn Storage>,
    pool: &mut Pool,
    scans: Vec<Scan>,
    next: Position,
) -> Result<Segments, OpenError> {
    let firsts: Vec<_> = scans.iter().map(|scan| scan.positions.map(|(first, _)| first)).collect();
    let mut segments = Segments::default();
    for scan in &scans {
        pool.count(scan.header.capacity);
    }
    for (at, scan) in scans.into_iter().enumerate() {
        let Some((first, end)) = scan.positions else { continue };
        // A hole between two segments belongs to the first of them.
        let until = firsts.iter().skip(at + 1).flatten().next().copied().unwrap_or(end);
        segments.push(Segment {
            sequence: scan.header.sequence,
            salt: scan.header.salt,
            capacity: scan.header.capacity,
            name: scan.name,
            file: scan.file,
            first,
            next: until,
            end: scan.end,
            index: scan.index,
        });
    }
    if segments.count() == 0 {
        let first = first_segment(storage.as_ref(), pool)
            .map_err(failed(storage.as_ref(), "create the first segment"))?;
        segments.push(Segment::opened(first, next));
    }
    Ok(segments)
}

fn first_segment(storage: &dyn Storage, pool: &mut Pool) -> io::Result<Ready> {
    if let Some(reserved) = pool.reserve(pool.next_capacity()) {
        pool.add_spare(make_zeroed(storage, &reserved)?);
    }
    pool.take(0).map_err(|error| match error {
        NoSegment::Io(error) => error,
        NoSegment::Full => io::ErrorKind::StorageFull.into(),
    })
}
