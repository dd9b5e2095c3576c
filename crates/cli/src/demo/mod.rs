//! What would tidegate do here, on this machine, in one minute?
//!
//! The demo runs the main job for real: a server as a process of its own, load over HTTP, a
//! SQLite database, and a neighbour that wants the same database for a while. First it is watched,
//! then the same load is put on fixed batch sizes in the same sitting. What it concludes is
//! computed from what it measured; nothing it says is known beforehand.
//!
//! | question | module |
//! |---|---|
//! | What was asked? | `args` |
//! | What happens when? | `plan` |
//! | How is the server configured? | `setup` |
//! | How does a server run beside us, and surely end? | `child` |
//! | Who else wants the database? | `neighbour` |
//! | Where does the load come from? | `load` |
//! | How does the first part run? | `watched` |
//! | What does the server say? | `watch` |
//! | What has happened so far? | `story`, and `slots` for its charts |
//! | How does that look? | `view`, `chart` and `caption` on a terminal, `plain` elsewhere, `screen` decides |
//! | How do fixed sizes fare? | `compare`, `table`, `verdict` |
//! | What is told at the end? | `report` |
//! | And without a database? | `simulated`: the library against a simulated backend |

mod args;
mod caption;
mod chart;
mod child;
mod clock;
mod compare;
mod error;
mod load;
mod neighbour;
mod plain;
mod plan;
mod report;
mod run;
mod screen;
mod setup;
mod simulated;
mod slots;
mod stop;
mod story;
mod table;
mod verdict;
mod view;
mod watch;
mod watched;
mod words;

pub(crate) use args::DemoArgs;
pub(crate) use error::DemoError;
pub(crate) use run::run;
