//! What does the live API say? Data without behaviour, with units in the names.
//!
//! | question | types |
//! |---|---|
//! | What is there, and how does it stand? | [`Snapshot`] |
//! | What happened in the last quarter of a second? | [`Tick`] |
//! | What became of the stream? | [`Gap`], [`Bye`] |
//! | How was it in the last hour? | [`History`] |
//! | Who decided what, and why? | [`Decision`], [`DecisionPage`] |
//! | How does latency follow the batch size? | [`Curve`] |
//! | What is set, and by whom? | [`Settings`] |
//! | What was given up? | [`LetterPage`], [`Letter`] |
//! | Who would fare better? | [`SimulatorCatalogue`], [`SimulatorRun`] |
//! | What went wrong with a request? | [`Failure`] |
//!
//! A field that is `null` is not known, or there is none; what is counted only grows and begins at
//! zero with the server.

mod curve;
mod decision;
mod failure;
mod history;
mod letters;
mod plan;
mod resources;
mod settings;
mod simulator;
mod snapshot;
mod stream;
mod tick;

pub use curve::{AttemptPoint, Curve, CurveBin, Gain, Learnt, LoadScore, LoadScorePart};
pub use decision::{Decision, DecisionPage};
pub use failure::{Failure, FailureBody};
pub use history::{History, Series};
pub use letters::{Letter, LetterGroup, LetterPage, LetterSummary, Purged, RetryReport};
pub use plan::{Plan, PlanBounds};
pub use resources::{DiskUse, Level, NetworkUse, Resources, Usage};
pub use settings::{Origin, Setting, Settings};
pub use simulator::{
    RaceDecision, RaceRequest, RaceResult, RaceRunner, RaceState, RaceTimeline, SimulatorCatalogue,
    SimulatorLimits, SimulatorRun, SimulatorScenario,
};
pub use snapshot::{LaneFacts, ServerFacts, SinkFacts, Snapshot};
pub use stream::{Bye, ByeReason, Gap, GapReason};
pub use tick::{
    BreakerState, Ingest, Journal, LaneState, LaneTick, LetterTotals, Percentiles, SinkTick, Tick,
    Totals, Transition,
};
