//! What can be set about the HTTP sink, and within which bounds?
//!
//! Every bound that is documented here is enforced by [`Settings::validate`], which
//! [`HttpSink::start`](super::HttpSink::start) calls: nothing is clamped.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use hyper::Uri;
use hyper::header::{HeaderName, HeaderValue};
use tidegate::SettingError;
use tidegate::error::within;

use super::secret::shown;
use super::status::Meaning;
use super::template::Template;
use crate::json::MEMBERS;

/// Settings of an HTTP sink.
///
/// They print without what may be secret: the values of headers, and user, password and query of
/// the URL.
///
/// ```
/// use tidegate_sinks::http::Settings;
///
/// let mut settings = Settings::new("https://api.example/v1/{lane}?key=s3cret", "api");
/// settings.headers.push(("Authorization".to_owned(), "Bearer t0ken".to_owned()));
/// assert!(settings.validate().is_ok());
/// let printed = format!("{settings:?}");
/// assert!(!printed.contains("s3cret") && !printed.contains("t0ken"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where to: `http://` or `https://`, with `{lane}` and `{sink}` as places to fill in. No user
    /// and password: they belong into a header.
    pub url: String,
    /// The sink's name in the configuration, 1 to 255 bytes. It is part of the `Idempotency-Key`.
    pub name: String,
    /// The request's method. The default is POST.
    pub method: Method,
    /// Headers to send along, with `{lane}` and `{sink}` as places to fill in; at most 64. Those
    /// that say how the body is framed are the sink's own.
    pub headers: Vec<(String, String)>,
    /// How the events of a batch stand in the body. The default is NDJSON.
    pub format: Format,
    /// The member that holds an event's name; not one of the event's own, 1 to 255 bytes. The
    /// default is `_id`.
    pub id_field: String,
    /// How bodies are compressed. The default is not at all.
    pub compression: Compression,
    /// Where the answer says what was taken. The default is the status.
    pub answers: Answers,
    /// What statuses mean, where that differs from the [table](super::status).
    pub statuses: BTreeMap<u16, Meaning>,
    /// How long a connection may take, name lookup and TLS included: 1 ms to 10 min; the default is
    /// 5 s.
    pub connect_timeout: Duration,
    /// How long an attempt may take, from the connection to the end of the answer: 1 ms to 1 h; the
    /// default is 30 s.
    pub timeout: Duration,
    /// How much of an answer that is read item by item, in bytes: 1 KiB to 1 GiB; the default is
    /// 16 MiB.
    pub answer_bytes_max: u64,
    /// A file of certificates in PEM form that are trusted in place of the system's.
    pub ca_file: Option<PathBuf>,
}

/// The method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// `POST`.
    #[default]
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
}

/// How the events of a batch stand in the body: see [`crate::json::Layout`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// One object a line, as `application/x-ndjson`.
    #[default]
    Ndjson,
    /// One array, as `application/json`.
    Json,
    /// Action lines and objects for a `_bulk` endpoint, as `application/x-ndjson`.
    Bulk,
}

/// How bodies are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// With `Content-Encoding: gzip`, at its fastest level.
    Gzip,
    /// With `Content-Encoding: zstd`, at its level 1.
    Zstd,
}

/// Where an answer says what was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Answers {
    /// In its status, for all items alike. Only a 207 is read item by item.
    #[default]
    Status,
    /// In its body, item by item, whenever the status is a success.
    Items,
}

