//! What does the directory hold, before anything but leftovers is touched?

use std::sync::Arc;

use tidegate_event::{JournalId, Position};

use crate::cursor::Cursor;
use crate::error::OpenError;
use crate::format::cursors::{self, Cursors};
use crate::format::keys;
use crate::format::meta::{self, Meta, State};
use crate::format::notes::{self, Noted};
use crate::format::segment::{self, PREFIX_BYTES, SegmentHeader, Unusable};
use crate::heal::is_unfinished;
use crate::keys::window::Window;
use crate::recovery::failed;
use crate::report::{Cause, CursorsFound, Missing, RecoveredLane};
use crate::scan::Scan;
use crate::storage::{Storage, StorageFile, read_full, read_small};

/// What was found.
pub(crate) struct Found {
    /// Segments with frames, in order.
    pub(crate) scans: Vec<Scan>,
    /// Segments behind the last frame.
    pub(crate) behind: Vec<Scan>,
    pub(crate) missing: Vec<Missing>,
    /// Files that are to be removed: unfinished, unused, or without anything in them.
    pub(crate) remove: Vec<String>,
    /// Segments that cannot be read, and are to be set aside.
    pub(crate) bad: Vec<String>,
    pub(crate) next_sequence: u64,
    /// The position after the last frame.
    pub(crate) chain_end: Option<Position>,
}

impl Found {
    /// Reads all segments of journal `meta.id`, in order. Their request keys go to `keys`.
    pub(crate) fn read(
        storage: &dyn Storage,
        names: &[String],
        meta: &Meta,
        keys: &mut Window,
    ) -> Result<Self, OpenError> {
        let (scans, behind, missing) = (Vec::new(), Vec::new(), Vec::new());
        let (remove, bad) = (Vec::new(), Vec::new());
        let (next_sequence, chain_end) = (1, None);
        let mut found = Self { scans, behind, missing, remove, bad, next_sequence, chain_end };
        found.read_segments(storage, names, meta.id, keys)?;
        let with_frames = found.scans.iter().rposition(|scan| scan.positions.is_some());
        found.behind = found.scans.split_off(with_frames.map_or(0, |at| at + 1));
        found.chain_end = found.scans.last().and_then(|scan| scan.positions).map(|(_, end)| end);
        found.part_with_frameless(meta.state);
        found.name_missing(meta.state);
        Ok(found)
    }

    /// The position after everything whose header could be read, torn frames included.
    pub(crate) fn seen_end(&self) -> Position {
        let last = self.scans.last().into_iter().chain(&self.behind);
        last.map(Scan::seen_end).max().unwrap_or(0)
    }

    /// Decides about segments without an intact frame. Behind the last frame they were made ahead,
    /// or their first commit was never finished; anywhere else, and after an orderly end, what
    /// they hold may be evidence.
    fn part_with_frameless(&mut self, state: State) {
        let (remove, bad) = (&mut self.remove, &mut self.bad);
        let unfinished = state == State::Open;
        for (at, scan) in self.behind.iter().enumerate() {
            let harmless = scan.blank || (unfinished && at == 0);
            let to = if harmless { &mut *remove } else { &mut *bad };
            to.push(scan.name.clone());
        }
        self.scans.retain(|scan| {
            let keep = scan.positions.is_some();
            if !keep {
                let to = if scan.blank { &mut *remove } else { &mut *bad };
                to.push(scan.name.clone());
            }
            keep
        });
    }

    /// Reads every segment from end to end.
    fn read_segments(
        &mut self,
        storage: &dyn Storage,
        names: &[String],
        id: JournalId,
        keys: &mut Window,
    ) -> Result<(), OpenError> {
        let mut expected = None;
        for name in names {
            // Spares are not worth keeping across a restart: the first rotation makes new ones.
            if name.ends_with(".tmp") || name.ends_with(".spare") {
                self.remove.push(name.clone());
            }
            let in_use = segment::sequence_of(name, ".seg");
            let Some(sequence) = in_use.or_else(|| segment::sequence_of(name, ".bad")) else {
                continue;
            };
            self.next_sequence = self.next_sequence.max(sequence + 1);
            if in_use.is_none() {
                continue;
            }
            let action = format!("read segment `{name}`");
            let read = |error| failed(storage, &action)(error);
            let file: Arc<dyn StorageFile> = storage.open(name).map_err(read)?.into();
            match read_header(storage, name, &file, id)? {
                // A spare whose new name had not become durable: it shows under its old one.
                Some(header) if header.sequence != sequence => self.remove.push(name.clone()),
                Some(header) => {
                    let scan = Scan::read(header, name.clone(), file, expected, keys);
                    let scan = scan.map_err(read)?;
                    let seen = scan.positions.map(|_| scan.seen_end());
                    expected = seen.or(expected);
                    self.scans.push(scan);
                }
                None => self.bad.push(name.clone()),
            }
        }
        Ok(())
    }

