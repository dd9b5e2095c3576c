//! Does a controller find the best plan? Virtual time answers in seconds what a database answers
//! in hours.
pub mod agenda;
pub mod arrivals;
pub mod backend;
pub mod lane;
pub mod record;
pub mod rng;
pub mod run;
pub mod scenario;

pub use run::{Run, run};
pub use scenario::{Scenario, ScenarioError};
