//! Was this searched before? Found by content: what was asked, and by which search.
//!
//! An answer is named by a hash of its question, and looked for in three places: in memory, so that
//! a phase that several scenarios share is searched once; in a directory of the user's, one small
//! JSON file an answer, which holds the question itself, so that an old file is never mistaken; and
//! among the answers that ship with the crate (`oracles.json`), so that the first run of the
//! canonical suite is a matter of seconds. A file that cannot be read is searched again; one that
//! cannot be written costs only time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::search::Best;

/// Raised whenever the simulator's or the search's results change.
const VERSION: u32 = 2;

/// Answers by the hash of their question, as `oracles.json` holds them.
pub type Answers = BTreeMap<String, Best>;

// A test reads the file too, and says so if it cannot be read; here it would only cost time.
static SHIPPED: LazyLock<Answers> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../oracles.json")).unwrap_or_default());

/// Answers kept in memory, perhaps in a directory, and perhaps those that ship with the crate.
#[derive(Debug, Clone, Default)]
pub struct Cache {
    memory: Arc<Mutex<Answers>>,
    directory: Option<PathBuf>,
    shipped: bool,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    question: String,
    best: Best,
}

impl Cache {
    /// Knows the answers that ship with the crate.
    #[must_use]
    pub fn shipped() -> Self {
        Self { shipped: true, ..Self::default() }
    }

    /// Keeps answers in that directory, which is made when it is needed.
    #[must_use]
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self::default().and_directory(directory)
    }

    /// The same, and keeps answers in that directory.
    #[must_use]
    pub fn and_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// All that is in memory: what was asked since it was made.
    #[must_use]
    pub fn answers(&self) -> Answers {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn find(&self, question: &str) -> Option<Best> {
        let hash = hash(question);
        let known = self.memory.lock().unwrap_or_else(PoisonError::into_inner).get(&hash).copied();
        if known.is_some() {
            return known;
        }
        let kept = || {
            let text = std::fs::read_to_string(self.place(&hash)?).ok()?;
            let kept: Kept = serde_json::from_str(&text).ok()?;
            (kept.question == versioned(question)).then_some(kept.best)
        };
        let shipped = || SHIPPED.get(&hash).copied().filter(|_| self.shipped);
        let best = kept().or_else(shipped)?;
        self.remember(hash, best);
        Some(best)
    }

    pub(super) fn keep(&self, question: &str, best: Best) {
        let hash = hash(question);
        if let Some(place) = self.place(&hash) {
            let kept = Kept { question: versioned(question), best };
            let made = place.parent().map(std::fs::create_dir_all);
            if made.is_some_and(|made| made.is_ok())
                && let Ok(text) = serde_json::to_string(&kept)
            {
                // What cannot be written is searched again next time.
                let _ = replace(&place, &text);
            }
        }
        self.remember(hash, best);
    }

    fn remember(&self, hash: String, best: Best) {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).insert(hash, best);
    }

    fn place(&self, hash: &str) -> Option<PathBuf> {
        Some(self.directory.as_ref()?.join(format!("{hash}.json")))
    }
}

/// Whoever reads meanwhile finds the old file or the new one, never half of it.
fn replace(place: &Path, text: &str) -> std::io::Result<()> {
    let half =
        place.with_extension(format!("{}.{:?}", std::process::id(), std::thread::current().id()));
    std::fs::write(&half, text)?;
    std::fs::rename(&half, place)
}

fn versioned(question: &str) -> String {
    format!("{VERSION} {question}")
}

/// FNV-1a of the versioned question: stable between releases, unlike the standard library's hasher.
fn hash(question: &str) -> String {
    let mut hash: u64 = 0xCBF2_9CE4_8422_2325;
    for byte in versioned(question).bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3);
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEST: Best = Best { batch_size: 7, concurrency: 2.5, goodput: 9.0, miss_ratio: 0.01 };

    #[test]
    fn what_was_kept_is_found_by_its_question_alone() {
        let directory = tempfile::tempdir().unwrap();
        let kept = || Cache::in_directory(directory.path().join("deep"));
        assert_eq!(kept().find("a"), None);
        kept().keep("a", BEST);
        assert_eq!((kept().find("a"), kept().find("b")), (Some(BEST), None));
        std::fs::write(kept().place(&hash("a")).unwrap(), "{").unwrap();
        assert_eq!(kept().find("a"), None);
    }

    #[test]
    fn memory_is_shared_by_clones_and_needs_no_directory() {
        let cache = Cache::default();
        cache.clone().keep("a", BEST);
        assert_eq!((cache.find("a"), cache.answers().len()), (Some(BEST), 1));
        assert_eq!(Cache::default().find("a"), None);
    }

    #[test]
    fn the_shipped_file_can_be_read() {
        let file: Answers = serde_json::from_str(include_str!("../../oracles.json")).unwrap();
        assert_eq!(file, *SHIPPED);
    }
}
