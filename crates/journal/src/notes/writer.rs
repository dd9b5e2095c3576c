//! How do notes get to the disk?
//!
//! One thread takes everything that waits, writes it as one block, and syncs if somebody waits for
//! it. What comes meanwhile is the next block. It is asleep unless there is something to note, and
//! is not even started before the first batch is.

use std::io;
use std::sync::Arc;

use super::{NoteError, Waiting};
use crate::format::notes::{self, Block};
use crate::settings::Durability;
use crate::shared::{Shared, lock};
use crate::storage::{StorageFile, replace};

/// The file in use.
struct Open {
    file: Box<dyn StorageFile>,
    offset: u64,
    capacity: u64,
}

/// What is to be written.
enum Work {
    /// A block behind the others.
    Append(Vec<u8>),
    /// A new file that begins with this.
    Replace(Block),
    Nothing,
}

struct Job {
    work: Work,
    waiting: Vec<Waiting>,
    stop: bool,
}

/// Serves until the journal is closed and nothing waits.
pub(super) fn serve(shared: &Shared) {
    let mut file: Option<Open> = None;
    loop {
        let Job { work, waiting, stop } = next(shared, file.as_ref());
        let syncs = shared.settings.durability == Durability::Fsync && !waiting.is_empty();
        let written = match work {
            Work::Append(bytes) => append(file.as_mut(), &bytes, syncs),
            Work::Replace(block) => renew(shared, &block).map(|renewed| file = Some(renewed)),
            Work::Nothing => Ok(()),
        };
        if let Err(error) = &written {
            // What it holds now nobody can know: the next note makes a new one.
            file = None;
            shared.note_trouble("noting batches", error);
        }
        answer(shared, waiting, &written);
        if stop {
            let last = file.map_or(Ok(()), |open| open.file.sync_data());
            let _ = last.inspect_err(|error| shared.note_trouble("noting batches", error));
            return;
        }
    }
}

/// Waits for work and takes it.
fn next(shared: &Shared, file: Option<&Open>) -> Job {
    let mut inner = shared.notes.wait();
    let waiting = std::mem::take(&mut inner.waiting);
    let pending = std::mem::take(&mut inner.pending);
    let overflown = std::mem::take(&mut inner.overflown);
    let mut bytes = Vec::new();
    pending.encode(&mut bytes);
    let fits = file.is_some_and(|open| open.offset + bytes.len() as u64 <= open.capacity);
    let work = if fits && !overflown {
        if pending.is_empty() { Work::Nothing } else { Work::Append(bytes) }
    } else if file.is_none() && waiting.is_empty() {
        // Nothing was attempted since the last file that holds: it needs no successor.
        Work::Nothing
    } else {
        // Under the lock, so that it has all that was pending. A delivery is in the cursor before
        // it is here, so none is missed.
        Work::Replace(inner.snapshot(&shared.lanes.cursors()))
    };
    Job { work, waiting, stop: inner.stop }
}

fn append(file: Option<&mut Open>, bytes: &[u8], syncs: bool) -> io::Result<()> {
    let Some(open) = file else { return Ok(()) };
    open.file.write_all_at(bytes, open.offset)?;
    open.offset += bytes.len() as u64;
    if syncs { open.file.sync_data() } else { Ok(()) }
}

/// Puts a new file in the place of the old one.
fn renew(shared: &Shared, block: &Block) -> io::Result<Open> {
    let mut content = notes::head(shared.identity.id);
    block.encode(&mut content);
    let offset = content.len() as u64;
    let capacity = shared.settings.notes_bytes.max(2 * offset);
    content.resize(usize::try_from(capacity).map_err(io::Error::other)?, 0);
    replace(shared.storage.as_ref(), notes::NAME, &content)?;
    let file = shared.storage.open(notes::NAME)?;
    Ok(Open { file, offset, capacity })
}

fn answer(shared: &Shared, waiting: Vec<Waiting>, written: &io::Result<()>) {
    if written.is_ok() {
        let mut inner = lock(&shared.notes.inner);
        for Waiting { lane, batch, .. } in &waiting {
            let lane = inner.lane(lane);
            // It may have been answered, or cut anew, meanwhile.
            if lane.open.has(batch) {
                lane.durable.begin(batch.clone());
            }
        }
    }
    let error =
        written.as_ref().err().map(|error| NoteError { detail: Arc::from(error.to_string()) });
    for Waiting { answer, .. } in waiting {
        let _ = answer.send(error.clone().map_or(Ok(()), Err));
    }
}
