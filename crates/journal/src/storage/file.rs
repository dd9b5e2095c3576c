//! A directory of the file system, locked against a second process.
//!
//! The lock is an advisory lock on a file of its own, held by the open handle: it ends with the
//! process however that ends, so a killed process never leaves a stale lock behind.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::{Storage, StorageFile};
use crate::error::OpenError;

const LOCK: &str = "lock";

/// A journal's directory on a file system.
#[derive(Debug)]
pub struct FileStorage {
    dir: PathBuf,
    /// None where there is no lock file and none was made.
    lock: Option<File>,
    writable: bool,
}

impl FileStorage {
    /// Creates `dir` if it is not there, and locks it until the journal is closed.
    ///
    /// # Errors
    /// [`OpenError::InUse`] if another process holds it, [`OpenError::Io`] if it cannot be made or
    /// written.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, OpenError> {
        let dir = dir.as_ref().to_path_buf();
        let place = dir.display().to_string();
        let failed = |action: &str, source| OpenError::Io {
            place: place.clone(),
            action: action.to_owned(),
            source,
        };
        let fresh = !dir.exists();
        std::fs::create_dir_all(&dir).map_err(|error| failed("create the directory", error))?;
        if fresh && let Some(parent) = dir.parent().filter(|path| !path.as_os_str().is_empty()) {
            sync_directory(parent).map_err(|error| failed("sync its parent directory", error))?;
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(dir.join(LOCK))
            .map_err(|error| failed("open the lock file `lock`", error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { dir, lock: Some(lock), writable: true }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse { place }),
            Err(TryLockError::Error(error)) => Err(failed("lock the file `lock`", error)),
        }
    }

    /// Opens a directory that exists to look at it: nothing in it can be changed through this, and
    /// nobody can open it as a journal meanwhile.
    ///
    /// # Errors
    /// [`OpenError::InUse`] if another process holds it, [`OpenError::Io`] if it cannot be read.
    pub fn look(dir: impl AsRef<Path>) -> Result<Self, OpenError> {
        let dir = dir.as_ref().to_path_buf();
        let place = dir.display().to_string();
        let failed = |action: &str, source| OpenError::Io {
            place: place.clone(),
            action: action.to_owned(),
            source,
        };
        std::fs::read_dir(&dir).map_err(|error| failed("read the directory", error))?;
        let lock = match File::open(dir.join(LOCK)) {
            Ok(lock) => lock,
            // A copy without it is held by nobody.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { dir, lock: None, writable: false });
            }
            Err(error) => return Err(failed("open the lock file `lock`", error)),
        };
        match lock.try_lock() {
            Ok(()) => Ok(Self { dir, lock: Some(lock), writable: false }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse { place }),
            Err(TryLockError::Error(error)) => Err(failed("lock the file `lock`", error)),
        }
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.writable { Ok(()) } else { Err(io::ErrorKind::ReadOnlyFilesystem.into()) }
    }
}

impl Storage for FileStorage {
    fn place(&self) -> String {
        self.dir.display().to_string()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string()
                && entry.file_type()?.is_file()
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let file = OpenOptions::new().read(true).write(self.writable).open(self.dir.join(name))?;
        Ok(Box::new(Plain(file)))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        self.check_writable()?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(self.dir.join(name))?;
        Ok(Box::new(Plain(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.check_writable()?;
        std::fs::rename(self.dir.join(from), self.dir.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.check_writable()?;
        std::fs::remove_file(self.dir.join(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        sync_directory(&self.dir)
    }

    fn close(&self) {
        // The handle's end would release it too; a reader's handle may live longer than that.
        let _ = self.lock.as_ref().map(File::unlock);
    }
}

/// Only Unix lets a directory be synced; elsewhere the file system orders names by itself.
fn sync_directory(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

struct Plain(File);

impl StorageFile for Plain {
    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.0, buffer, offset)
    }

    #[cfg(unix)]
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.0, bytes, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.0, buffer, offset)
    }

    #[cfg(windows)]
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut done = 0;
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            done += std::os::windows::fs::FileExt::seek_write(&self.0, rest, offset + done as u64)?;
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}
