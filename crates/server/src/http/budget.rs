//! How much memory may the bodies of requests take together? A budget; over it clients hear 503.
//!
//! Bytes are leased before they are received or unpacked and given back when the request has been
//! answered. Nobody waits for a lease: a client that is told to come back costs no memory.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Permits are for this many bytes, so that any budget fits their number.
const UNIT: usize = 1024;

/// Bytes that all requests share.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    units: Arc<Semaphore>,
}

/// The budget is used up at the moment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Exhausted;

/// Bytes that one request holds.
#[derive(Debug)]
pub(crate) struct Lease {
    budget: Budget,
    held: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { units: Arc::new(Semaphore::new(bytes.div_ceil(UNIT).min(Semaphore::MAX_PERMITS))) }
    }

    /// A lease of nothing yet.
    pub(crate) fn lease(&self) -> Lease {
        Lease { budget: self.clone(), held: None, bytes: 0 }
    }

    /// Bytes that could be leased now.
    pub(crate) fn free(&self) -> usize {
        self.units.available_permits() * UNIT
    }
}

impl Lease {
    /// Holds at least this many bytes from now on.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let units = bytes.div_ceil(UNIT).saturating_sub(self.bytes / UNIT);
        if units == 0 {
            return Ok(());
        }
        let count = u32::try_from(units).map_err(|_| Exhausted)?;
        let more = Arc::clone(&self.budget.units).try_acquire_many_owned(count);
        let more = more.map_err(|_| Exhausted)?;
        self.bytes += units * UNIT;
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_leased_is_given_back() {
        let budget = Budget::new(10 * UNIT);
        let (mut one, mut other) = (budget.lease(), budget.lease());
        assert_eq!(one.grow_to(1), Ok(()));
        assert_eq!(one.grow_to(6 * UNIT), Ok(()));
        assert_eq!(other.grow_to(5 * UNIT), Err(Exhausted));
        assert_eq!(other.grow_to(4 * UNIT), Ok(()));
        drop(one);
        assert_eq!(budget.free(), 6 * UNIT);
        assert_eq!(other.grow_to(10 * UNIT), Ok(()));
    }
}
