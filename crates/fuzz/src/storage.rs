//! A directory in memory, made for one input.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tidegate_journal::{Storage, StorageFile};

/// No file may grow beyond this: whoever writes more has believed a number from the input.
const FILE_BYTES_MAX: usize = 1 << 20;

type Content = Arc<Mutex<Vec<u8>>>;

/// Files by name; clones are the same directory.
#[derive(Clone, Default)]
pub(crate) struct Files(Arc<Mutex<BTreeMap<String, Content>>>);

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Files {
    pub(crate) fn put(&self, name: &str, content: Vec<u8>) {
        lock(&self.0).insert(name.to_owned(), Arc::new(Mutex::new(content)));
    }

    /// Everything there is.
    pub(crate) fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        lock(&self.0).iter().map(|(name, file)| (name.clone(), lock(file).clone())).collect()
    }
}

struct File(Content);

impl Storage for Files {
    fn place(&self) -> String {
        "memory".into()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(lock(&self.0).keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let file = lock(&self.0).get(name).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(File(file)))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let file = Content::default();
        lock(&self.0).insert(name.to_owned(), Arc::clone(&file));
        Ok(Box::new(File(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = lock(&self.0);
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        lock(&self.0).remove(name).map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self) -> io::Result<()> {
        Ok(())
    }
}

impl StorageFile for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let content = lock(&self.0);
        let at = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
        let rest = &content[at..];
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut content = lock(&self.0);
        let at = usize::try_from(offset).expect("an offset within memory");
        let until = at + bytes.len();
        assert!(until <= FILE_BYTES_MAX, "a write at {offset} of {} bytes", bytes.len());
        if content.len() < until {
            content.resize(until, 0);
        }
        content[at..until].copy_from_slice(bytes);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        let bytes = usize::try_from(bytes).expect("a length within memory");
        assert!(bytes <= FILE_BYTES_MAX, "a file of {bytes} bytes");
        lock(&self.0).resize(bytes, 0);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(lock(&self.0).len() as u64)
    }
}
