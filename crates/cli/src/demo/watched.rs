//! How does the first part run? One server, one load, and a neighbour for a while, watched.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use serde::Serialize;
use tempfile::TempDir;
use tidegate_load::{Ended, Summary};

use super::args::DemoArgs;
use super::child::Server;
use super::clock::Watch;
use super::error::DemoError;
use super::load::{self, Amount, Load};
use super::neighbour::{Done, Neighbour, Working};
use super::plan::{Phase, Plan};
use super::screen::Screen;
use super::setup::{self, Contender};
use super::stop::Stop;
use super::story::{Chapter, Story};
use super::watch::Watcher;

/// How often the server is asked.
const LOOK: Duration = Duration::from_millis(200);
/// What is shown of the database at the end.
pub(super) const EXAMPLE: &str =
    "SELECT severity_text, count(*) FROM events GROUP BY 1 ORDER BY 2 DESC";

/// What became of the first part.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Watched {
    /// Repeats the load.
    pub(super) seed: u64,
    /// From the first request to the last answer.
    pub(super) seconds: f64,
    /// Events whose acknowledgement the load received.
    pub(super) acknowledged: u64,
    /// Events that the server says it accepted.
    pub(super) accepted: u64,
    /// Events that the server says it delivered.
    pub(super) delivered: u64,
    /// Rows that are in the database.
    pub(super) rows: u64,
    /// How long after the load the last of them was delivered; null if not all were in time.
    pub(super) drained_seconds: Option<f64>,
    /// Changes of plan.
    pub(super) decisions: u64,
    /// Stretch by stretch.
    pub(super) chapters: Vec<Chapter>,
    /// What the neighbour did.
    pub(super) neighbour: Done,
    /// What [`EXAMPLE`] answered.
    #[serde(skip)]
    pub(super) example: Vec<String>,
}

/// A server with its data. The server goes first.
pub(super) struct Stage {
    pub(super) server: Server,
    pub(super) dir: TempDir,
}

impl Stage {
    /// A new server in a new directory.
    pub(super) fn set(args: &DemoArgs, contender: Contender) -> Result<Self, DemoError> {
        let parent = std::env::temp_dir();
        let dir = tempfile::Builder::new().prefix("tidegate-demo-").tempdir_in(&parent);
        let dir = dir.map_err(|source| DemoError::Directory { parent, source })?;
        let server = Server::start(dir.path(), &setup::yaml(args, contender))?;
        Ok(Self { server, dir })
    }
}

/// The neighbour through the part: not there yet, there, or gone.
enum Guest {
    Expected(Neighbour),
    There(Working),
    Gone(Done),
}

impl Guest {
    /// Lets it come or go as the phase wants it, and tells the story.
    fn follow(self, phase: Phase, at: Duration, story: &mut Story) -> Result<Self, DemoError> {
        match (self, phase) {
            (Self::Expected(neighbour), Phase::Neighbour) => {
                story.neighbour_came(at);
                Ok(Self::There(neighbour.begin()?))
            }
            (Self::There(working), Phase::After | Phase::Draining) => {
                let done = working.end()?;
                story.neighbour_left(at);
                Ok(Self::Gone(done))
            }
            (guest, _) => Ok(guest),
        }
    }
}

/// Runs it. The server is still up at the end, and has the data.
pub(super) fn run(
    args: &DemoArgs,
    plan: &Plan,
    stop: &Stop,
) -> Result<(Watched, Stage), DemoError> {
    let mut stage = Stage::set(args, Contender::asked(args))?;
    let watcher = Watcher::new(stage.server.url("/api/metrics"));
    let mut guest = Guest::Expected(Neighbour::prepare(&stage.server.database())?);
    let mut story = Story::new(plan, args, stage.server.url("/"));
    let mut screen = Screen::open(args.format)?;
    let amount = Amount::Events(plan.events);
    let load =
        Load::start(load::args(args, plan, amount, args.seed), stage.server.url("/v1/events"))?;
    let begin = Watch::start();
    let mut over = None;
    let drained = loop {
        let at = begin.elapsed();
        if load.is_over() {
            over.get_or_insert(at);
        }
        // The load may need longer than it was meant to, and the neighbour leaves on time.
        let phase = match (plan.phase(at), over) {
            (Phase::Draining, None) => Phase::After,
            (_, Some(_)) => Phase::Draining,
            (phase, None) => phase,
        };
        guest = guest.follow(phase, at, &mut story)?;
        // A server that has ended says why better than one that does not answer.
        let metrics = watcher.look().or_else(|error| stage.server.check().and(Err(error)))?;
        story.note(at, phase, metrics);
        screen.show(&story)?;
        if let Some(over) = over {
            let late = at.saturating_sub(over);
            if story.now.lane().backlog == 0 {
                break Some(late);
            }
            if late > plan.drain {
                break None;
            }
        }
        if screen.wait(stop, LOOK) {
            return Err(DemoError::Interrupted);
        }
        stage.server.check()?;
    };
    drop(screen);
    let summary = load.end()?;
    complete(&summary)?;
    let neighbour = match guest {
        Guest::Gone(done) => done,
        Guest::Expected(_) | Guest::There(_) => Done::default(),
    };
    let watched = told(&story, &summary, neighbour, drained, &stage.server.database())?;
    Ok((watched, stage))
}

/// Fails if the load did not do what it was meant to.
pub(super) fn complete(summary: &Summary) -> Result<(), DemoError> {
    match &summary.ended {
        Ended::Done | Ended::Interrupted => Ok(()),
        Ended::Unreachable { message } | Ended::Refused { message } => {
            Err(DemoError::LoadEnded(message.clone()))
        }
    }
}

fn told(
    story: &Story,
    summary: &Summary,
    neighbour: Done,
    drained: Option<Duration>,
    database: &Path,
) -> Result<Watched, DemoError> {
    let lane = story.now.lane();
    let db = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let rows: i64 = db.query_row("SELECT count(*) FROM events", [], |row| row.get(0))?;
    let mut example = db.prepare(EXAMPLE)?;
    let line = |row: &rusqlite::Row<'_>| {
        let severity: Option<String> = row.get(0)?;
        let count: i64 = row.get(1)?;
        Ok(format!("{}|{count}", severity.unwrap_or_default()))
    };
    let example = example.query_map([], line)?.collect::<Result<_, _>>()?;
    let phases = [Phase::Before, Phase::Neighbour, Phase::After, Phase::Draining];
    Ok(Watched {
        seed: summary.seed,
        seconds: summary.seconds,
        acknowledged: summary.events_acknowledged,
        accepted: story.now.ingest.accepted,
        delivered: lane.delivered,
        rows: rows.unsigned_abs(),
        drained_seconds: drained.map(|time| time.as_secs_f64()),
        decisions: lane.decisions_total,
        chapters: phases.into_iter().filter_map(|phase| story.chapter(phase)).collect(),
        neighbour,
        example,
    })
}
