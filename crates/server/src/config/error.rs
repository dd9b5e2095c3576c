//! What can be wrong with a configuration, and how is it said so that it can be put right at once?
//!
//! A file that cannot be read or is not YAML is one error. Everything after that is a [`Problem`]
//! of one setting, and all problems are found before any is reported: nobody should have to start
//! the server five times to learn of five typos.

use std::fmt;
use std::path::PathBuf;

/// Why there is no configuration. Each is for the user to put right: the input has to change.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(
        "cannot read the configuration {}: {source}; give the path of a readable file, or none to \
         run with the defaults",
        path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text is not YAML, or uses a part of YAML that configurations do without.
    #[error("{file}:{place}: {message}")]
    Syntax {
        /// The file, as it was named.
        file: String,
        /// Where in it.
        place: Place,
        /// What is wrong and what to do.
        message: String,
    },
    /// Settings are refused.
    #[error("{}", lines(file, problems))]
    Refused {
        /// The file, as it was named; empty without one.
        file: String,
        /// All that is wrong, at least one.
        problems: Vec<Problem>,
    },
}

fn lines(file: &str, problems: &[Problem]) -> String {
    let line = |problem: &Problem| match problem.place {
        Some(place) if !file.is_empty() => format!("{file}:{place}: {problem}"),
        _ => problem.to_string(),
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A place in a text, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// What is wrong with one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting, from the top, as the user writes it (`sinks.sqlite.batch_size.max`).
    pub path: String,
    /// Where it stands in the file, if it does.
    pub place: Option<Place>,
    /// What is wrong.
    pub kind: ProblemKind,
}

/// What is wrong with a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProblemKind {
    /// There is no such setting.
    Unknown {
        /// The one that was probably meant: a name beside it, or a whole path.
        suggestion: Option<String>,
        /// The names that can be set there.
        known: Vec<&'static str>,
    },
    /// The value is not of the kind that the setting takes (a list for a number).
    WrongType {
        /// What it is.
        found: String,
        /// What it must be.
        expected: String,
    },
    /// The value is out of its range or contradicts another setting.
    Invalid {
        /// The value.
        value: String,
        /// What it must be.
        bound: String,
    },
    /// The value names an environment variable that is not set and gives no default.
    Unset {
        /// The variable.
        variable: String,
    },
    /// A `$` in the value begins nothing that can be substituted. What follows it is not told: it
    /// may be part of a secret.
    Substitution,
}

impl Problem {
    /// A value that is out of its range, at no known place.
    #[must_use]
    pub fn invalid(
        path: impl Into<String>,
        value: impl fmt::Display,
        bound: impl Into<String>,
    ) -> Self {
        let kind = ProblemKind::Invalid { value: value.to_string(), bound: bound.into() };
        Self { path: path.into(), place: None, kind }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "the configuration" } else { &self.path };
        match &self.kind {
            ProblemKind::Unknown { suggestion: Some(meant), .. } => {
                write!(f, "{path} is not a setting: did you mean `{meant}`?")
            }
            ProblemKind::Unknown { known, .. } => {
                write!(f, "{path} is not a setting: remove it, or use one of {}", known.join(", "))
            }
            ProblemKind::WrongType { found, expected } => {
                write!(f, "{path} is {found}, but must be {expected}")
            }
            ProblemKind::Invalid { value, bound } => {
                write!(f, "{path} is {value}, but must be {bound}")
            }
            ProblemKind::Unset { variable } => write!(
                f,
                "{path} needs the environment variable {variable}, which is not set: set it, or \
                 give a default as in `${{{variable}:-default}}`"
            ),
            ProblemKind::Substitution => write!(
                f,
                "{path} has a `$` that begins no variable: write `${{NAME}}` or \
                 `${{NAME:-default}}` for a variable, `$$` for a dollar"
            ),
        }
    }
}

/// `text` as a message shows it: on one line, without control characters, and not endless.
pub(super) fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    if text.trim().is_empty() {
        return format!("{text:?}");
    }
    let mut shown: String = text.chars().take(CHARS_MAX).flat_map(escaped).collect();
    if text.chars().nth(CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

fn escaped(c: char) -> Vec<char> {
    if c.is_control() { c.escape_default().collect() } else { vec![c] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shown_on_one_line_and_cut() {
        assert_eq!(shown("plain text"), "plain text");
        assert_eq!(shown(""), "\"\"");
        assert_eq!(shown("a\nb\u{1b}[0m"), "a\\nb\\u{1b}[0m");
        assert_eq!(shown(&"x".repeat(61)), format!("{}…", "x".repeat(60)));
    }

    #[test]
    fn every_problem_stands_on_a_line_with_its_place() {
        let mut first = Problem::invalid("http.connections_max", 0, "between 1 and 100000");
        first.place = Some(Place { line: 3, column: 20 });
        let second = Problem::invalid("data_dir", "\"\"", "a path");
        let error =
            ConfigError::Refused { file: "tidegate.yaml".into(), problems: vec![first, second] };
        assert_eq!(
            error.to_string(),
            "tidegate.yaml:3:20: http.connections_max is 0, but must be between 1 and 100000\n\
             data_dir is \"\", but must be a path"
        );
    }
}
