//! How do values come from the environment without changing what the file says?
//!
//! `${NAME}` stands for a variable, `${NAME:-default}` for one that may be unset or empty, `$$`
//! for a dollar. They are replaced in values, after the file was parsed: a variable that holds
//! `: {` or a line break is a text with these characters in it, never a new setting, and what it
//! holds is not looked at for further variables. Keys are left alone.

use super::error::{Problem, ProblemKind, shown};
use super::yaml::{Node, Value};

/// Where variables come from; the process environment is for the binary to hand in.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Substitutes in every value below `node`. What cannot be substituted becomes a problem, and the
/// value broken.
pub(super) fn substitute(node: &mut Node, path: &str, env: Lookup<'_>, found: &mut Vec<Problem>) {
    match &mut node.value {
        Value::Scalar { text, .. } if text.contains('$') => match replaced(text, env) {
            Ok((new, from_env)) => {
                *text = new;
                node.from_env = from_env;
            }
            Err(kind) => {
                found.push(Problem { path: path.to_owned(), place: Some(node.place), kind });
                node.value = Value::Broken;
            }
        },
        Value::Scalar { .. } | Value::Broken => {}
        Value::List(nodes) => {
            for (index, node) in nodes.iter_mut().enumerate() {
                substitute(node, &format!("{path}[{index}]"), env, found);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                let path = join(path, &entry.key);
                substitute(&mut entry.node, &path, env, found);
            }
        }
    }
}

/// The path of `name` below `path`.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { shown(name) } else { format!("{path}.{}", shown(name)) }
}

/// `text` with its variables replaced, and whether there were any.
fn replaced(text: &str, env: Lookup<'_>) -> Result<(String, bool), ProblemKind> {
    let (mut out, mut rest, mut any) = (String::with_capacity(text.len()), text, false);
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let (inner, after) = after
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'))
            .ok_or(ProblemKind::Substitution)?;
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        if !is_name(name) {
            return Err(ProblemKind::Substitution);
        }
        match (env(name), default) {
            (Some(value), Some(default)) if value.is_empty() => out.push_str(default),
            (Some(value), _) => out.push_str(&value),
            (None, Some(default)) => out.push_str(default),
            (None, None) => return Err(ProblemKind::Unset { variable: name.to_owned() }),
        }
        any = true;
        rest = after;
    }
    out.push_str(rest);
    Ok((out, any))
}

fn is_name(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("db.example".to_owned()),
            "EMPTY" => Some(String::new()),
            "EVIL" => Some("x\nhttp: {listen: 0.0.0.0:80} # ${HOST} $$".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn variables_are_replaced() {
        for (text, expected, from_env) in [
            ("plain", "plain", false),
            ("a ${HOST} b", "a db.example b", true),
            ("${HOST}${HOST}", "db.exampledb.example", true),
            ("${NONE:-fall back}", "fall back", true),
            ("${EMPTY:-full}", "full", true),
            ("${EMPTY}", "", true),
            ("${NONE:-}", "", true),
            ("${HOST:-unused}", "db.example", true),
            ("5 $$", "5 $", false),
            ("$${HOST}", "${HOST}", false),
            ("${EVIL}", "x\nhttp: {listen: 0.0.0.0:80} # ${HOST} $$", true),
        ] {
            assert_eq!(replaced(text, &env), Ok((expected.to_owned(), from_env)), "{text}");
        }
    }

    #[test]
    fn what_is_unset_or_not_understood_is_refused() {
        assert_eq!(
            replaced("${NONE}", &env),
            Err(ProblemKind::Unset { variable: "NONE".to_owned() })
        );
        for text in ["$HOST", "${HOST", "${}", "${1A}", "${A B}", "$", "${A-b}", "${:-x}"] {
            assert_eq!(replaced(text, &env), Err(ProblemKind::Substitution), "{text}");
        }
    }
}
