//! What if another controller had the backend? A simulator answers, if the server is given one.
//!
//! The server knows no simulator: the command has one, and hands it over behind a trait, so that the
//! server's crate stays as small as what it does. What the server adds is the bound on it: one race
//! at a time, on one thread, so many seeds and seconds, and it can be cancelled.

mod races;

use std::fmt::Debug;

pub(crate) use races::{RaceRefused, Races};

use crate::live::contract::{RaceRequest, RaceResult, SimulatorScenario};

/// Races controllers in virtual time.
pub trait Simulator: Debug + Send + Sync {
    /// What can be simulated.
    fn scenarios(&self) -> Vec<SimulatorScenario>;

    /// Who can compete, by name.
    fn controllers(&self) -> Vec<String>;

    /// The library's default controller.
    fn default_controller(&self) -> String;

    /// Runs a race on the calling thread, and asks `watch` often whether to go on. The request has
    /// known names, each once, and at least one seed.
    ///
    /// # Errors
    ///
    /// [`RaceError`] when it was told to stop, or could not be run.
    fn race(&self, request: &RaceRequest, watch: &dyn RaceWatch) -> Result<RaceResult, RaceError>;
}

/// Who waits for a race.
pub trait RaceWatch {
    /// Hears how far it is, 0 to 1, and what is being done; says whether to go on.
    fn goes_on(&self, progress: f64, stage: &str) -> bool;
}

/// A race without a result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RaceError {
    /// It was told to stop.
    #[error("the race was stopped")]
    Stopped,
    /// It could not be run.
    #[error("the race cannot be run: {0}")]
    Failed(String),
}
