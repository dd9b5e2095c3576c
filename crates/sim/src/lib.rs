//! Does a controller find the best plan? Virtual time answers in seconds what a database answers
//! in hours.
pub mod agenda;
pub mod arrivals;
pub mod backend;
pub mod contender;
pub mod lane;
pub mod oracle;
pub mod record;
pub mod rng;
mod row;
pub mod run;
pub mod scenario;
pub mod suite;
pub mod table;

pub use run::{Run, run};
pub use scenario::{Scenario, ScenarioError};
