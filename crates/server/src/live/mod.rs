//! What does a person see who watches? The same few answers for the pages, for `tidegate top` and
//! for anybody's own program.
//!
//! Everything that is shown is a type of [`contract`], written once: the server serializes it,
//! `tidegate top` reads it back, [`openapi()`] describes it, and the pages' types are generated from
//! that description.
//!
//! | question | module |
//! |---|---|
//! | What is said, and what does it mean? | [`contract`], [`openapi()`] |
//! | Who makes it, and who gets it? | `hub` |
//! | What is in a tick? | `maker`, `translate`; what does not change: `facts` |
//! | Which ticks can one still have who was away? | `ring` |
//! | How was it in the last hour? | `past`, `series` |
//! | What is it doing, as a sentence? | `say`, `words` |
//! | Who decided what? | `decided` |
//! | What has a lane learnt? | `learning` |
//! | What is set? | `set` |
//! | What must not be shown? | `mask` |

pub mod contract;
pub(crate) mod decided;
mod facts;
pub(crate) mod hub;
pub(crate) mod learning;
mod maker;
pub(crate) mod mask;
mod openapi;
mod past;
mod ring;
mod say;
mod series;
pub(crate) mod set;
mod translate;
mod words;

use std::sync::Arc;

use tidegate_journal::Journal;

pub(crate) use hub::Hub;
pub use openapi::openapi;

use crate::clock::Clock;
use crate::config::Config;
use crate::lane::outage::Outage;
use crate::lane::shared::Shared as Lane;
use contract::Settings;
use facts::Facts;

/// What the hub is told of a server that begins.
pub(crate) struct Beginning<'a> {
    pub(crate) config: &'a Config,
    pub(crate) settings: Settings,
    /// Names this run.
    pub(crate) run: u64,
    pub(crate) has_simulator: bool,
    pub(crate) clock: Clock,
    pub(crate) journal: &'a Journal,
    pub(crate) lanes: &'a [Arc<Lane>],
    pub(crate) outages: &'a [Arc<Outage>],
}

impl Beginning<'_> {
    /// The hub of the server.
    pub(crate) fn hub(self) -> Hub {
        let run = format!("{:x}", self.run);
        let parts = (self.lanes, self.outages);
        let has = self.has_simulator;
        let facts = Facts::new(self.config, run, has, self.clock, self.journal, parts);
        Hub::new(facts, self.settings)
    }
}
