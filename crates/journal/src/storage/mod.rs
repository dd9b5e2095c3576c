//! What does the journal ask of a disk?
//!
//! The least that a crash model can imitate faithfully: flat names, positioned reads and writes,
//! and explicit syncs of a file's data and of the directory. The journal assumes no more than
//! that — an unsynced write may be lost whole or by sectors, an unsynced directory change may be
//! lost, and a failed sync may have dropped what it was to save.

mod file;

use std::io;

pub use file::FileStorage;

/// A flat directory of files that only one journal may hold.
pub trait Storage: Send + Sync + 'static {
    /// What to call this place in messages (a path).
    fn place(&self) -> String;

    /// The names of all files.
    ///
    /// # Errors
    /// The system's answer.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// The system's answer.
    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>>;

    /// Creates a file, emptying one of that name.
    ///
    /// # Errors
    /// The system's answer; [`io::ErrorKind::StorageFull`] when there is no room.
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>>;

    /// Gives a file another name, replacing what had it.
    ///
    /// # Errors
    /// The system's answer.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// The system's answer.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes creations, renames and removals durable.
    ///
    /// # Errors
    /// The system's answer.
    fn sync_dir(&self) -> io::Result<()>;

    /// The journal is closed: release what must not outlive it (a lock). Called once, last.
    fn close(&self) {}
}

/// One file of a [`Storage`]; used by several threads at once.
pub trait StorageFile: Send + Sync {
    /// Reads up to `buffer.len()` bytes at `offset`; 0 at the end of the file.
    ///
    /// # Errors
    /// The system's answer.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`, growing the file if need be.
    ///
    /// # Errors
    /// The system's answer; [`io::ErrorKind::StorageFull`] when there is no room. A part may have
    /// been written.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes the content, and the size needed to read it, durable.
    ///
    /// # Errors
    /// The system's answer; what was not durable before counts as lost.
    fn sync_data(&self) -> io::Result<()>;

    /// Cuts or extends (with zeros) the file.
    ///
    /// # Errors
    /// The system's answer.
    fn set_len(&self, bytes: u64) -> io::Result<()>;

    /// The size in bytes.
    ///
    /// # Errors
    /// The system's answer.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    ///
    /// # Errors
    /// The system's answer.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// Reads until `buffer` is full or the file ends; returns how much was read.
pub(crate) fn read_full(
    file: &dyn StorageFile,
    buffer: &mut [u8],
    offset: u64,
) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// A whole small file, or `None` if there is none.
pub(crate) fn read_small(
    storage: &dyn Storage,
    name: &str,
    max: u64,
) -> io::Result<Option<Vec<u8>>> {
    let file = match storage.open(name) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let size = usize::try_from(file.len()?.min(max)).map_err(io::Error::other)?;
    let mut content = vec![0; size];
    let read = read_full(file.as_ref(), &mut content, 0)?;
    content.truncate(read);
    Ok(Some(content))
}

/// Replaces a small file so that after a crash either the old or the new content is there.
pub(crate) fn replace(storage: &dyn Storage, name: &str, content: &[u8]) -> io::Result<()> {
    let fresh = format!("{name}.tmp");
    let file = storage.create(&fresh)?;
    file.write_all_at(content, 0)?;
    file.sync_data()?;
    storage.rename(&fresh, name)?;
    storage.sync_dir()
}
