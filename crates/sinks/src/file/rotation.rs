//! Which name does a file get that is full, and which are deleted?
//!
//! The name with the next number, six digits or more: numbers only grow, so that one rename is all
//! there is to a rotation and a crash can leave nothing half done.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Gives the file at `path` the next number. Deletes what is beyond `keep`.
pub(super) fn rotate(path: &Path, keep: Option<u32>) -> io::Result<()> {
    let mut full = numbered(path)?;
    let number = full.last().map_or(1, |(number, _)| number + 1);
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number:06}"));
    let name = PathBuf::from(name);
    fs::rename(path, &name)?;
    full.push((number, name));
    let keep = keep.map_or(usize::MAX, |keep| usize::try_from(keep).unwrap_or(usize::MAX));
    for (_, old) in full.iter().take(full.len().saturating_sub(keep)) {
        match fs::remove_file(old) {
            // Somebody else was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed?,
        }
    }
    Ok(())
}

/// The full files beside `path`, by their numbers.
pub(super) fn numbered(path: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let Some(name) = path.file_name() else { return Ok(Vec::new()) };
    let mut prefix = OsString::from(name);
    prefix.push(".");
    let mut found = Vec::new();
    for entry in fs::read_dir(directory(path))? {
        let entry = entry?;
        let name = entry.file_name();
        let digits = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
        let number = digits
            .filter(|digits| digits.len() >= 6 && digits.iter().all(u8::is_ascii_digit))
            .and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        // Its last step would not fit.
        if let Some(number) = number.filter(|number| *number < u64::MAX) {
            found.push((number, entry.path()));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The directory of a file.
pub(super) fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