/// Most headers that may be set.
const HEADERS_MAX: usize = 64;
/// Headers that follow from the body, the batch or the connection.
const OWN_HEADERS: [&str; 10] = [
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    super::key::HEADER,
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl Settings {
    /// The defaults, for this address and this name.
    pub fn new(url: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            name: name.into(),
            method: Method::default(),
            headers: Vec::new(),
            format: Format::default(),
            id_field: "_id".to_owned(),
            compression: Compression::default(),
            answers: Answers::default(),
            statuses: BTreeMap::new(),
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            answer_bytes_max: 16 << 20,
            ca_file: None,
        }
    }

    /// Checks every bound.
    ///
    /// # Errors
    ///
    /// [`SettingError`] with the field, its value and its bound. Of what may be secret it names no
    /// value.
    pub fn validate(&self) -> Result<(), SettingError> {
        self.validate_url()?;
        if !(1..=255).contains(&self.name.len()) {
            return Err(SettingError::new("name", &self.name, "1 to 255 bytes long"));
        }
        let id = self.id_field.as_str();
        if !(1..=255).contains(&id.len()) || MEMBERS.contains(&id) {
            let bound = "1 to 255 bytes long, and not the name of a field of an event";
            return Err(SettingError::new("id_field", format!("{id:?}"), bound));
        }
        if self.headers.len() > HEADERS_MAX {
            let bound = format!("at most {HEADERS_MAX}");
            return Err(SettingError::new("headers", self.headers.len(), bound));
        }
        self.headers.iter().try_for_each(|(name, value)| header(name, value))?;
        if let Some(status) = self.statuses.keys().find(|status| !(200..600).contains(*status)) {
            return Err(SettingError::new("statuses", status, "between 200 and 599"));
        }
        let ms = Duration::from_millis(1);
        span("connect_timeout", self.connect_timeout, ms, Duration::from_secs(600))?;
        span("timeout", self.timeout, ms, Duration::from_secs(3_600))?;
        within("answer_bytes_max", self.answer_bytes_max, 1 << 10..=1 << 30)
    }

    fn validate_url(&self) -> Result<(), SettingError> {
        let refuse = |bound: &str| Err(SettingError::new("url", shown(&self.url), bound));
        let template = match Template::parse(&self.url) {
            Ok(template) => template,
            Err(bound) => return refuse(&bound),
        };
        let form = "the address of an HTTP server, like `https://api.example/v1/events`";
        if self.url.is_empty() {
            return Err(SettingError::new("url", "empty", form));
        }
        let Ok(uri) = template.render("default", "sink").parse::<Uri>() else {
            return refuse(form);
        };
        let Some(authority) = uri.authority() else { return refuse(form) };
        if !matches!(uri.scheme_str(), Some("http" | "https"))
            || uri.host().is_none_or(str::is_empty)
        {
            return refuse(form);
        }
        if authority.as_str().contains('@') {
            return refuse(
                "without user and password: send them in the header `Authorization`, as `Basic` \
                 and the base64 of user:password",
            );
        }
        Ok(())
    }

    /// The address as messages name it.
    pub(super) fn site(&self) -> String {
        format!("{} {}", self.method.as_str(), shown(&self.url))
    }

    /// The part of the URL after the question mark.
    pub(super) fn query(&self) -> &str {
        self.url.split_once('?').map_or("", |(_, query)| query)
    }
}

/// Refuses a header that cannot be sent, without repeating its value.
fn header(name: &str, value: &str) -> Result<(), SettingError> {
    let refuse = |bound: &str| Err(SettingError::new("headers", format!("{name:?}"), bound));
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        return refuse("named with letters, digits and `-`");
    }
    if OWN_HEADERS.iter().any(|own| name.eq_ignore_ascii_case(own)) {
        return refuse("left to the sink: it follows from the batch, the body or the connection");
    }
    match Template::parse(value).map(|value| HeaderValue::from_str(&value.render("", ""))) {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) => refuse("given a value of visible characters and spaces, on one line"),
        Err(bound) => refuse(&format!("given a value {bound}")),
    }
}

impl Method {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| (name, "***")).collect();
        f.debug_struct("Settings")
            .field("url", &shown(&self.url))
            .field("name", &self.name)
            .field("method", &self.method)
            .field("headers", &headers)
            .field("format", &self.format)
            .field("id_field", &self.id_field)
            .field("compression", &self.compression)
            .field("answers", &self.answers)
            .field("statuses", &self.statuses)
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout)
            .field("answer_bytes_max", &self.answer_bytes_max)
            .field("ca_file", &self.ca_file)
            .finish()
    }
}

