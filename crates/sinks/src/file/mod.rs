//! How do events reach a file? As lines of JSON, appended a batch at a time, and rotated.
//!
//! # What is promised
//!
//! At least once, and only whole lines. A batch is one append, followed by an fsync unless that is
//! switched off; when either fails, the file is cut back to where the batch began. What a crash
//! leaves of a line is cut off at the next start, but the lines before it stay, although the batch
//! they belong to is written again: then they are in the file twice, under the same names. So is a
//! batch that was written and not yet noted by the journal's cursor when the process was killed.
//! Nothing else is ever written twice. Whoever needs each event once takes the sink `sqlite`.
//!
//! # Rotation
//!
//! Before a batch that would make the file larger than is set, or once the file is older, it gets
//! the next number (`events.ndjson.000042`) and a new one begins; the oldest are deleted beyond the
//! number that is kept. Other programs may move the file away at any time: it is looked for before
//! each batch, and begun anew where it is missing.
//!
//! The file is locked while it is open, so that two processes cannot cut each other's lines.
//!
//! | question | module |
//! |---|---|
//! | What can be set, and within which bounds? | [`settings`] |
//! | How is a batch appended, and taken back when that fails? | `append` |
//! | Where does the last whole line end? | `tail` |
//! | Which name does a file get that is full, and which are deleted? | `rotation` |

mod append;
mod rotation;
pub mod settings;
mod tail;

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tidegate::Outcome;
use tidegate_event::Position;

pub use settings::{Rotation, Settings};

use crate::contract::{
    Batch, BoxFuture, Delivery, DeliveryFailure, Guarantee, Limits, OpenError, Origin, Sink,
};
use crate::json::{Encoder, Layout};
use crate::serial::Serial;
use crate::stage::{Stage, failed, taken};
use append::Appender;

/// What the buffer may keep between batches.
const KEPT_BYTES_MAX: usize = 8 << 20;

/// A sink that appends lines of JSON to a file: see [the module](self).
///
/// ```
/// use tidegate_sinks::Sink;
/// use tidegate_sinks::file::{FileSink, Settings};
///
/// let directory = tempfile::tempdir()?;
/// let sink = FileSink::start(Settings::new(directory.path().join("events.ndjson")))?;
/// assert_eq!(sink.kind(), "file");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FileSink {
    writer: Serial<Writer>,
    site: String,
    path: PathBuf,
}

struct Writer {
    stage: Stage,
    site: String,
    encoder: Encoder,
    buffer: String,
    appender: Appender,
}

impl FileSink {
    /// Opens the file, creates what is missing, and cuts off a line that a crash left incomplete.
    ///
    /// It blocks while it does.
    ///
    /// # Errors
    ///
    /// [`OpenError::Backend`] with the path and what to do, when a setting is out of its bounds, the
    /// file or its directory cannot be created or written, another process has it open, or its last
    /// line is incomplete and none of ours.
    pub fn start(settings: Settings) -> Result<Self, OpenError> {
        let path = settings.path.clone();
        let site = format!("file {}", path.display());
        let backend = |why: String| OpenError::Backend { what: format!("cannot use {site}"), why };
        settings.validate().map_err(|error| backend(error.to_string()))?;
        let encoder = Encoder::new(Layout::Ndjson, &settings.id_field);
        let appender = Appender::open(settings).map_err(|error| backend(error.to_string()))?;
        let (stage, buffer) = (Stage::default(), String::new());
        let writer = Writer { stage, site: site.clone(), encoder, buffer, appender };
        let writer = Serial::spawn("tidegate-file", writer)
            .map_err(|error| backend(format!("no thread for it: {error}")))?;
        Ok(Self { writer, site, path })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn gone(&self) -> DeliveryFailure {
        DeliveryFailure::Retry(format!("{}: its thread has ended; restart", self.site))
    }
}

impl Writer {
    fn deliver(&mut self, batch: &Batch) -> Delivery {
        let journal = match self.stage.journal(&self.site) {
            Ok(journal) => journal,
            Err(failure) => return failed(Outcome::Unreachable, failure),
        };
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_BYTES_MAX);
        if let Err(broken) = self.encoder.encode(journal, batch, &mut self.buffer) {
            let refused = DeliveryFailure::Refused { why: broken.to_string(), at: None };
            return failed(Outcome::Rejected, refused);
        }
        if self.buffer.is_empty() {
            return taken();
        }
        match self.appender.append(self.buffer.as_bytes(), wall_clock()) {
            Ok(()) => taken(),
            Err(error) => {
                let why = format!("{}: {error}", self.site);
                failed(Outcome::Unreachable, DeliveryFailure::Retry(why))
            }
        }
    }

    fn close(&mut self) {
        self.stage = Stage::Closed;
        self.appender.close();
    }
}

#[expect(clippy::disallowed_methods, reason = "the edge: what decides gets it as an argument")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

impl fmt::Debug for FileSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSink").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Sink for FileSink {
    fn kind(&self) -> &'static str {
        "file"
    }

    fn limits(&self) -> Limits {
        Limits { concurrency_max: Some(1), guarantee: Guarantee::AtLeastOnce }
    }

    /// A file knows no batches: a repeat is written again, however it is cut.
    fn keys_batches(&self) -> bool {
        false
    }

    fn open(&self, origin: Origin) -> BoxFuture<'_, Result<(), OpenError>> {
        Box::pin(async move {
            let open = move |writer: &mut Writer| writer.stage.open(origin, &writer.site);
            self.writer.ask(open).await.unwrap_or_else(|_| {
                let what = format!("cannot use {}", self.site);
                Err(OpenError::Backend { what, why: self.gone().to_string() })
            })
        })
    }

    fn delivered<'a>(
        &'a self,
        _lane: &'a str,
        _above: Position,
    ) -> BoxFuture<'a, Result<Vec<Range<Position>>, DeliveryFailure>> {
        Box::pin(async move {
            let journal = self.writer.ask(|writer| writer.stage.journal(&writer.site)).await;
            journal.unwrap_or_else(|_| Err(self.gone())).map(|_| Vec::new())
        })
    }

    fn deliver(&self, batch: Batch) -> BoxFuture<'_, Delivery> {
        Box::pin(async move {
            let delivery = self.writer.ask(move |writer| writer.deliver(&batch)).await;
            delivery.unwrap_or_else(|_| failed(Outcome::Unreachable, self.gone()))
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // A thread that is gone has closed already.
            let _ = self.writer.ask(Writer::close).await;
        })
    }
}
