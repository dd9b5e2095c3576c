//! What did opening a journal find? A report for the log and the operator.

use std::ops::Range;

use tidegate_event::{JournalId, Position};

/// Who a journal is, and which of its lives this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Drawn once, when the journal is created (with durability `memory`: at each opening).
    pub id: JournalId,
    /// 1 at the first opening and one more at each; durable before the opening returns. Of two
    /// copies of one directory, the one with the lower epoch is the older.
    pub epoch: u64,
}

/// What opening a journal found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Who it is.
    pub identity: Identity,
    /// Whether the journal is new.
    pub created: bool,
    /// Whether it was closed in order the last time.
    pub closed_in_order: bool,
    /// Segments that hold frames.
    pub segments: usize,
    /// Intact frames.
    pub frames: u64,
    /// Items in them.
    pub items: u64,
    /// The oldest position kept.
    pub first: Position,
    /// The position the next item gets.
    pub next: Position,
    /// An unfinished frame stood at the end: the write that was under way when the journal
    /// stopped. With `fsync` nothing of it was acknowledged.
    pub torn: Option<Torn>,
    /// Positions below `next` that will never have an item, because they may have been used by
    /// one that is lost, or set aside.
    pub skipped: Option<Range<Position>>,
    /// What cannot be read any more. Lanes pass these positions.
    pub missing: Vec<Missing>,
    /// Files that are no usable segments and were renamed to `*.bad`.
    pub set_aside: Vec<String>,
    /// What the cursors file held.
    pub cursors: CursorsFound,
    /// Which request keys are remembered.
    pub keys: KeysFound,
    /// With durability `memory`: segments of a durable journal in the same place, which are left
    /// alone and not delivered.
    pub ignored_segments: usize,
}

/// An unfinished frame at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// Sequence number of the segment.
    pub segment: u64,
    /// Where the last intact frame ends; everything behind was zeroed.
    pub offset: u64,
    /// Bytes zeroed. In a file that was used before they include what that use left.
    pub bytes: u64,
}

/// Positions that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Which ones; empty if the damage hit none, or nobody can tell.
    pub positions: Range<Position>,
    /// Sequence number of the segment.
    pub segment: u64,
    /// Where in it.
    pub offset: u64,
    /// Why.
    pub cause: Cause,
}

/// Why positions cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// What a frame holds is not what was written. Acknowledged items are lost.
    Body,
    /// No frame can be recognized. Acknowledged items are lost.
    Unreadable,
    /// The journal was closed in order at a position that its segments do not reach.
    EndLost,
    /// It belongs to the commit that was under way when the journal stopped, and was most likely
    /// never acknowledged.
    Unfinished,
}

/// Which request keys are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeysFound {
    /// How many, whatever their age.
    pub known: usize,
    /// Whether the file with the keys of delivered requests was not readable: those are forgotten.
    pub lost: bool,
}

/// What the cursors file held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CursorsFound {
    /// There was none: lanes begin at the oldest position.
    Absent,
    /// It was not readable: lanes begin at the oldest position.
    Broken,
    /// Cursors of these lanes.
    Lanes(Vec<RecoveredLane>),
}

/// A lane in the cursors file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveredLane {
    /// Its name.
    pub name: String,
    /// Everything below is delivered.
    pub low_water: Position,
    /// How many separate ranges above are delivered.
    pub ranges: usize,
}
