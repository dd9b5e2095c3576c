//! Sources, lanes, configuration, HTTP API and telemetry around the journal and the sinks.
//!
//! | question | module |
//! |---|---|
//! | How do the parts become a server, and how does it end? | [`app`] |
//! | What can be set? | [`config`] |
//! | What becomes of an item that is given up? | `dead_letters` |
//! | What does the server answer over HTTP? | `http` |
//! | How does an event get from the journal to its sink? | `lane` |
//! | Which events does a sink get, and in which form? | `route` |
//! | How does the server tell what it is doing? | [`telemetry`] |

pub mod app;
mod clock;
pub mod config;
mod dead_letters;
mod http;
mod lane;
mod recording;
mod route;
mod status;
pub mod telemetry;

pub use app::{RunError, Server, StartError};
pub use http::tls::TlsError;