fn span(
    field: &'static str,
    value: Duration,
    min: Duration,
    max: Duration,
) -> Result<(), SettingError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    let bound = format!("between {min:?} and {max:?}");
    Err(SettingError::new(field, format!("{value:?}"), bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(change: impl FnOnce(&mut Settings)) -> String {
        let mut settings = Settings::new("https://api.example/v1", "api");
        change(&mut settings);
        settings.validate().unwrap_err().to_string()
    }

    fn header_refusal(name: &str, value: &str) -> String {
        refusal(|s| s.headers.push((name.to_owned(), value.to_owned())))
    }

    #[test]
    fn the_defaults_are_within_the_bounds() {
        for url in ["http://127.0.0.1:1", "https://api.example/{lane}/{sink}?a={lane}"] {
            assert_eq!(Settings::new(url, "api").validate(), Ok(()), "{url}");
        }
    }

    #[test]
    fn an_address_that_cannot_be_used_is_refused_without_its_secrets() {
        let form = "the address of an HTTP server, like `https://api.example/v1/events`";
        for (url, expected) in [
            ("", format!("url is empty, but must be {form}")),
            ("api.example/v1", format!("url is api.example/v1, but must be {form}")),
            ("ftp://api.example", format!("url is ftp://api.example, but must be {form}")),
            ("https:///v1?k=secret", format!("url is https:///v1?***, but must be {form}")),
            (
                "https://me:secret@api.example/",
                "url is https://api.example/, but must be without user and password: send them in \
                 the header `Authorization`, as `Basic` and the base64 of user:password"
                    .to_owned(),
            ),
            (
                "https://api.example/{sin}",
                "url is https://api.example/{sin}, but must be without `{sin}` (did you mean \
                 `{sink}`?): there are `{lane}` and `{sink}`, which are the same for all items of \
                 a batch"
                    .to_owned(),
            ),
        ] {
            assert_eq!(refusal(|s| s.url = url.to_owned()), expected);
        }
    }

    #[test]
    fn a_header_that_cannot_be_sent_is_refused_without_its_value() {
        let own = "left to the sink: it follows from the batch, the body or the connection";
        for (name, value, expected) in [
            (
                "a b",
                "secret",
                r#"headers is "a b", but must be named with letters, digits and `-`"#,
            ),
            (
                "X",
                "secret\r\nY: z",
                r#"headers is "X", but must be given a value of visible characters and spaces, on one line"#,
            ),
            (
                "X",
                "{secret",
                r#"headers is "X", but must be given a value without single braces: write `{{` and `}}` for braces"#,
            ),
            ("Content-Length", "7", &format!(r#"headers is "Content-Length", but must be {own}"#)),
            (
                "idempotency-KEY",
                "7",
                &format!(r#"headers is "idempotency-KEY", but must be {own}"#),
            ),
        ] {
            assert_eq!(header_refusal(name, value), expected);
        }
    }

    #[test]
    fn each_bound_is_enforced_with_field_value_and_bound() {
        let id = "but must be 1 to 255 bytes long, and not the name of a field of an event";
        let many = vec![("X".to_owned(), String::new()); 65];
        for (said, expected) in [
            (refusal(|s| s.name.clear()), "name is , but must be 1 to 255 bytes long".to_owned()),
            (refusal(|s| s.id_field.clear()), format!("id_field is \"\", {id}")),
            (refusal(|s| s.id_field = "body".into()), format!("id_field is \"body\", {id}")),
            (refusal(|s| s.headers = many), "headers is 65, but must be at most 64".to_owned()),
            (
                refusal(|s| s.statuses = BTreeMap::from([(100, Meaning::Retry)])),
                "statuses is 100, but must be between 200 and 599".to_owned(),
            ),
            (
                refusal(|s| s.connect_timeout = Duration::ZERO),
                "connect_timeout is 0ns, but must be between 1ms and 600s".to_owned(),
            ),
            (
                refusal(|s| s.timeout = Duration::from_secs(3_601)),
                "timeout is 3601s, but must be between 1ms and 3600s".to_owned(),
            ),
            (
                refusal(|s| s.answer_bytes_max = 7),
                "answer_bytes_max is 7, but must be between 1024 and 1073741824".to_owned(),
            ),
        ] {
            assert_eq!(said, expected);
        }
    }
}
