//! What is in this directory, and how does a journal go on from it?
//!
//! The segments are read in order, each frame must begin where the one before ended. What cannot
//! be read is either the *tail* — the write under way when the journal stopped, nothing intact
//! after it: cut off — or *damage*, with intact frames after it: that frame alone is lost, reported,
//! and passed by lanes. An intact frame is never cut off.
//!
//! The next position is above everything that may ever have been used: the last frame, a torn
//! frame whose header is readable, the floor in `meta`, and every cursor.

use std::io;
use std::sync::Arc;

use tidegate_event::{JournalId, Position};

use crate::error::OpenError;
use crate::format::cursors::{self, Cursors};
use crate::format::meta::{self, Meta, State};
use crate::format::segment::{self, PREFIX_BYTES, SegmentHeader, Unusable};
use crate::heal::{heal, is_unfinished};
use crate::pool::{NoSegment, Pool, Spare, make_zeroed};
use crate::random;
use crate::report::{Cause, CursorsFound, Identity, Missing, RecoveredLane, Recovery, Torn};
use crate::scan::Scan;
use crate::segments::{Segment, Segments};
use crate::settings::Settings;
use crate::storage::{Storage, StorageFile, read_full, read_small, replace};

/// A journal ready to go on.
pub(crate) struct Recovered {
    pub(crate) meta: Meta,
    pub(crate) segments: Segments,
    pub(crate) pool: Pool,
    pub(crate) cursors: Cursors,
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

/// What was found, before anything is changed.
struct Found {
    scans: Vec<Scan>,
    missing: Vec<Missing>,
    /// Files that are no segments any more, but hold nothing either.
    empty: Vec<String>,
    bad: Vec<String>,
    next_sequence: u64,
}

impl Found {
    /// A segment between others that has no intact frame is of no use, but may be evidence.
    fn part_with_frameless(&mut self) {
        let (empty, bad) = (&mut self.empty, &mut self.bad);
        self.scans.retain_mut(|scan| {
            let keep = scan.positions.is_some();
            if !keep {
                let to = if scan.blank { &mut *empty } else { &mut *bad };
                to.push(std::mem::take(&mut scan.name));
            }
            keep
        });
    }
}

pub(crate) fn recover(
    storage: &Arc<dyn Storage>,
    settings: &Settings,
) -> Result<Recovered, OpenError> {
    let names = tidy(storage.as_ref())?;
    let old = read_meta(storage.as_ref(), &names)?;
    let created = old.is_none();
    let mut meta = match old {
        Some(meta) => meta,
        None => {
            let id = JournalId::from_u128(random::id()?);
            Meta { id, epoch: 0, floor: 0, state: State::Closed { end: None } }
        }
    };
    let mut found = read_segments(storage.as_ref(), &names, meta.id)?;
    let (cursors, cursors_found) = read_cursors(storage.as_ref(), meta.id)?;

    // Behind the last segment with frames there can only be what never was acknowledged.
    let live = found.scans.iter().rposition(|scan| scan.positions.is_some()).map_or(0, |at| at + 1);
    let behind = found.scans.split_off(live);
    found.part_with_frameless();
    let chain_end = found.scans.last().and_then(|scan| scan.positions).map(|(_, end)| end);
    let seen = found.scans.last().into_iter().chain(&behind).map(Scan::seen_end);
    let used = cursors.values().map(crate::cursor::Cursor::end).chain(seen).max().unwrap_or(0);
    let next = used.max(meta.floor);
    collect_missing(&mut found, meta, chain_end);

    let closed_in_order = meta.state != State::Open;
    meta = Meta { epoch: meta.epoch + 1, floor: next, state: State::Open, ..meta };
    replace(storage.as_ref(), meta::NAME, &meta.encode())
        .map_err(failed(storage.as_ref(), "write `meta`"))?;
    let torn = heal_end(storage.as_ref(), &found, &behind, closed_in_order)?;

    let set_aside = set_aside(storage.as_ref(), &found.bad)?;
    let sizes = (settings.segment_bytes, settings.max_bytes);
    let mut pool = Pool::new(Arc::clone(storage), meta.id, meta.epoch, sizes, found.next_sequence);
    let report = Recovery {
        identity: Identity { id: meta.id, epoch: meta.epoch },
        created,
        closed_in_order,
        segments: found.scans.len(),
        frames: found.scans.iter().map(|scan| scan.frames).sum(),
        items: found.scans.iter().map(|scan| scan.items).sum(),
        first: found.scans.first().and_then(|scan| scan.positions).map_or(next, |(first, _)| first),
        next,
        torn,
        skipped: chain_end.filter(|&end| end < next).map(|end| end..next),
        missing: found.missing,
        set_aside,
        cursors: cursors_found,
        ignored_segments: 0,
    };
    for scan in &found.scans {
        pool.count(scan.header.capacity);
    }
    drop_empty(storage.as_ref(), found.empty, behind)?;
    let segments = assemble(storage, &mut pool, found.scans, next)?;
    Ok(Recovered { meta, segments, pool, cursors, chain_end, report })
}

/// Removes unfinished files and old spares; returns the other names, in order.
///
/// Spares are not worth keeping across a restart: what they hold means nothing, and the first
/// rotation makes new ones in the background.
fn tidy(storage: &dyn Storage) -> Result<Vec<String>, OpenError> {
    let mut names = storage.list().map_err(failed(storage, "list the directory"))?;
    names.sort_unstable();
    names.retain(|name| {
        let stale = name.ends_with(".tmp") || name.ends_with(".spare");
        // One that cannot be removed is tried again at the next opening.
        !stale || storage.remove(name).is_err()
    });
    Ok(names)
}

fn read_meta(storage: &dyn Storage, names: &[String]) -> Result<Option<Meta>, OpenError> {
    let content =
        read_small(storage, meta::NAME, meta::BYTES).map_err(failed(storage, "read `meta`"))?;
    let has_segments = names.iter().any(|name| segment::sequence_of(name, ".seg").is_some());
    let problem = match content.as_deref().map(Meta::decode) {
        Some(Ok(Some(meta))) => return Ok(Some(meta)),
        Some(Err(found)) => {
            let (place, file) = (storage.place(), meta::NAME.to_owned());
            return Err(OpenError::Version { place, file, found, known: meta::VERSION });
        }
        Some(Ok(None)) => "is damaged",
        None if has_segments => "is missing",
        None => return Ok(None),
    };
    Err(OpenError::Meta { place: storage.place(), problem })
}

fn read_cursors(
    storage: &dyn Storage,
    id: JournalId,
) -> Result<(Cursors, CursorsFound), OpenError> {
    let content = read_small(storage, cursors::NAME, cursors::BYTES_MAX)
        .map_err(failed(storage, "read `cursors`"))?;
    let Some(content) = content else { return Ok((Cursors::new(), CursorsFound::Absent)) };
    let Some(cursors) = cursors::decode(&content, id) else {
        return Ok((Cursors::new(), CursorsFound::Broken));
    };
    let lane = |(name, cursor): (&String, &crate::cursor::Cursor)| RecoveredLane {
        name: name.clone(),
        low_water: cursor.low(),
        ranges: cursor.above().ranges(),
    };
    let lanes = cursors.iter().map(lane).collect();
    Ok((cursors, CursorsFound::Lanes(lanes)))
}

fn read_segments(
    storage: &dyn Storage,
    names: &[String],
    id: JournalId,
) -> Result<Found, OpenError> {
    let (scans, missing, next_sequence) = (Vec::new(), Vec::new(), 1);
    let (empty, bad) = (Vec::new(), Vec::new());
    let mut found = Found { scans, missing, empty, bad, next_sequence };
    let mut expected = None;
    for name in names {
        let in_use = segment::sequence_of(name, ".seg");
        let Some(sequence) = in_use.or_else(|| segment::sequence_of(name, ".bad")) else {
            continue;
        };
        found.next_sequence = found.next_sequence.max(sequence + 1);
        if in_use.is_none() {
            continue;
        }
        let read = |error| failed(storage, &format!("read segment `{name}`"))(error);
        let file: Arc<dyn StorageFile> = storage.open(name).map_err(read)?.into();
        let header = match read_header(storage, name, &file, id)? {
            // A spare whose new name had not become durable: it shows under its old one.
            Some(header) if header.sequence != sequence => {
                found.empty.push(name.clone());
                continue;
            }
            Some(header) => header,
            None => {
                found.bad.push(name.clone());
                continue;
            }
        };
        let scan = Scan::read(header, name.clone(), file, expected).map_err(read)?;
        expected = scan.positions.map(|(_, end)| end.max(scan.seen_end())).or(expected);
        found.scans.push(scan);
    }
    Ok(found)
}

fn read_header(
    storage: &dyn Storage,
    name: &str,
    file: &Arc<dyn StorageFile>,
    id: JournalId,
) -> Result<Option<SegmentHeader>, OpenError> {
    let mut prefix = vec![0; PREFIX_BYTES];
    read_full(file.as_ref(), &mut prefix, 0)
        .map_err(|error| failed(storage, &format!("read segment `{name}`"))(error))?;
    let (place, file) = (storage.place(), name.to_owned());
    match SegmentHeader::decode(&prefix) {
        Ok(header) if header.id != id => {
            Err(OpenError::Foreign { place, file, found: header.id, id })
        }
        Ok(header) => Ok(Some(header)),
        Err(Unusable::Version(found)) => {
            Err(OpenError::Version { place, file, found, known: segment::VERSION })
        }
        Err(Unusable::Corrupt) => Ok(None),
    }
}

/// Names the damage: bad spots with intact frames after them, in the same or a later segment.
fn collect_missing(found: &mut Found, meta: Meta, chain_end: Option<Position>) {
    let last = found.scans.len().saturating_sub(1);
    for (at, scan) in found.scans.iter().enumerate() {
        let (segment, is_last) = (scan.header.sequence, at == last);
        let trailing = scan.trailing.iter().filter(|_| !is_last);
        for spot in scan.inside.iter().chain(trailing) {
            let cause = match spot.payload_only {
                _ if is_last && meta.state == State::Open && is_unfinished(scan, spot) => {
                    Cause::Unfinished
                }
                true => Cause::Payload,
                false => Cause::Unreadable,
            };
            let (positions, offset) = (spot.positions.clone(), spot.at.start);
            found.missing.push(Missing { positions, segment, offset, cause });
        }
    }
    let segment = found.scans.last().map_or(0, |scan| scan.header.sequence);
    let reached = chain_end.unwrap_or(0);
    if let State::Closed { end: Some(end) } = meta.state
        && reached < end
    {
        let (positions, cause) = (reached..end, Cause::EndLost);
        let offset = found.scans.last().map_or(0, |scan| scan.end);
        found.missing.push(Missing { positions, segment, offset, cause });
    }
}

/// Makes the last segment sound and every segment durable.
fn heal_end(
    storage: &dyn Storage,
    found: &Found,
    behind: &[Scan],
    closed_in_order: bool,
) -> Result<Option<Torn>, OpenError> {
    let Some((last, before)) = found.scans.split_last() else { return Ok(None) };
    // What the kernel holds but the disk does not would otherwise be delivered, and then lost.
    for scan in before {
        scan.file.sync_data().map_err(failed(storage, "sync a segment"))?;
    }
    if closed_in_order && last.trailing.is_empty() {
        return Ok(None);
    }
    let healed = heal(last).map_err(failed(storage, "repair the end of the last segment"))?;
    let torn_behind = behind.iter().any(|scan| !scan.trailing.is_empty());
    let (segment, offset, bytes) = (last.header.sequence, last.end, healed.behind_bytes);
    Ok((healed.torn || torn_behind).then_some(Torn { segment, offset, bytes }))
}

fn set_aside(storage: &dyn Storage, bad: &[String]) -> Result<Vec<String>, OpenError> {
    let mut renamed = Vec::new();
    for name in bad {
        let aside = name.replace(".seg", ".bad");
        storage.rename(name, &aside).map_err(failed(storage, "set a bad segment aside"))?;
        renamed.push(aside);
    }
    Ok(renamed)
}

/// Removes segments that never got an acknowledged frame.
fn drop_empty(
    storage: &dyn Storage,
    mut names: Vec<String>,
    behind: Vec<Scan>,
) -> Result<(), OpenError> {
    names.extend(behind.into_iter().map(|scan| scan.name));
    for name in &names {
        storage.remove(name).map_err(failed(storage, "remove an empty segment"))?;
    }
    storage.sync_dir().map_err(failed(storage, "sync the directory"))
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

fn first_segment(storage: &dyn Storage, pool: &mut Pool) -> io::Result<crate::pool::Ready> {
    if let Some(reserved) = pool.reserve(pool.next_capacity()) {
        let spare: Spare = make_zeroed(storage, &reserved)?;
        pool.add_spare(spare);
    }
    pool.take(0).map_err(|error| match error {
        NoSegment::Io(error) => error,
        NoSegment::Full => io::ErrorKind::StorageFull.into(),
    })
}
