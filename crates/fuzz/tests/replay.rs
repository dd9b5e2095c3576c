//! The fuzz targets without a fuzzer: every input that was kept, and some thousand by chance.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at its first surprise, and says what it was"
)]

use std::path::Path;

use proptest::prelude::*;
use tidegate_fuzz::TARGETS;

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&dir)
        .unwrap_or_else(|error| panic!("{}: {error}", dir.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let read =
        |path: std::path::PathBuf| (path.display().to_string(), std::fs::read(&path).unwrap());
    files.into_iter().map(read).collect()
}

#[test]
fn kept_inputs_hold() {
    for (name, run) in TARGETS {
        let inputs = corpus(name);
        assert!(!inputs.is_empty(), "{name} has no corpus");
        for (path, input) in inputs {
            // Shown only if it fails.
            println!("{path}");
            run(&input);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Invariant: no bytes whatever make a target fail; neither such as were kept, cut, joined and
    /// changed.
    #[test]
    fn inputs_by_chance_hold(
        target in prop::sample::select(TARGETS.to_vec()), noise in prop::collection::vec(any::<u8>(), 0..200),
        one: prop::sample::Index, other: prop::sample::Index, cut: prop::sample::Index,
        join: prop::sample::Index, flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let (name, run) = target;
        run(&noise);
        let kept = corpus(name);
        let (one, other) = (&one.get(&kept).1, &other.get(&kept).1);
        let mut input = one[..cut.index(one.len() + 1)].to_vec();
        input.extend_from_slice(&other[join.index(other.len() + 1)..]);
        for (at, value) in flips {
            if !input.is_empty() {
                let at = at.index(input.len());
                input[at] = value;
            }
        }
        run(&input);
    }
}
