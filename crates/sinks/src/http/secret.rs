//! How does a secret stay out of messages? It is known, and struck out of whatever is quoted.
//!
//! Headers and the query of the URL may hold tokens. The sink's own messages name neither. But a
//! message also quotes the backend, and some backends repeat what they were sent: so every quote is
//! searched for the words that were in a header or in the query.

/// What stands in place of a secret.
const MASK: &str = "***";
/// Shorter words are no secrets, and striking them out would only garble the message.
const WORD_BYTES_MIN: usize = 6;

/// The words that must not be shown, longest first.
#[derive(Clone, Default)]
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// The words of header values and of a query.
    pub(super) fn new<'t>(headers: impl Iterator<Item = (&'t str, &'t str)>, query: &str) -> Self {
        let mut words: Vec<String> = Vec::new();
        let secret = headers.filter(|(name, _)| !is_public(name)).map(|(_, value)| value);
        for value in secret {
            words.push(value.to_owned());
            words.extend(value.split([' ', ',', ';', '=']).map(str::to_owned));
        }
        words.push(query.to_owned());
        for pair in query.split('&') {
            words.push(pair.split_once('=').map_or(pair, |(_, value)| value).to_owned());
        }
        words.retain(|word| word.len() >= WORD_BYTES_MIN);
        // A word that holds another must go first, or its rest would be left standing.
        words.sort_unstable_by_key(|word| std::cmp::Reverse(word.len()));
        words.dedup();
        Self(words)
    }

    /// The text without its secrets.
    pub(super) fn strike(&self, text: &str) -> String {
        let strike = |text: String, word: &String| {
            if text.contains(word.as_str()) { text.replace(word.as_str(), MASK) } else { text }
        };
        self.0.iter().fold(text.to_owned(), strike)
    }
}

/// Headers that say how a body is to be read.
fn is_public(name: &str) -> bool {
    ["accept", "content-type", "user-agent"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// A URL as far as it may be shown: without user, password, query and fragment.
///
/// ```
/// use tidegate_sinks::http::shown;
///
/// assert_eq!(shown("https://me:pw@api.example/v1?key=s3cret"), "https://api.example/v1?***");
/// ```
#[must_use]
pub fn shown(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let (visible, hidden) = url.split_at(end);
    let visible = match visible.split_once("://") {
        Some((scheme, rest)) => {
            let authority = rest.find('/').unwrap_or(rest.len());
            // A password may hold an `@`, a host may not.
            let host = rest[..authority].rfind('@').map_or(0, |at| at + 1);
            format!("{scheme}://{}", &rest[host..])
        }
        // What has no scheme is refused; it may begin with a user all the same.
        None => visible.rsplit_once('@').map_or(visible, |(_, rest)| rest).to_owned(),
    };
    if hidden.is_empty() { visible } else { format!("{visible}?{MASK}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_may_be_secret() {
        for (url, expected) in [
            ("https://api.example/v1", "https://api.example/v1"),
            ("https://api.example/v1?key=s3cret", "https://api.example/v1?***"),
            ("https://me:p@ss@api.example:8443/v1#frag", "https://api.example:8443/v1?***"),
            ("https://me:pass@api.example", "https://api.example"),
            ("https://api.example/a@b", "https://api.example/a@b"),
            ("me:pass@api.example/x", "api.example/x"),
        ] {
            assert_eq!(shown(url), expected);
        }
    }

    #[test]
    fn every_word_of_a_secret_is_struck_out() {
        let headers = [
            ("Authorization", "Bearer abcdef.123456"),
            ("Content-Type", "application/json"),
            ("X-Short", "on"),
        ];
        let secrets = Secrets::new(headers.into_iter(), "api_key=topsecret&v=1&abcdef");
        assert_eq!(
            secrets.strike("bad token abcdef.123456 (Bearer abcdef.123456), key topsecret is on"),
            "bad token *** (***), key *** is on"
        );
        assert_eq!(secrets.strike("want application/json"), "want application/json");
    }
}
