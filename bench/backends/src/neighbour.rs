//! Who takes most of the machine? A process that is busy on both cores and writes to the same
//! backend, as a nightly job does.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;

use crate::backend::{postgres, sqlite};
use crate::child;
use crate::rows::rows;

/// Threads that a neighbour keeps busy.
const BUSY: usize = 2;
/// Rows of a neighbour's transaction in SQLite.
const SQLITE_ROWS: u32 = 5_000;

/// In a child: takes SQLite's lock for transactions of 5,000 rows, one after the other, until the
/// parent wants it to end.
pub(crate) fn sqlite(path: &Path) -> anyhow::Result<()> {
    let mut connection = sqlite::connect(path)?;
    let over = over_at_the_end()?;
    let rows = rows();
    child::ready("writing")?;
    // Positions that no run of ours reaches.
    let mut next = 1_i64 << 40;
    while !over.load(Ordering::Relaxed) {
        // A lock that is not given is what the neighbour has to live with.
        let _ = sqlite::insert(&mut connection, &rows, next, SQLITE_ROWS);
        next += i64::from(SQLITE_ROWS);
    }
    Ok(())
}

/// In a child: keeps two threads busy and copies rows into a table of its own, until the parent
/// wants it to end.
pub(crate) fn postgres(url: &str) -> anyhow::Result<()> {
    let over = over_at_the_end()?;
    for _ in 0..BUSY {
        let over = Arc::clone(&over);
        std::thread::Builder::new().spawn(move || {
            while !over.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        })?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(postgres::keep_writing(url, || over.load(Ordering::Relaxed)))
}

/// Becomes true when the parent wants this process to end.
pub(crate) fn over_at_the_end() -> anyhow::Result<Arc<AtomicBool>> {
    let over = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&over);
    std::thread::Builder::new()
        .spawn(move || {
            child::wait_for_the_end();
            set.store(true, Ordering::Relaxed);
        })
        .context("a thread that waits for the end")?;
    Ok(over)
}
