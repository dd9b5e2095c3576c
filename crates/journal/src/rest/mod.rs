//! What does a journal hold that nobody runs: a stopped server's, or a copy of one?
//!
//! Looking never writes: not a lock, not a cursor, not an epoch, so a copy on read-only media can be
//! looked at and the original is the same afterwards. What is found is what an opening would find,
//! by the same code. Mending is a list of steps that can be read before it is done: see [`Repair`].

mod repair;

use std::ops::Range;
use std::sync::Arc;

use tidegate_event::Position;

pub use repair::Repair;

use crate::cursor::Cursor;
use crate::error::OpenError;
use crate::format::cursors::Cursors;
use crate::format::frame::Kind;
use crate::format::meta::{Meta, State};
use crate::format::notes::Noted;
use crate::format::segment::FRAMES_AT;
use crate::found::{self, Found};
use crate::frame::Frame;
use crate::keys::window::Window;
use crate::recovery::failed;
use crate::report::{CursorsFound, Identity, KeysFound, Missing, Torn};
use crate::scan::Scan;
use crate::settings::Settings;
use crate::storage::{FileStorage, Storage};
use crate::walk::{Classes, Step, Walker};

/// A journal that nobody runs.
///
/// ```
/// use tidegate_journal::{AtRest, FileStorage, Group, Journal, Settings};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// let (journal, _) = Journal::open(FileStorage::open(dir.path())?, Settings::default())?;
/// journal.append(vec![Group { class: "".into(), items: 2, rows: "two rows".into() }])?.await?;
/// journal.close().await?;
///
/// let rest = AtRest::look(FileStorage::look(dir.path())?)?;
/// assert_eq!((rest.condition().items, rest.condition().is_sound()), (2, true));
/// assert!(rest.repairs().is_empty());
/// # Ok(())
/// # }
/// ```
pub struct AtRest {
    storage: Arc<dyn Storage>,
    meta: Meta,
    /// Whether `meta` had to be made up from the segments.
    meta_is_guessed: bool,
    found: Found,
    cursors: Cursors,
    condition: Condition,
}

/// What a journal at rest holds, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Who it is, and which was its last life.
    pub identity: Identity,
    /// Why the file `meta`, which says so, cannot be used; `None` if it can.
    pub meta_problem: Option<&'static str>,
    /// Whether it was closed in order the last time.
    pub closed_in_order: bool,
    /// The segments, in order.
    pub segments: Vec<SegmentFound>,
    /// Intact frames.
    pub frames: u64,
    /// Items in them.
    pub items: u64,
    /// The oldest position kept.
    pub first: Position,
    /// The position the next item gets.
    pub next: Position,
    /// The write that was under way when it stopped: no damage, the next opening clears it.
    pub torn: Option<Torn>,
    /// What cannot be read any more.
    pub missing: Vec<Missing>,
    /// Files that are no usable segments.
    pub unusable: Vec<String>,
    /// Files that the next opening removes: unfinished or unused.
    pub leftovers: Vec<String>,
    /// What each lane has delivered.
    pub cursors: CursorsFound,
    /// Batches that were on their way when it stopped, by lane.
    pub in_doubt: Vec<(String, Vec<Range<Position>>)>,
    /// The request keys it remembers.
    pub keys: KeysFound,
}

/// A segment as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFound {
    /// Its file.
    pub name: String,
    /// Its sequence number.
    pub sequence: u64,
    /// Bytes of its frames.
    pub bytes: u64,
    /// Intact frames.
    pub frames: u64,
    /// Items in them.
    pub items: u64,
    /// The first position in it and the one after its last; `None` without a frame.
    pub positions: Option<Range<Position>>,
    /// Places in it that cannot be read.
    pub bad_spots: usize,
}

impl Condition {
    /// Whether nothing acknowledged is missing and every file can be used. A torn end is no damage.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let lost = |missing: &Missing| missing.cause != crate::report::Cause::Unfinished;
        self.meta_problem.is_none() && self.unusable.is_empty() && !self.missing.iter().any(lost)
    }
}

impl std::fmt::Debug for AtRest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AtRest").field("condition", &self.condition).finish_non_exhaustive()
    }
}

impl AtRest {
    /// Reads everything once, and changes nothing.
    ///
    /// # Errors
    /// [`OpenError`], as for [`Journal::open`](crate::Journal::open); a missing or damaged `meta` is
    /// no error while some segment says which journal it is of.
    pub fn look(storage: FileStorage) -> Result<Self, OpenError> {
        Self::of(Arc::new(storage))
    }

