//! How is a batch appended, and taken back when that fails?
//!
//! The file is open while all is well. Before each batch its name is looked up: whoever moved it
//! away gets a new one begun. After an error that could not be undone it is let go of, and opening
//! it again cuts what was left of the batch's last line.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::rotation::{directory, rotate};
use super::settings::{Rotation, Settings};
use super::tail::whole_lines;

/// What went wrong with the file, and what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    /// The system said no.
    #[error("cannot {what}: {error}{}", advice(error))]
    System {
        /// What was tried.
        what: &'static str,
        /// What it said.
        error: io::Error,
    },
    /// Another process has the lock.
    #[error(
        "another process has it open for writing. Stop that one, or give the sink another path"
    )]
    Taken,
    /// The last line is incomplete, and does not look like ours.
    #[error(
        "its last line has no end and is no event: it is left as it is. End the line, or give the \
         sink another path"
    )]
    NotOurs,
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ". Free space on the disk, or let `rotation` keep fewer files"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            ". Give this user the right to write there"
        }
        io::ErrorKind::IsADirectory => ". Give the sink the path of a file",
        _ => "",
    }
}

/// Names what was tried.
fn on(what: &'static str) -> impl FnOnce(io::Error) -> FileError {
    move |error| FileError::System { what, error }
}

/// Appends to the file of these settings.
pub(super) struct Appender {
    settings: Settings,
    open: Option<Open>,
}

/// The file while it is open.
struct Open {
    file: File,
    len: u64,
    born: SystemTime,
    identity: Option<(u64, u64)>,
}

impl Appender {
    /// Opens the file.
    pub(super) fn open(settings: Settings) -> Result<Self, FileError> {
        let open = Open::at(&settings.path)?;
        Ok(Self { settings, open: Some(open) })
    }

    /// Lets go of the file.
    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// Appends whole lines, all or none of them, on the disk if that is set.
    pub(super) fn append(&mut self, lines: &[u8], now: SystemTime) -> Result<(), FileError> {
        let fsync = self.settings.fsync;
        let open = self.ready(lines.len() as u64, now)?;
        let written = open.file.write_all(lines).map_err(on("write"));
        let written = written
            .and_then(|()| if fsync { open.file.sync_data().map_err(on("sync")) } else { Ok(()) });
        match written {
            Ok(()) => open.len += lines.len() as u64,
            Err(error) => {
                // After a failed sync nobody knows what is on the disk: the lines are taken back
                // and written anew, to a file that is opened anew.
                let _ = open.file.set_len(open.len);
                self.open = None;
                return Err(error);
            }
        }
        Ok(())
    }

    /// The file that the next `bytes` belong into.
    fn ready(&mut self, bytes: u64, now: SystemTime) -> Result<&mut Open, FileError> {
        let path = &self.settings.path;
        let mut open = match self.open.take() {
            Some(open) if open.is_at(path) => open,
            moved => {
                // The lock of the old one goes first: it may be the same file after all.
                drop(moved);
                Open::at(path)?
            }
        };
        if open.is_full(&self.settings.rotation, bytes, now) {
            if self.settings.fsync {
                open.file.sync_all().map_err(on("sync"))?;
            }
            drop(open);
            rotate(path, self.settings.rotation.keep).map_err(on("rotate"))?;
            open = Open::at(path)?;
        }
        Ok(self.open.insert(open))
    }
}

impl Open {
    /// Opens the file, or begins it, and cuts off an incomplete last line.
    fn at(path: &Path) -> Result<Self, FileError> {
        let directory = directory(path);
        fs::create_dir_all(directory).map_err(on("create its directory"))?;
        let is_new = !path.exists();
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(on("open it"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FileError::Taken),
            // A file system without locks is no reason to write nothing.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(on("lock it")(error)),
        }
        let (whole, torn) = whole_lines(&mut file).map_err(on("read its end"))?;
        match torn {
            None => {}
            Some(b'{') => {
                file.set_len(whole).map_err(on("cut its incomplete last line"))?;
                file.sync_all().map_err(on("sync"))?;
            }
            Some(_) => return Err(FileError::NotOurs),
        }
        if is_new && cfg!(unix) {
            let synced = File::open(directory).and_then(|directory| directory.sync_all());
            synced.map_err(on("sync its directory"))?;
        }
        let about = file.metadata().map_err(on("look at it"))?;
        // Not every file system knows when a file began; its last change is the next best.
        let born = about.created().or_else(|_| about.modified()).map_err(on("date it"))?;
        Ok(Self { file, len: whole, born, identity: identity(&about) })
    }

    /// Whether the name still means this file.
    fn is_at(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|about| identity(&about) == self.identity)
    }

    fn is_full(&self, rotation: &Rotation, more: u64, now: SystemTime) -> bool {
        let age = now.duration_since(self.born).unwrap_or(Duration::ZERO);
        self.len > 0
            && (rotation.bytes_max.is_some_and(|max| self.len.saturating_add(more) > max)
                || rotation.age_max.is_some_and(|max| age > max))
    }
}

/// What tells a file from another one of the same name; `None` where the system does not say.
#[cfg(unix)]
fn identity(about: &fs::Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((about.dev(), about.ino()))
}

#[cfg(not(unix))]
fn identity(_about: &fs::Metadata) -> Option<(u64, u64)> {
    // Elsewhere an open file cannot be moved away.
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    #[test]
    fn a_file_is_full_by_size_or_by_age() {
        let directory = tempfile::tempdir().unwrap();
        let mut open = Open::at(&directory.path().join("a")).unwrap();
        open.born = START;
        let seconds = |seconds| START + Duration::from_secs(seconds);
        let size = Rotation { bytes_max: Some(100), ..Rotation::default() };
        let age = Rotation { age_max: Some(Duration::from_secs(60)), ..Rotation::default() };
        // An empty file is never full: it would be followed by another empty one.
        assert!(!open.is_full(&size, 101, START) && !open.is_full(&age, 1, seconds(61)));
        open.len = 60;
        assert!(!open.is_full(&size, 40, START) && open.is_full(&size, 41, START));
        assert!(!open.is_full(&age, 1, seconds(60)) && open.is_full(&age, 1, seconds(61)));
        // A clock that was put back makes nothing old.
        open.born = seconds(100);
        assert!(!open.is_full(&age, 1, START));
        assert!(!open.is_full(&Rotation::default(), u64::MAX, seconds(1 << 40)));
    }
}
