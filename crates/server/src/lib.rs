//! Sources, lanes, configuration, HTTP API and telemetry around the journal and the sinks.
//!
//! | question | module |
//! |---|---|
//! | How do the parts become a server, and how does it end? | [`app`] |
//! | What can be set? | [`config`] |
//! | What becomes of an item that is given up? | `dead_letters` |
//! | What does the server answer over HTTP? | `http` |
//! | How does an event get from the journal to its sink? | `lane` |
//! | What does a person see who watches? | [`live`] |
//! | Which events does a sink get, and in which form? | `route` |
//! | What if another controller had the backend? | [`simulator`] |
//! | How does the server tell what it is doing? | [`telemetry`] |

pub mod app;
mod clock;
pub mod config;
mod dead_letters;
mod http;
mod lane;
pub mod live;
mod recording;
mod route;
pub mod simulator;
mod status;
pub mod telemetry;

pub use app::{Addresses, Extras, RunError, Server, StartError};
pub use dead_letters::event_line;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub use http::fuzz;
pub use http::tls::TlsError;
