//! How is the journal opened, and what is told of what was found?

use tidegate_journal::{Durability, FileStorage, Journal, Missing, Recovery, Torn};

use super::error::StartError;
use crate::config::{self, Config};

/// Opens the journal in the data directory.
pub(super) fn open(config: &Config) -> Result<Journal, StartError> {
    let dir = config.data_dir.join("journal");
    let failed = |source| StartError::DataDir { dir: dir.display().to_string(), source };
    std::fs::create_dir_all(&dir).map_err(failed)?;
    let settings = journal_settings(config);
    let durability = settings.durability;
    let (journal, recovery) = Journal::open(FileStorage::open(&dir)?, settings)?;
    let id = journal.identity().id;
    let epoch = journal.identity().epoch;
    tracing::info!(%id, epoch, dir = %dir.display(), ?durability, "journal open");
    tell_recovery(&recovery);
    match durability {
        Durability::Fsync => {}
        Durability::Written => {
            tracing::warn!("durability is `written`: a power failure may lose acknowledged events");
        }
        Durability::Memory => {
            tracing::warn!("durability is `memory`: acknowledged events are lost with the process");
        }
    }
    Ok(journal)
}

/// Says what opening the journal found, if that is worth a line.
fn tell_recovery(found: &Recovery) {
    let (frames, events, next) = (found.frames, found.items, found.next);
    if !found.created && !found.closed_in_order {
        tracing::info!(frames, events, next, "the journal was not closed in order; recovered");
    }
    if let Some(Torn { segment, offset, bytes }) = found.torn {
        tracing::info!(
            segment,
            offset,
            bytes,
            "an unfinished write at the journal's end was undone"
        );
    }
    if let Some(skipped) = &found.skipped {
        tracing::info!(?skipped, "these positions will not be used");
    }
    for Missing { positions, segment, offset, cause } in &found.missing {
        tracing::error!(
            ?positions,
            segment,
            offset,
            ?cause,
            "the journal is corrupt here: these positions cannot be read, all others can"
        );
    }
    if found.keys.lost {
        tracing::error!(
            "file `keys` is not readable: a request that was delivered and is sent again with its \
             Idempotency-Key will be stored again"
        );
    }
    for file in &found.set_aside {
        tracing::error!(file, "no usable segment: it was renamed to *.bad");
    }
}

fn journal_settings(config: &Config) -> tidegate_journal::Settings {
    let (keys, config) = (&config.http.idempotency, &config.journal);
    tidegate_journal::Settings {
        durability: match config.durability {
            config::Durability::Fsync => Durability::Fsync,
            config::Durability::Written => Durability::Written,
            config::Durability::Memory => Durability::Memory,
        },
        segment_bytes: config.segment_bytes.bytes(),
        max_bytes: config.max_bytes.bytes(),
        tail_bytes: config.tail_bytes.in_memory(),
        keys_max: usize::try_from(keys.max_keys).unwrap_or(usize::MAX),
        keys_age_max: keys.window.duration(),
        ..tidegate_journal::Settings::default()
    }
}