    /// Names the damage: bad spots with intact frames after them, in the same or a later segment.
    fn name_missing(&mut self, state: State) {
        let last = self.scans.len().saturating_sub(1);
        for (at, scan) in self.scans.iter().enumerate() {
            let (segment, is_last) = (scan.header.sequence, at == last);
            let trailing = scan.trailing.iter().filter(|_| !is_last);
            for spot in scan.inside.iter().chain(trailing) {
                let cause = match spot.body_only {
                    _ if is_last && state == State::Open && is_unfinished(scan, spot) => {
                        Cause::Unfinished
                    }
                    true => Cause::Body,
                    false => Cause::Unreadable,
                };
                let (positions, offset) = (spot.positions.clone(), spot.at.start);
                self.missing.push(Missing { positions, segment, offset, cause });
            }
        }
        let segment = self.scans.last().map_or(0, |scan| scan.header.sequence);
        let reached = self.chain_end.unwrap_or(0);
        if let State::Closed { end: Some(end) } = state
            && reached < end
        {
            let (positions, cause) = (reached..end, Cause::EndLost);
            let offset = self.scans.last().map_or(0, |scan| scan.end);
            self.missing.push(Missing { positions, segment, offset, cause });
        }
    }
}

/// The names of all files, in order.
pub(crate) fn list(storage: &dyn Storage) -> Result<Vec<String>, OpenError> {
    let mut names = storage.list().map_err(failed(storage, "list the directory"))?;
    names.sort_unstable();
    Ok(names)
}

/// The content of `meta`; `None` if this is no journal yet.
pub(crate) fn read_meta(
    storage: &dyn Storage,
    names: &[String],
) -> Result<Option<Meta>, OpenError> {
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

/// The cursors, and what to say of them.
pub(crate) fn read_cursors(
    storage: &dyn Storage,
    id: JournalId,
) -> Result<(Cursors, CursorsFound), OpenError> {
    let content = read_small(storage, cursors::NAME, cursors::BYTES_MAX)
        .map_err(failed(storage, "read `cursors`"))?;
    let Some(content) = content else { return Ok((Cursors::new(), CursorsFound::Absent)) };
    let Some(cursors) = cursors::decode(&content, id) else {
        return Ok((Cursors::new(), CursorsFound::Broken));
    };
    let lane = |(name, cursor): (&String, &Cursor)| RecoveredLane {
        name: name.clone(),
        low_water: cursor.low(),
        ranges: cursor.above().ranges(),
    };
    let lanes = cursors.iter().map(lane).collect();
    Ok((cursors, CursorsFound::Lanes(lanes)))
}

/// The notes; what they say of deliveries goes to the cursors, which may be older.
pub(crate) fn read_notes(
    storage: &dyn Storage,
    id: JournalId,
    cursors: &mut Cursors,
) -> Result<Noted, OpenError> {
    let content = read_small(storage, notes::NAME, notes::BYTES_MAX)
        .map_err(failed(storage, "read `notes`"))?;
    let noted = notes::decode(&content.unwrap_or_default(), id).map_err(|found| {
        let (place, file) = (storage.place(), notes::NAME.to_owned());
        OpenError::Version { place, file, found, known: notes::VERSION }
    })?;
    for (name, lane) in &noted {
        if !lane.delivered.is_empty() {
            let cursor = cursors.entry(name.clone()).or_default();
            lane.delivered.iter().for_each(|range| cursor.deliver(range));
        }
    }
    Ok(noted)
}

/// Puts the keys of requests whose segments are gone into `keys`; false if they are lost.
pub(crate) fn read_keys(
    storage: &dyn Storage,
    id: JournalId,
    keys: &mut Window,
) -> Result<bool, OpenError> {
    let content =
        read_small(storage, keys::NAME, keys::BYTES_MAX).map_err(failed(storage, "read `keys`"))?;
    let Some(content) = content else { return Ok(true) };
    let found = keys::decode(&content, id).map_err(|found| {
        let (place, file) = (storage.place(), keys::NAME.to_owned());
        OpenError::Version { place, file, found, known: keys::VERSION }
    })?;
    let readable = found.is_some();
    for kept in found.into_iter().flatten() {
        keys.restore(kept.key, kept.positions);
    }
    Ok(readable)
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
