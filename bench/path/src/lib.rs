//! What does an event cost between the body of a request and the sink?
//!
//! Each [`Case`] is a piece of that way, run with the server's own parts on one thread, without
//! sockets and without a clock: so what it does is the same in every run, and can be counted. A
//! piece includes what comes before it.

mod body;

use std::error::Error;
use std::sync::Arc;

use tidegate_event::json::{Format, Options, Parser};
use tidegate_event::{JournalId, Rows};
use tidegate_journal::{
    ClassFilter, Durability, FileStorage, Group, Journal, LaneCursor, LaneReader, LaneStart,
    Settings,
};
use tidegate_sinks::json::{Encoder, Layout};
use tidegate_sinks::{Batch, Slice};

pub use body::{EVENTS, body};

/// A piece of the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// A body becomes rows.
    Parse,
    /// … which go through the journal, without durability, to a lane and its cursor.
    HandOver,
    /// … and are encoded as a sink that speaks JSON does it.
    Encode,
}

impl Case {
    /// All of them, with their names.
    pub const ALL: [(&str, Self); 3] =
        [("parse", Self::Parse), ("hand-over", Self::HandOver), ("encode", Self::Encode)];

    /// The case of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, case)| *case)
    }
}

/// The way, ready for requests.
pub struct Path {
    case: Case,
    parser: Parser,
    journal: Journal,
    reader: LaneReader,
    cursor: LaneCursor,
    encoder: Encoder,
    out: String,
    class: Arc<str>,
    /// The journal's lock lies here.
    _dir: tempfile::TempDir,
}

impl Path {
    /// A way as far as the case goes.
    ///
    /// # Errors
    ///
    /// What the journal says, and the system.
    pub fn new(case: Case) -> Result<Self, Box<dyn Error>> {
        let dir = tempfile::tempdir()?;
        let settings = Settings { durability: Durability::Memory, ..Settings::default() };
        let (journal, _) = Journal::open(FileStorage::open(dir.path())?, settings)?;
        let lane = journal.lane("lane", ClassFilter::all(), LaneStart::Newest)?;
        let (reader, cursor) = lane.split();
        journal.begin_retention();
        let encoder = Encoder::new(Layout::Ndjson, "_id");
        let (parser, out, class) = (Parser::default(), String::new(), "".into());
        Ok(Self { case, parser, journal, reader, cursor, encoder, out, class, _dir: dir })
    }

    /// One request takes the way; says how many events it had.
    ///
    /// # Errors
    ///
    /// What the parts say: none is expected.
    pub async fn request(&mut self, body: &[u8]) -> Result<u64, Box<dyn Error>> {
        let options = Options { observed: 1_700_000_000_000_000_000, ..Options::default() };
        let parsed = self.parser.parse(body, Format::Ndjson, &options)?;
        let accepted = parsed.accepted;
        if self.case == Case::Parse {
            std::hint::black_box(&parsed);
            return Ok(accepted);
        }
        let groups = parsed.groups.into_iter().map(|group| Group {
            class: Arc::clone(&self.class),
            items: group.count,
            rows: group.rows.into(),
        });
        let appended = self.journal.append(groups.collect())?.await?;
        let frames = self.reader.next(1 << 20).await?;
        if self.case == Case::Encode {
            let slices = frames.iter().flat_map(|frame| &frame.groups).map(|group| Slice {
                first: group.first,
                rows: Rows::new(group.rows.clone(), group.items),
            });
            let (lane, slices) = (Arc::clone(&self.class), slices.collect());
            let batch = Batch { lane, range: appended.clone(), slices };
            self.out.clear();
            self.encoder.encode(JournalId::from_u128(1), &batch, &mut self.out)?;
        }
        std::hint::black_box((&frames, &self.out));
        self.cursor.delivered(appended)?;
        Ok(accepted)
    }
}
