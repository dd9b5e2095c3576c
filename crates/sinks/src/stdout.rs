//! How do events reach whoever reads our standard output? As lines of JSON, a batch at a time.
//!
//! At least once: a batch that was written in part before the process ended is written again as a
//! whole, and a pipe does not tell what its reader has done with a line. Each line carries the name
//! of its event. When the reader has gone, every attempt says so, and the events wait in the
//! journal: output that nobody reads is not delivery.

use std::fmt;
use std::io::{self, Write};
use std::ops::Range;

use tidegate::Outcome;
use tidegate_event::{JournalId, Position};

use crate::contract::{
    Batch, BoxFuture, Delivery, DeliveryFailure, Guarantee, Limits, OpenError, Origin, Sink,
};
use crate::json::{Encoder, Layout};
use crate::serial::Serial;
use crate::stage::{Stage, failed, taken};

const NAME: &str = "standard output";
/// What the buffer may keep between batches.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// A sink that writes lines of JSON: see [the module](self).
///
/// ```
/// use tidegate_sinks::Sink;
/// use tidegate_sinks::stdout::StdoutSink;
///
/// assert_eq!(StdoutSink::start()?.kind(), "stdout");
/// # Ok::<(), tidegate_sinks::OpenError>(())
/// ```
pub struct StdoutSink {
    output: Serial<Output>,
}

struct Output {
    stage: Stage,
    to: Box<dyn Write + Send>,
    encoder: Encoder,
    buffer: String,
    /// Whether the reader has gone; a pipe gets no new one.
    is_broken: bool,
}

impl StdoutSink {
    /// Writes to this process's standard output.
    ///
    /// # Errors
    ///
    /// [`OpenError::Backend`] when there can be no thread for it.
    pub fn start() -> Result<Self, OpenError> {
        Self::to(Box::new(io::stdout()))
    }

    /// Writes to something else; each batch is one write and one flush.
    ///
    /// # Errors
    ///
    /// [`OpenError::Backend`] when there can be no thread for it.
    pub fn to(to: Box<dyn Write + Send>) -> Result<Self, OpenError> {
        let encoder = Encoder::new(Layout::Ndjson, "_id");
        let stage = Stage::default();
        let output = Output { stage, to, encoder, buffer: String::new(), is_broken: false };
        let failed = |error| OpenError::Backend {
            what: format!("cannot use {NAME}"),
            why: format!("no thread for it: {error}"),
        };
        Ok(Self { output: Serial::spawn("tidegate-stdout", output).map_err(failed)? })
    }

    fn gone() -> DeliveryFailure {
        DeliveryFailure::Retry(format!("{NAME}: its thread has ended; restart"))
    }
}

impl Output {
    fn deliver(&mut self, batch: &Batch) -> Delivery {
        match self.stage.journal(NAME) {
            Ok(journal) => self.write(journal, batch),
            Err(failure) => failed(Outcome::Unreachable, failure),
        }
    }

    fn write(&mut self, journal: JournalId, batch: &Batch) -> Delivery {
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_BYTES_MAX);
        if let Err(broken) = self.encoder.encode(journal, batch, &mut self.buffer) {
            let refused = DeliveryFailure::Refused { why: broken.to_string(), at: None };
            return failed(Outcome::Rejected, refused);
        }
        if self.is_broken {
            return broken_pipe();
        }
        match self.to.write_all(self.buffer.as_bytes()).and_then(|()| self.to.flush()) {
            Ok(()) => taken(),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_broken = true;
                broken_pipe()
            }
            Err(error) => {
                let why = format!("{NAME}: {error}; the batch is written again");
                failed(Outcome::Unreachable, DeliveryFailure::Retry(why))
            }
        }
    }
}

fn broken_pipe() -> Delivery {
    let why = format!(
        "{NAME}: whoever read it has ended. Restart with a reader: what was not delivered is in \
         the journal"
    );
    failed(Outcome::Unreachable, DeliveryFailure::Retry(why))
}

impl fmt::Debug for StdoutSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdoutSink").finish_non_exhaustive()
    }
}

impl Sink for StdoutSink {
    fn kind(&self) -> &'static str {
        "stdout"
    }

    fn limits(&self) -> Limits {
        Limits { concurrency_max: Some(1), guarantee: Guarantee::AtLeastOnce }
    }

    /// An output knows no batches: a repeat is written again, however it is cut.
    fn keys_batches(&self) -> bool {
        false
    }

    fn open(&self, origin: Origin) -> BoxFuture<'_, Result<(), OpenError>> {
        Box::pin(async move {
            let opened = self.output.ask(move |output| output.stage.open(origin, NAME)).await;
            opened.unwrap_or_else(|_| {
                let what = format!("cannot use {NAME}");
                Err(OpenError::Backend { what, why: Self::gone().to_string() })
            })
        })
    }

    fn delivered<'a>(
        &'a self,
        _lane: &'a str,
        _above: Position,
    ) -> BoxFuture<'a, Result<Vec<Range<Position>>, DeliveryFailure>> {
        Box::pin(async move {
            let journal = self.output.ask(|output| output.stage.journal(NAME)).await;
            journal.unwrap_or_else(|_| Err(Self::gone())).map(|_| Vec::new())
        })
    }

    fn deliver(&self, batch: Batch) -> BoxFuture<'_, Delivery> {
        Box::pin(async move {
            let delivery = self.output.ask(move |output| output.deliver(&batch)).await;
            delivery.unwrap_or_else(|_| failed(Outcome::Unreachable, Self::gone()))
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // A thread that is gone has closed already.
            let _ = self.output.ask(|output| output.stage = Stage::Closed).await;
        })
    }
}
