//! Why does a simulation not begin, or not come to its end?

use std::path::PathBuf;

use tidegate_sim::scenario::ScenarioError;
use tidegate_sim::suite::SuiteError;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SimulateError {
    /// A number that is none, or out of its bounds.
    #[error("{flag} is {value}, but must be a whole number between {least} and {most}")]
    Number {
        /// The flag.
        flag: &'static str,
        /// What was typed.
        value: String,
        /// The least that is allowed.
        least: u64,
        /// The most that is allowed.
        most: u64,
    },
    /// A name that nobody has.
    #[error("{flag} is {value}, but must be one of {known}{meant}")]
    Name {
        /// The flag.
        flag: &'static str,
        /// What was typed.
        value: String,
        /// The names there are.
        known: String,
        /// The nearest of them, as a question; or nothing.
        meant: String,
    },
    /// A file that cannot be read.
    #[error("cannot read the scenario {}: {source}; give the path of a YAML file, or a --suite of {known}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
        /// The suites there are.
        known: String,
    },
    /// A file that is no scenario.
    #[error("{}: {why}; `tidegate simulate --schema` says what a scenario is made of", path.display())]
    Scenario {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        why: ScenarioError,
    },
    /// A recording that cannot be read.
    #[error("cannot read the recording {}: {source}; give the path of a file that `recording.arrivals` or `recording.attempts` named", path.display())]
    Recording {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is no recording.
    #[error("{}: {why}; a recording of arrivals begins with `{}`, a trace of attempts with `# version=1`", path.display(), tidegate::recording::FORMAT)]
    Replay {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        why: ScenarioError,
    },
    /// Two scenarios of one name.
    #[error("two scenarios have the name {name}; give one of them another `name`")]
    Twice {
        /// The name.
        name: String,
    },
    /// The suite was refused.
    #[error(transparent)]
    Suite(#[from] SuiteError),
    /// A shipped scenario is wrong.
    #[error("a scenario that ships is wrong: {0}")]
    Shipped(ScenarioError),
    /// The report cannot be written.
    #[error("cannot write the report {}: {source}; give the path of a file in a directory that exists", path.display())]
    Report {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl SimulateError {
    /// Whether what was given has to change before another try makes sense.
    pub(crate) const fn is_input(&self) -> bool {
        !matches!(self, Self::Shipped(_))
    }
}
