//! Which frames does a lane get next, and from where?
//!
//! From memory as long as the reader keeps up, from disk when it does not, and back. What is
//! awaited is only the next durable position or one read from disk, and the reader's place moves
//! only after that, so a dropped future loses nothing.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tidegate_event::Position;
use tokio::sync::watch;

use crate::backlog::{Behind, read_behind};
use crate::error::ReadError;
use crate::frame::Frame;
use crate::lane::LaneCursor;
use crate::segments::Hint;
use crate::shared::{Progress, lock};
use crate::tail::TailRead;
use crate::walk::Classes;

/// Reads a lane's frames, in order.
pub struct LaneReader {
    cursor: LaneCursor,
    /// The next position to look at.
    place: Position,
    hint: Option<Hint>,
    /// Read from disk and not handed out yet.
    ready: VecDeque<Arc<Frame>>,
    progress: watch::Receiver<Progress>,
    classes: Classes,
    /// Where to return also with nothing.
    call_at: Option<Position>,
}

impl std::fmt::Debug for LaneReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LaneReader").field("place", &self.place).finish_non_exhaustive()
    }
}

impl LaneReader {
    /// A reader that begins at the lane's low-water mark.
    pub(crate) fn new(cursor: LaneCursor) -> Self {
        let place = cursor.low_water();
        let progress = cursor.shared.progress.subscribe();
        let (hint, ready, classes) = (None, VecDeque::new(), Classes::default());
        Self { cursor, place, hint, ready, progress, classes, call_at: None }
    }

    /// The next frames, about `bytes_max` bytes of them but at least one; waits for the first.
    ///
    /// They come from memory if they are there, else from disk, in steps of about a mebibyte. Each
    /// has only the groups this lane wants and has not delivered yet; a group delivered in part is
    /// whole (see [`LaneCursor::undelivered_in`]). Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`ReadError::Io`] if a segment cannot be read; the next call tries again.
    /// [`ReadError::Failed`] when a failed journal's durable frames are read, and
    /// [`ReadError::Closed`].
    pub async fn next(&mut self, bytes_max: usize) -> Result<Vec<Arc<Frame>>, ReadError> {
        loop {
            let progress = self.progress.borrow_and_update().clone();
            if progress.closed.is_some() {
                return Err(ReadError::Closed);
            }
            if !self.ready.is_empty() {
                return Ok(self.take_ready(bytes_max));
            }
            if self.call_at.take_if(|at| *at <= self.place).is_some() {
                return Ok(Vec::new());
            }
            let fresh = lock(&self.cursor.shared.tail).read(self.place, bytes_max);
            match fresh {
                TailRead::Frames(frames) => {
                    let wanted = self.admit(frames);
                    if !wanted.is_empty() {
                        return Ok(wanted);
                    }
                }
                TailRead::Behind => {
                    let behind = self.read_behind().await?;
                    let wanted = self.admit(behind.frames);
                    self.ready.extend(wanted);
                    self.hint = behind.hint;
                    self.pass_to(behind.place);
                }
                TailRead::Empty => {
                    if let Some(detail) = progress.failed {
                        return Err(ReadError::Failed { detail });
                    }
                    // What was published since `borrow_and_update` ends the wait at once.
                    self.progress.changed().await.map_err(|_| ReadError::Closed)?;
                }
            }
        }
    }

    /// Lets [`next`](Self::next) return once, without a frame if it must be, when everything below
    /// `position` is read: what a caller waits for there may be nothing it gets.
    pub fn call_at(&mut self, position: Position) {
        self.call_at = Some(position);
    }

    /// Reads on from `position`, in either direction. Below the low-water mark there may be
    /// nothing any more.
    pub fn seek(&mut self, position: Position) {
        self.ready.clear();
        self.hint = None;
        self.place = position;
        self.cursor.state.read.store(position, Ordering::Release);
    }

    /// The next position this reader looks at.
    #[must_use]
    pub fn place(&self) -> Position {
        self.ready.front().map_or(self.place, |frame| frame.first)
    }

    /// Goes to the disk, on a thread that may block if there is a runtime.
    async fn read_behind(&mut self) -> Result<Behind, ReadError> {
        let shared = Arc::clone(&self.cursor.shared);
        let (place, hint) = (self.place, self.hint);
        let mut classes = std::mem::take(&mut self.classes);
        let read = move || {
            let behind = read_behind(&shared, place, hint, &mut classes);
            (behind, classes)
        };
        let (behind, classes) = match tokio::runtime::Handle::try_current() {
            Ok(runtime) => runtime.spawn_blocking(read).await.map_err(|_| ReadError::Closed)?,
            Err(_) => read(),
        };
        self.classes = classes;
        behind
    }

    fn take_ready(&mut self, bytes_max: usize) -> Vec<Arc<Frame>> {
        let mut bytes = 0;
        let mut taken = Vec::new();
        while let Some(frame) = self.ready.front() {
            bytes += frame.weight();
            if !taken.is_empty() && bytes > bytes_max {
                break;
            }
            taken.extend(self.ready.pop_front());
        }
        taken
    }

    /// Moves past these frames, and keeps what the lane wants of them. What it does not want, and
    /// positions that have no frame, count as passed.
    fn admit(&mut self, frames: Vec<Arc<Frame>>) -> Vec<Arc<Frame>> {
        let mut wanted = Vec::with_capacity(frames.len());
        let mut passed: Vec<Range<Position>> = Vec::new();
        let mut pass = |range: Range<Position>| match passed.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ if range.is_empty() => {}
            _ => passed.push(range),
        };
        let mut place = self.place;
        let state = Arc::clone(&self.cursor.state);
        let cursor = lock(&state.cursor).clone();
        for frame in frames {
            let from = std::mem::replace(&mut place, frame.end);
            pass(from..frame.first);
            let wants = |class: &str, range: &Range<Position>| {
                state.filter.wants(class) && range.end > from && !cursor.is_delivered(range)
            };
            let mut all = true;
            for group in &frame.groups {
                let positions = group.positions();
                all &= wants(&group.class, &positions);
                if !state.filter.wants(&group.class) {
                    pass(positions);
                }
            }
            if all {
                wanted.push(frame);
                continue;
            }
            let mut part = Frame::clone(&frame);
            part.groups.retain(|group| wants(&group.class, &group.positions()));
            if !part.groups.is_empty() {
                wanted.push(Arc::new(part));
            }
        }
        if !passed.is_empty() {
            self.cursor.pass(passed.into_iter());
        }
        self.move_to(place);
        wanted
    }

    /// Moves to `place`, up to which there is nothing more: positions that a crash took, with no
    /// frame behind them yet, or damage at the end. Not passed, they would keep their segment and
    /// all later ones for as long as this reader lives.
    fn pass_to(&mut self, place: Position) {
        if place > self.place {
            self.cursor.pass(std::iter::once(self.place..place));
            self.move_to(place);
        }
    }

    fn move_to(&mut self, place: Position) {
        if place > self.place {
            self.place = place;
            self.cursor.state.read.store(place, Ordering::Release);
        }
    }
}

impl Drop for LaneReader {
    fn drop(&mut self) {
        // Memory is not kept for a reader that is gone; the disk is.
        self.cursor.state.read.store(Position::MAX, Ordering::Release);
        self.cursor.state.has_reader.store(false, Ordering::Release);
    }
}
