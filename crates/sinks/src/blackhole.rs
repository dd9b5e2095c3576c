//! What does everything before a sink cost? A sink that takes all and keeps nothing shows it.

use std::ops::Range;

use tidegate::Outcome;
use tidegate_event::Position;

use crate::contract::{
    Batch, BoxFuture, Delivery, DeliveryFailure, Guarantee, Limits, OpenError, Origin, Sink,
};

/// Takes every event and forgets it, its record of ranges included: after a restart it is given
/// again what the journal's cursor does not know to be delivered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Blackhole;

impl Sink for Blackhole {
    fn kind(&self) -> &'static str {
        "blackhole"
    }

    fn limits(&self) -> Limits {
        Limits { concurrency_max: None, guarantee: Guarantee::AtLeastOnce }
    }

    fn keys_batches(&self) -> bool {
        false
    }

    fn open(&self, _origin: Origin) -> BoxFuture<'_, Result<(), OpenError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn delivered<'a>(
        &'a self,
        _lane: &'a str,
        _above: Position,
    ) -> BoxFuture<'a, Result<Vec<Range<Position>>, DeliveryFailure>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn deliver(&self, _batch: Batch) -> BoxFuture<'_, Delivery> {
        let taken =
            Delivery { outcome: Outcome::Ok, failure: None, feedback: None, retry_after: None };
        Box::pin(std::future::ready(taken))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
