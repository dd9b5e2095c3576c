//! How does a batch become the body of a request? Encoded into a buffer that is used again, and
//! compressed if asked for.
//!
//! A large batch takes milliseconds of computing, which would hold up whatever else the runtime's
//! thread has to do: it is made on a thread for blocking work.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use flate2::write::GzEncoder;
use tidegate_event::JournalId;

use super::settings::{Compression, Format, Settings};
use crate::contract::Batch;
use crate::json::{Broken, Encoder, Layout};

/// Buffers that are kept, and the most bytes each may hold.
const KEPT_MAX: usize = 8;
const KEPT_BYTES_MAX: usize = 8 << 20;
/// Batches with fewer bytes than this are encoded where they are: handing them over costs more.
const HANDED_BYTES_MIN: u64 = 128 << 10;
/// The fastest level of zstd that is not a compromise for it.
const ZSTD_LEVEL: i32 = 1;

/// Makes bodies.
pub(super) struct Bodies {
    maker: Arc<Maker>,
    kept: Mutex<Vec<String>>,
}

struct Maker {
    encoder: Encoder,
    compression: Compression,
}

/// A body, and the buffer it was made in if that is another.
pub(super) struct Body {
    pub(super) bytes: Bytes,
    buffer: Option<String>,
}

/// Why there is no body.
pub(super) enum Unmade {
    /// The batch does not hold.
    Broken(Broken),
    /// The machine could not do it.
    Failed(String),
}

impl Bodies {
    pub(super) fn new(settings: &Settings) -> Self {
        let layout = match settings.format {
            Format::Ndjson => Layout::Ndjson,
            Format::Json => Layout::Array,
            Format::Bulk => Layout::Bulk,
        };
        let encoder = Encoder::new(layout, &settings.id_field);
        let maker = Arc::new(Maker { encoder, compression: settings.compression });
        Self { maker, kept: Mutex::default() }
    }

    /// The body for a batch; `None` for one that holds no items.
    pub(super) async fn make(
        &self,
        journal: JournalId,
        batch: &Batch,
    ) -> Result<Option<Body>, Unmade> {
        let buffer = self.kept().pop().unwrap_or_default();
        let made = if batch.bytes() < HANDED_BYTES_MIN {
            self.maker.make(journal, batch, buffer)
        } else {
            let (maker, batch) = (Arc::clone(&self.maker), batch.clone());
            tokio::task::spawn_blocking(move || maker.make(journal, &batch, buffer))
                .await
                .unwrap_or_else(|error| Err(Unmade::Failed(error.to_string())))
        }?;
        if batch.items() > 0 {
            return Ok(Some(made));
        }
        self.give_back(made);
        Ok(None)
    }

    /// Keeps the buffer of a body that was sent, if nobody else reads it any more.
    pub(super) fn give_back(&self, Body { bytes, buffer }: Body) {
        let buffer = buffer.or_else(|| {
            let mut unshared = bytes.is_unique().then(|| Vec::from(bytes))?;
            unshared.clear();
            String::from_utf8(unshared).ok()
        });
        let Some(mut buffer) = buffer.filter(|buffer| buffer.capacity() <= KEPT_BYTES_MAX) else {
            return;
        };
        buffer.clear();
        let mut kept = self.kept();
        if kept.len() < KEPT_MAX {
            kept.push(buffer);
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        // A list of empty buffers is sound whoever panicked beside it.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Maker {
    fn make(&self, journal: JournalId, batch: &Batch, mut text: String) -> Result<Body, Unmade> {
        self.encoder.encode(journal, batch, &mut text).map_err(Unmade::Broken)?;
        let failed = |error: std::io::Error| Unmade::Failed(error.to_string());
        match self.compression {
            Compression::None => Ok(Body { bytes: Bytes::from(text.into_bytes()), buffer: None }),
            Compression::Gzip => {
                let packed = Vec::with_capacity(text.len() / 4);
                let mut encoder = GzEncoder::new(packed, flate2::Compression::fast());
                encoder.write_all(text.as_bytes()).map_err(failed)?;
                let bytes = encoder.finish().map_err(failed)?.into();
                Ok(Body { bytes, buffer: Some(text) })
            }
            Compression::Zstd => {
                let bytes = zstd::bulk::compress(text.as_bytes(), ZSTD_LEVEL).map_err(failed)?;
                Ok(Body { bytes: bytes.into(), buffer: Some(text) })
            }
        }
    }
}