    fn of(storage: Arc<dyn Storage>) -> Result<Self, OpenError> {
        let names = found::list(storage.as_ref())?;
        let (meta, meta_problem) = match found::read_meta(storage.as_ref(), &names) {
            Ok(Some(meta)) => (meta, None),
            Ok(None) => return Err(OpenError::NoJournal { place: storage.place() }),
            Err(OpenError::Meta { place, problem }) => {
                let meta = repair::guess_meta(storage.as_ref(), &names)?;
                (meta.ok_or(OpenError::Meta { place, problem })?, Some(problem))
            }
            Err(error) => return Err(error),
        };
        let Settings { keys_max, keys_age_max, .. } = Settings::default();
        let mut keys = Window::new(keys_max, keys_age_max);
        let keys_readable = found::read_keys(storage.as_ref(), meta.id, &mut keys)?;
        let found = Found::read(storage.as_ref(), &names, &meta, &mut keys)?;
        let (mut cursors, cursors_found) = found::read_cursors(storage.as_ref(), meta.id)?;
        let noted = found::read_notes(storage.as_ref(), meta.id, &mut cursors)?;
        let keys = KeysFound { known: keys.len(), lost: !keys_readable };
        let ends = cursors.values().map(Cursor::end);
        let next = ends.chain([meta.floor, found.seen_end()]).max().unwrap_or(0);
        let condition = Condition {
            identity: Identity { id: meta.id, epoch: meta.epoch },
            meta_problem,
            closed_in_order: meta_problem.is_none() && meta.state != State::Open,
            segments: found.scans.iter().map(segment).collect(),
            frames: found.scans.iter().map(|scan| scan.frames).sum(),
            items: found.scans.iter().map(|scan| scan.items).sum(),
            first: found.scans.first().and_then(|scan| scan.positions).map_or(next, |(at, _)| at),
            next,
            torn: torn(&found),
            missing: found.missing.clone(),
            unusable: found.bad.clone(),
            leftovers: found.remove.clone(),
            cursors: cursors_found,
            in_doubt: in_doubt(&noted),
            keys,
        };
        let meta_is_guessed = meta_problem.is_some();
        Ok(Self { storage, meta, meta_is_guessed, found, cursors, condition })
    }

    /// What it holds, and what is wrong with it.
    #[must_use]
    pub fn condition(&self) -> &Condition {
        &self.condition
    }

    /// Positions in `range` that a lane has not delivered; all of them if the lane is not known.
    #[must_use]
    pub fn undelivered(&self, lane: &str, range: Range<Position>) -> Vec<Range<Position>> {
        let cursor = self.cursors.get(lane).cloned().unwrap_or_default();
        cursor.undelivered_in(range)
    }

    /// Hands every intact frame with positions in `range` to `take`, in order, until that fails.
    ///
    /// # Errors
    /// [`OpenError::Io`] if a segment cannot be read; what `take` returned.
    pub fn frames<E: From<OpenError>>(
        &self,
        range: &Range<Position>,
        mut take: impl FnMut(&Frame) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut classes = Classes::default();
        for scan in &self.found.scans {
            let touches = |(first, end)| first < range.end && range.start < end;
            if !scan.positions.is_some_and(touches) {
                continue;
            }
            let offsets = FRAMES_AT..scan.end;
            let first = scan.positions.map(|(first, _)| first);
            let mut walker = Walker::new(Arc::clone(&scan.file), scan.header.salt, offsets, first);
            loop {
                let action = format!("read segment `{}`", scan.name);
                let step = walker.step().map_err(failed(self.storage.as_ref(), &action));
                match step? {
                    Step::End => break,
                    Step::Bad(_) => {}
                    Step::Frame(found) => {
                        let header = &found.header;
                        let wanted = header.kind != Kind::Gap
                            && header.first < range.end
                            && range.start < header.end;
                        if let Some(frame) = found.frame(&mut classes).filter(|_| wanted) {
                            take(&frame)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

fn segment(scan: &Scan) -> SegmentFound {
    SegmentFound {
        name: scan.name.clone(),
        sequence: scan.header.sequence,
        bytes: scan.end - FRAMES_AT,
        frames: scan.frames,
        items: scan.items,
        positions: scan.positions.map(|(first, end)| first..end),
        bad_spots: scan.inside.len() + scan.trailing.len(),
    }
}

/// The write that was under way, in the last segment with frames or behind it.
fn torn(found: &Found) -> Option<Torn> {
    let mut last = found.scans.last().into_iter().chain(&found.behind);
    let scan = last.rfind(|scan| !scan.trailing.is_empty())?;
    let until = scan.trailing.last().map_or(scan.end, |spot| spot.at.end);
    let (segment, offset) = (scan.header.sequence, scan.end);
    Some(Torn { segment, offset, bytes: until - scan.end })
}

fn in_doubt(noted: &Noted) -> Vec<(String, Vec<Range<Position>>)> {
    let open = noted.iter().map(|(name, lane)| (name.clone(), lane.open.iter().collect()));
    open.filter(|(_, batches): &(_, Vec<_>)| !batches.is_empty()).collect()
}
