//! What can be asked of the simulator? The flags of `tidegate simulate`, as they were typed; what
//! they mean, and which bounds they keep, is decided in `question`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// The flags of `tidegate simulate`.
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Scenario files (YAML or JSON; see --schema); without any and without --suite, the canonical
    /// suite
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Scenarios that ship: canonical, source, sharers, classes, measured, random, claims, or all (but
    /// the claims)
    #[arg(long, value_name = "SUITE")]
    pub(crate) suite: Option<String>,
    /// Only these scenarios of the suite
    #[arg(long, value_name = "NAME", num_args = 1.., value_delimiter = ',')]
    pub(crate) scenario: Vec<String>,
    /// What was recorded: arrivals of a server, which become the source, or attempts of a real
    /// backend, which become the backend; of pgA, or of the scenarios that are named
    #[arg(long, value_name = "FILE")]
    pub(crate) replay: Option<PathBuf>,
    /// Who is to find the plan; several, all, or machines (joint, and joint without each of its
    /// machines) [default: the one that the server uses by default]
    #[arg(long, value_name = "NAME", num_args = 1.., value_delimiter = ',')]
    pub(crate) controller: Vec<String>,
    /// Runs of each scenario and controller, 1 to 10000
    #[arg(long, value_name = "N", default_value = "20", allow_hyphen_values = true)]
    pub(crate) seeds: String,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Also write a report, one HTML page that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Also print every decision of one run: when, who, from what to what, and why
    #[arg(long, value_name = "WHICH", num_args = 0..=1, require_equals = true,
          default_missing_value = "typical")]
    pub(crate) timeline: Option<Which>,
    /// Another random suite, 0 to 1000000000; 0 is the one that tuning may have looked at
    #[arg(long, value_name = "S", default_value = "0", allow_hyphen_values = true)]
    pub(crate) random_seed: String,
    /// How many random backends, 1 to 1000
    #[arg(long, value_name = "N", default_value = "24", allow_hyphen_values = true)]
    pub(crate) random_count: String,
    /// Where oracles are kept that were searched [default: tidegate/oracles in the user's cache]
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Search every oracle anew, whatever is known
    #[arg(long, conflicts_with = "cache")]
    pub(crate) search: bool,
    /// Threads, 1 to 1024 [default: one a core]; the result is the same with any number
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) threads: Option<String>,
    /// No progress on standard error
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Say which suites, scenarios and controllers there are
    #[arg(long, exclusive = true)]
    pub(crate) list: bool,
    /// Print the JSON Schema of scenario files
    #[arg(long, exclusive = true)]
    pub(crate) schema: bool,
}

/// The run that `--timeline` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    /// The one in the middle by steady goodput.
    Typical,
    /// The controller's own worst.
    Worst,
}

/// How the result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people, as Markdown.
    #[default]
    Table,
    /// For people, as Markdown: who leads in each group, a line a controller.
    League,
    /// An array of objects, one a scenario and controller.
    Json,
}
