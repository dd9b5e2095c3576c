//! Was this searched before? Found by content: what was asked, and by which search.
//!
//! One small JSON file an answer, named by a hash of the question and holding the question itself,
//! so that two questions of one hash are told apart and an old file is never mistaken. A file that
//! cannot be read is searched again; one that cannot be written costs only time.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::search::Best;

/// Raised whenever the simulator's or the search's results change.
const VERSION: u32 = 1;

/// Answers kept in a directory, or nowhere.
#[derive(Debug, Clone, Default)]
pub struct Cache {
    directory: Option<PathBuf>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    question: String,
    best: Best,
}

impl Cache {
    /// Keeps answers in that directory, which is made when it is needed.
    #[must_use]
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self { directory: Some(directory.into()) }
    }

    pub(super) fn find(&self, question: &str) -> Option<Best> {
        let text = std::fs::read_to_string(self.place(question)?).ok()?;
        let kept: Kept = serde_json::from_str(&text).ok()?;
        (kept.question == versioned(question)).then_some(kept.best)
    }

    pub(super) fn keep(&self, question: &str, best: Best) {
        let Some(place) = self.place(question) else { return };
        let kept = Kept { question: versioned(question), best };
        let Ok(text) = serde_json::to_string(&kept) else { return };
        let written = place.parent().map(std::fs::create_dir_all).is_some_and(|made| made.is_ok());
        if written {
            let _ = replace(&place, &text);
        }
    }

    fn place(&self, question: &str) -> Option<PathBuf> {
        let hash = fnv(versioned(question).as_bytes());
        Some(self.directory.as_ref()?.join(format!("{hash:016x}.json")))
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

/// FNV-1a: stable between releases, unlike the standard library's hasher.
fn fnv(bytes: &[u8]) -> u64 {
    let start = 0xCBF2_9CE4_8422_2325;
    bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_found_by_its_question_alone() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::in_directory(directory.path().join("deep"));
        let best = Best { batch_size: 7, concurrency: 2.5, goodput: 9.0, miss_ratio: 0.01 };
        assert_eq!(cache.find("a"), None);
        cache.keep("a", best);
        assert_eq!((cache.find("a"), cache.find("b")), (Some(best), None));
        std::fs::write(cache.place("a").unwrap(), "{").unwrap();
        assert_eq!(cache.find("a"), None);
        Cache::default().keep("a", best);
    }
}
