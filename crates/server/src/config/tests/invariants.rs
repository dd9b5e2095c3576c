//! What holds for any text at all.

use super::*;
use proptest::prelude::*;

const EXAMPLE: &str = include_str!("../example.yaml");

/// The example with one thing put in place of another: near enough to get far into the reader.
fn mangled() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "\\PC{0,6}",
        "[-:{}\\[\\],&*!|>'\"%@`#?\n\t $~0-9]{0,6}",
        Just("${A}".to_owned()),
        Just("\n".to_owned()),
        "-?[0-9]{1,20}( (ms|s|d|MiB|TiB))?",
    ];
    let len = EXAMPLE.chars().count();
    proptest::collection::vec((0..len, 0..12usize, piece), 1..6).prop_map(|edits| {
        let mut chars: Vec<char> = EXAMPLE.chars().collect();
        for (at, count, piece) in edits {
            let at = at.min(chars.len());
            let end = (at + count).min(chars.len());
            chars.splice(at..end, piece.chars());
        }
        chars.into_iter().collect()
    })
}

/// The example with the values of some settings replaced.
fn revalued() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        "[0-9]{1,7}",
        "[0-9]{1,5} (ms|s|m|h|d)",
        "[0-9]{1,5} (B|KiB|MiB|GiB)",
        "0\\.[0-9]{1,3}",
        Just("null".to_owned()),
        Just("{}".to_owned()),
    ];
    let lines = EXAMPLE.lines().count();
    proptest::collection::vec((0..lines, value), 1..5).prop_map(|edits| {
        let mut lines: Vec<_> = EXAMPLE.lines().map(str::to_owned).collect();
        for (at, value) in edits {
            if let Some((key, _)) = lines[at].split_once(": ") {
                lines[at] = format!("{key}: {value}");
            }
        }
        lines.join("\n")
    })
}

fn load_any(text: &str) -> Result<Loaded, ConfigError> {
    load_with(text, &[("A", "{ a: *b }")])
}

/// A configuration that was loaded is sound, and the library takes every lane of it; one that was
/// refused says something.
fn is_sound_or_refused(result: Result<Loaded, ConfigError>) {
    match result {
        Ok(loaded) => {
            assert_eq!(loaded.config.validate(), Ok(()));
            for sink in loaded.config.sinks.values() {
                for (_, lane) in loaded.config.lanes(sink) {
                    let bounds = lane.bounds(sink.kind.concurrency_max());
                    assert!(lane.controller().build(lane.first_plan(), &bounds).is_ok());
                }
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

proptest! {
    /// Invariant: any text is a sound configuration or is refused; none makes the reader panic.
    #[test]
    fn any_text_is_sound_or_refused(text in any::<String>()) {
        is_sound_or_refused(load_any(&text));
    }

    /// Invariant: a file that is almost right is a sound configuration or is refused.
    #[test]
    fn a_mangled_file_is_sound_or_refused(text in mangled()) {
        is_sound_or_refused(load_any(&text));
    }

    /// Invariant: whatever values are accepted, the library accepts them too.
    #[test]
    fn what_is_accepted_the_library_accepts(text in revalued()) {
        is_sound_or_refused(load_any(&text));
    }

    /// Invariant: a variable's value arrives as it is, and changes nothing but its own setting.
    #[test]
    fn a_variable_is_a_value_and_nothing_else(value in "\\PC{1,40}") {
        let value = value.trim();
        prop_assume!(!value.is_empty());
        let loaded = load_with("data_dir: ${V}", &[("V", value)]).unwrap();
        prop_assert_eq!(loaded.config, Config { data_dir: value.into(), ..Config::default() });
    }

    /// Invariant: no message and no view of a configuration has a secret in it.
    #[test]
    fn a_secret_is_never_shown(secret in "[a-zA-Z$]{1,4}-SECRET-[a-zA-Z${}: \\[]{1,9}", bad: bool) {
        let text = format!("http:\n  token: '{secret}'\n  connections_max: {}\n", i32::from(!bad));
        for (text, env) in [(text.as_str(), ""), ("http: { token: '${T}' }", secret.as_str())] {
            let shown = match load_with(text, &[("T", env)]) {
                Ok(loaded) => format!("{loaded:?} {:?}", loaded.effective()),
                Err(error) => format!("{error} {error:?}"),
            };
            prop_assert!(!shown.contains("SECRET"), "{}", shown);
        }
    }
}
