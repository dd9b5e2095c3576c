//! What can be asked of the demo? Its flags.

use std::time::Duration;

use clap::ValueEnum;
use tidegate_load::{Format, Pattern, units};

/// The flags of `tidegate demo`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DemoArgs {
    /// Who takes the batches: a real SQLite with a neighbour, or a backend of the simulator in real
    /// time, which needs neither server nor disk
    #[arg(long, value_enum, default_value_t)]
    pub(super) backend: Backend,
    /// What the simulated backend is busy with besides our batches [default: spikes]
    #[arg(long, value_enum)]
    pub(super) backend_pattern: Option<BackendPattern>,
    /// Events of the first part in all, such as 500k [default: 25 seconds of --rate]
    #[arg(long, value_name = "N", value_parser = units::count)]
    pub(super) events: Option<u64>,
    /// Events a second in the mean [default: 100k]
    #[arg(long, value_name = "R", value_parser = units::rate)]
    pub(super) rate: Option<f64>,
    /// How the rate moves around its mean
    #[arg(long, value_enum, default_value_t)]
    pub(super) pattern: Pattern,
    /// Connections that send
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub(super) workers: usize,
    /// Batch size to begin with
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(super) initial_batch: u32,
    /// Least batch size
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) min_batch: u32,
    /// Largest batch size
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub(super) max_batch: u32,
    /// How long the oldest event may wait for company while an attempt could leave
    #[arg(long, value_name = "TIME", default_value = "0ms", value_parser = units::span)]
    pub(super) linger: Duration,
    /// Attempt latency that a batch should stay under
    #[arg(long, value_name = "TIME", default_value = "50ms", value_parser = units::span)]
    pub(super) target: Duration,
    /// Who finds the batch size
    #[arg(long, value_enum, default_value_t)]
    pub(super) controller: Controller,
    /// Time between two looks at the load, with --controller load_score
    #[arg(long, value_name = "TIME", value_parser = units::span)]
    pub(super) adjust_interval: Option<Duration>,
    /// Share by which the size grows or shrinks, with --controller load_score
    #[arg(long, value_name = "F")]
    pub(super) adjust_factor: Option<f64>,
    /// Makes events and bursts repeatable [default: random]
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Leave the server and its data up until Ctrl-C, and the directory behind
    #[arg(long)]
    pub(super) keep: bool,
    /// No comparison with fixed sizes
    #[arg(long)]
    pub(super) no_compare: bool,
    /// A few seconds in all, whose figures mean little
    #[arg(long)]
    pub(super) quick: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

/// Who takes the batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Backend {
    /// A real database behind a real server
    #[default]
    Sqlite,
    /// A backend of the simulator, in real time
    Simulated,
}

/// What the simulated backend is busy with besides our batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum BackendPattern {
    /// A third of its capacity, always
    Constant,
    /// From a twentieth to three quarters and back, in waves
    Sine,
    /// Four fifths for a while, again and again
    #[default]
    Spikes,
    /// From nothing to three quarters
    Gradual,
}

/// Who finds the batch size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum Controller {
    /// By what full batches take and deliver: the server's default
    #[default]
    Joint,
    /// Steps up while full batches meet the target, a tenth down when not
    Aimd,
    /// By the load of the backend and the host
    LoadScore,
    /// Keeps the initial size
    Fixed,
}

impl Controller {
    /// Its name in a configuration.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Joint => "joint",
            Self::Aimd => "aimd",
            Self::LoadScore => "load_score",
            Self::Fixed => "fixed",
        }
    }
}
