//! What may stand in a URL or a header besides text? Names that are the same for all items of a
//! batch: a batch is one request.
//!
//! `{lane}` is the lane's name, which is that of its class, or `default`; `{sink}` the sink's name.
//! `{{` and `}}` are braces. What is put in is percent-encoded but for letters, digits, `-`, `.`,
//! `_` and `~`, so that it can neither end a path segment nor begin another header.

use std::fmt::Write as _;

/// A text with places to fill in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Lane,
    Sink,
}

const KNOWN: [&str; 2] = ["lane", "sink"];

impl Template {
    /// Reads a template, or says what is wrong with it without repeating the text around it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (mut parts, mut plain) = (Vec::new(), String::new());
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }
            let Some((name, after)) = rest.split_once('}').filter(|_| brace == "{") else {
                return Err("without single braces: write `{{` and `}}` for braces".to_owned());
            };
            parts.push(Part::Text(std::mem::take(&mut plain)));
            parts.push(match name {
                "lane" => Part::Lane,
                "sink" => Part::Sink,
                other => return Err(unknown(other)),
            });
            rest = after;
        }
        plain.push_str(rest);
        parts.push(Part::Text(plain));
        parts.retain(|part| *part != Part::Text(String::new()));
        Ok(Self(parts))
    }

    /// The text for a batch of this lane.
    pub(super) fn render(&self, lane: &str, sink: &str) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Lane => encode(lane, &mut out),
                Part::Sink => encode(sink, &mut out),
            }
        }
        out
    }
}

fn unknown(name: &str) -> String {
    /// Below it, two words have little in common (Jaro and Winkler, 0 to 1).
    const ALIKE_MIN: f64 = 0.7;
    // What follows a stray brace may be anything, a secret too: only a name is repeated.
    let is_name = name.len() <= 32 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let known = "`{lane}` and `{sink}`, which are the same for all items of a batch";
    if !is_name {
        return format!("with no other placeholders than {known}");
    }
    let alike = |known: &&&str| strsim::jaro_winkler(name, known);
    let nearest = KNOWN
        .iter()
        .max_by(|one, other| alike(one).total_cmp(&alike(other)))
        .filter(|known| alike(known) >= ALIKE_MIN || (name == "class" && **known == "lane"));
    let meant = match (name, nearest) {
        ("class", _) => " (did you mean `{lane}`?)".to_owned(),
        (_, Some(meant)) => format!(" (did you mean `{{{meant}}}`?)"),
        (_, None) => String::new(),
    };
    format!("without `{{{name}}}`{meant}: there are {known}")
}

/// Appends the text with everything but unreserved characters percent-encoded (RFC 3986, 2.3).
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> String {
        Template::parse(text).unwrap().render("wr/i te", "api")
    }

    #[test]
    fn names_are_filled_in_and_encoded() {
        assert_eq!(rendered("/{lane}/{sink}?x={lane}"), "/wr%2Fi%20te/api?x=wr%2Fi%20te");
        assert_eq!(rendered("plain"), "plain");
        assert_eq!(rendered("{{lane}} {{{sink}}}"), "{lane} {api}");
        assert_eq!(rendered(""), "");
    }

    #[test]
    fn what_is_not_known_is_refused_with_the_nearest() {
        let refused = |text| Template::parse(text).unwrap_err();
        let known = "there are `{lane}` and `{sink}`, which are the same for all items of a batch";
        assert_eq!(
            refused("/{lan}"),
            format!("without `{{lan}}` (did you mean `{{lane}}`?): {known}")
        );
        assert_eq!(
            refused("/{class}"),
            format!("without `{{class}}` (did you mean `{{lane}}`?): {known}")
        );
        assert_eq!(refused("/{service}"), format!("without `{{service}}`: {known}"));
        for text in ["a}b", "a{b", "{", "}"] {
            assert_eq!(
                refused(text),
                "without single braces: write `{{` and `}}` for braces",
                "{text}"
            );
        }
        assert!(!refused("{T0ken s3cret}").contains("s3cret"));
    }
}
