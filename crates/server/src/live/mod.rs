//! What does a person see who watches? The same few answers for the pages, for `tidegate top` and
//! for anybody's own program.
//!
//! Everything that is shown is a type of [`contract`], written once: the server serializes it,
//! `tidegate top` reads it back, [`openapi()`] describes it, and the pages' types are generated from
//! that description.

pub mod contract;
mod openapi;

pub use openapi::openapi;
