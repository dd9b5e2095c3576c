//! The durable log of accepted items.
//!
//! A producer hands over one request: a few groups of items, as opaque rows. When its append
//! resolves, the request is durable as configured, its items have positions, and nothing that may
//! happen to the process or the machine takes them back. Lanes read the log in order, from memory
//! while they keep up and from disk when they do not, and say which positions are delivered; what
//! every lane has passed is freed.
//!
//! ```
//! use tidegate_journal::{ClassFilter, FileStorage, Group, Journal, LaneStart, Settings};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! let (journal, report) = Journal::open(FileStorage::open(dir.path())?, Settings::default())?;
//! assert_eq!((report.next, report.identity.epoch), (0, 1));
//!
//! let mut lane = journal.lane("sqlite", ClassFilter::all(), LaneStart::Oldest)?;
//! journal.begin_retention();
//! let group = Group { class: "".into(), items: 2, rows: "two rows".into() };
//! let positions = journal.append(vec![group])?.await?;
//! assert_eq!(positions, 0..2);
//!
//! let frames = lane.next(1 << 20).await?;
//! assert_eq!(frames[0].groups[0].rows, "two rows");
//! lane.cursor().delivered(positions)?;
//! assert_eq!(lane.cursor().low_water(), 2);
//! journal.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//! - With [`Durability::Fsync`] an acknowledged request survives the end of the process and of
//!   the machine; readers never see anything that could still be lost.
//! - A position names one item for ever: it is never given to another, whatever was lost.
//! - An intact frame is never cut off: a write that was under way when the journal stopped is, and
//!   damage elsewhere costs the damaged frame alone, and is reported.
//! - After a failed sync nothing more is accepted until the journal is opened again.
//! - Memory and disk are bounded by [`Settings`]; at the bound appends are refused at once.
//!
//! # Where to find what
//! | question | module |
//! |---|---|
//! | How is a journal opened, appended to and closed? | `journal` |
//! | What is on the disk, byte by byte? | `format` (`frame`, `segment`, `meta`, `cursors`, `notes`, `keys`) |
//! | What is asked of a disk, so that a model can stand in for it? | [`Storage`], `storage` |
//! | How do many producers hand over to one writer? | `queue` |
//! | How do waiting requests become durable? | `writer` |
//! | Where does the next segment come from? | `pool` |
//! | Where is a position? | `segments` |
//! | Which frames does a reader get, from memory or from disk? | `reader`, `tail`, `backlog` |
//! | What has a lane delivered, and which lanes are there? | `lane`, `lanes`, `cursor`, [`RangeSet`] |
//! | Which batches were attempted, when the sink keeps no record? | `notes` |
//! | Has this request been accepted before? | `keys` |
//! | What is different with durability `memory`? | `memory` |
//! | Who makes segments, frees them, and notes cursors? | `keeper` |
//! | What does a journal hold that nobody runs, and how is it mended? | [`AtRest`], `rest` |
//! | How does it go on after a crash? | `recovery`, `found`, `scan`, `heal`, `walk`; report: [`Recovery`] |

mod append;
mod backlog;
mod clock;
mod cursor;
mod error;
mod format;
mod found;
mod frame;
mod heal;
mod journal;
mod keeper;
mod keys;
mod lane;
mod lanes;
mod memory;
mod notes;
mod pool;
mod queue;
mod random;
mod ranges;
mod reader;
mod recovery;
mod report;
mod rest;
mod scan;
mod segments;
mod settings;
mod shared;
mod stats;
mod storage;
mod tail;
mod walk;
mod writer;

pub use append::Append;
pub use error::{Advice, AppendError, LaneError, OpenError, ReadError, UnknownPositions};
pub use frame::{Frame, FrameGroup, Group};
pub use journal::{CloseError, Journal};
pub use keys::{Claim, Claimed, RequestKey};
pub use lane::{Lane, LaneCursor};
pub use lanes::{ClassFilter, LaneStart};
pub use notes::{BatchNotes, NoteError};
pub use ranges::RangeSet;
pub use reader::LaneReader;
pub use report::{
    Cause, CursorsFound, Identity, KeysFound, Missing, RecoveredLane, Recovery, Torn,
};
pub use rest::{AtRest, Condition, Repair, SegmentFound};
pub use settings::{Durability, Settings, SettingsError};
pub use stats::{LaneStats, Latencies, Stats};
pub use storage::{FileStorage, Storage, StorageFile};
