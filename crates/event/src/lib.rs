//! What an event is: its fields, its name, and the compact row it travels as.
//!
//! An event is parsed once, at the door, into a [row](rows) that the journal stores and every
//! sink reads without parsing anything again. The fields are those of the OpenTelemetry log data
//! model, so that whatever arrives, NDJSON or OTLP, has one shape from there on.
//!
//! | question | module |
//! |---|---|
//! | Which fields has an event? | [`event`] |
//! | What names an event for ever? | [`name`] |
//! | How is an event stored between the door and the sink? | [`rows`] |
//! | How does the body of a request become events? | [`json`] |
//! | How does an OpenTelemetry export become events? | [`otlp`] |
//! | How does the text of an attributes object come about? | [`attributes`] |
//! | Which members has an attributes object? | [`members`] |
//! | When did it happen, if the producer says so in text? | [`timestamp`] |
//! | How severe is it, on OpenTelemetry's scale? | [`severity`] |
//! | Which characters would a sink refuse? | [`scrub`] |

pub mod attributes;
pub mod event;
pub mod json;
pub mod members;
pub mod name;
pub mod otlp;
pub mod rows;
pub mod scrub;
pub mod severity;
mod special;
pub mod timestamp;

pub use attributes::Attributes;
pub use event::{Body, Event};
pub use name::{JournalId, Position};
pub use rows::{EncodeError, RowView, RowViews, Rows, RowsIter};
