//! What does a sink of the type `http` need?
//!
//! Its bounds are those of the sink itself. What may be secret has a type of its own that does not
//! print it: the values of headers, and of the URL what stands after its question mark.
//!
//! A rate limit needs no setting here: it is the lane's `pace`, in requests a second, since an
//! attempt is a request. Requests spaced evenly never need the burst that such limits allow, and a
//! limit that nobody declared is learnt from the answers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use tidegate_sinks::http;

use super::check::Check;
use super::defaults;
use super::read::{Fields, Leaf, Section, choice};
use super::secret::Secret;
use super::units::{ByteSize, Span};

/// Settings of a sink of the type `http`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(default)]
pub struct HttpSinkConfig {
    /// Where to, `http://` or `https://`; `{lane}` and `{sink}` are filled in. No default.
    pub url: Address,
    /// The method of a request. Default post.
    pub method: Method,
    /// Headers to send along, by name; `{lane}` and `{sink}` are filled in. Their values are best
    /// taken from the environment, and are never printed. Default none.
    pub headers: BTreeMap<String, Header>,
    /// How the events of a batch stand in the body. Default ndjson.
    pub format: Format,
    /// The member of an event's object that holds its name; not one of the event's own. Default
    /// _id.
    pub id_field: String,
    /// How bodies are compressed. Default none.
    pub compression: Compression,
    /// Where the answer says what was taken. Default status.
    pub answer: Answers,
    /// What single statuses mean, like `{ 409: taken }`, where it is not what they usually mean.
    /// Default none.
    pub statuses: BTreeMap<String, StatusMeaning>,
    /// How long a connection may take, 1 ms to 10 m. Default 5 s.
    pub connect_timeout: Span,
    /// How much is read of an answer that names its items, 1 KiB to 1 GiB. Default 16 MiB.
    pub answer_bytes_max: ByteSize,
    /// A file of certificates (PEM) that are trusted in place of the system's. Default null.
    pub ca_file: Option<PathBuf>,
}

/// A URL; what stands after its question mark is not printed.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Address(String);

/// The value of a header.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Header(Secret);

/// The method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// `POST`.
    #[default]
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
}

/// How the events of a batch stand in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One object a line.
    #[default]
    Ndjson,
    /// One array.
    Json,
    /// Action lines and objects for a `_bulk` endpoint, as Elasticsearch has it.
    Bulk,
}

/// How bodies are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// With gzip.
    Gzip,
    /// With zstd.
    Zstd,
}

/// Where an answer says what was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answers {
    /// In its status, for all items alike. Only a 207 is read item by item.
    #[default]
    Status,
    /// In its body, item by item, as a `_bulk` endpoint does.
    Items,
}

/// What a status means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatusMeaning {
    /// The batch was taken.
    Taken,
    /// It may be taken later: something is to be mended, but not in the data.
    #[default]
    Retry,
    /// The backend has too much to do.
    Overloaded,
    /// The backend gave up waiting for something.
    Late,
    /// A limit on requests was reached.
    Throttled,
    /// The batch is too large.
    TooLarge,
    /// The data was refused for good.
    Refused,
}

impl Default for HttpSinkConfig {
    fn default() -> Self {
        Self {
            url: Address::default(),
            method: Method::default(),
            headers: BTreeMap::new(),
            format: Format::default(),
            id_field: "_id".to_owned(),
            compression: Compression::default(),
            answer: Answers::default(),
            statuses: BTreeMap::new(),
            connect_timeout: Span::secs(5),
            answer_bytes_max: ByteSize::mib(16),
            ca_file: None,
        }
    }
}

impl HttpSinkConfig {
    /// The settings of the sink with this name.
    #[must_use]
    pub fn settings(&self, name: &str) -> http::Settings {
        let header =
            |(name, value): (&String, &Header)| (name.clone(), value.0.expose().to_owned());
        let status = |(status, meaning): (&String, &StatusMeaning)| {
            // What is no number is refused, as any number is that is no status.
            (status.parse().unwrap_or(0), meaning.meaning())
        };
        http::Settings {
            method: match self.method {
                Method::Post => http::Method::Post,
                Method::Put => http::Method::Put,
                Method::Patch => http::Method::Patch,
            },
            headers: self.headers.iter().map(header).collect(),
            format: match self.format {
                Format::Ndjson => http::Format::Ndjson,
                Format::Json => http::Format::Json,
                Format::Bulk => http::Format::Bulk,
            },
            id_field: self.id_field.clone(),
            compression: match self.compression {
                Compression::None => http::Compression::None,
                Compression::Gzip => http::Compression::Gzip,
                Compression::Zstd => http::Compression::Zstd,
            },
            answers: match self.answer {
                Answers::Status => http::Answers::Status,
                Answers::Items => http::Answers::Items,
            },
            statuses: self.statuses.iter().map(status).collect(),
            connect_timeout: self.connect_timeout.duration(),
            // The lane's own `timeout` ends an attempt; classes may have another than their sink.
            timeout: defaults::TIMEOUT.max.duration(),
            answer_bytes_max: self.answer_bytes_max.bytes(),
            ca_file: self.ca_file.clone(),
            ..http::Settings::new(&self.url.0, name)
        }
    }

    pub(super) fn check(&self, path: &str, check: &mut Check) {
        let unset = self.headers.iter().filter(|(_, value)| value.0.is_empty());
        for (name, _) in unset {
            let bound = "given a value, or removed";
            check.invalid(&format!("{path}.headers.{name}"), "empty", bound);
        }
        let is_status = |text: &str| text.parse().is_ok_and(|status| (200..600).contains(&status));
        for status in self.statuses.keys().filter(|status| !is_status(status)) {
            let bound = "the meanings of statuses from 200 to 599";
            check.invalid(&format!("{path}.statuses"), format!("of {status:?}"), bound);
        }
        // The first of what the sink itself refuses; statuses and spans are said in our words.
        let settings = http::Settings { statuses: BTreeMap::new(), ..self.settings("sink") };
        if let Err(error) = settings.validate() {
            let value = match error.field {
                "connect_timeout" => self.connect_timeout.to_string(),
                "answer_bytes_max" => self.answer_bytes_max.to_string(),
                _ => error.value,
            };
            check.invalid(&format!("{path}.{}", error.field), value, error.bound);
        }
    }
}

impl StatusMeaning {
    const fn meaning(self) -> http::Meaning {
        match self {
            Self::Taken => http::Meaning::Taken,
            Self::Retry => http::Meaning::Retry,
            Self::Overloaded => http::Meaning::Overloaded,
            Self::Late => http::Meaning::Late,
            Self::Throttled => http::Meaning::Throttled,
            Self::TooLarge => http::Meaning::TooLarge,
            Self::Refused => http::Meaning::Refused,
        }
    }
}

impl Section for HttpSinkConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self {
            url,
            method,
            headers,
            format,
            id_field,
            compression,
            answer,
            statuses,
            connect_timeout,
            answer_bytes_max,
            ca_file,
        } = self;
        fields.leaf("url", url);
        fields.leaf("method", method);
        fields.named("headers", headers);
        fields.leaf("format", format);
        fields.leaf("id_field", id_field);
        fields.leaf("compression", compression);
        fields.leaf("answer", answer);
        fields.named("statuses", statuses);
        fields.leaf("connect_timeout", connect_timeout);
        fields.leaf("answer_bytes_max", answer_bytes_max);
        fields.optional("ca_file", ca_file);
    }
}

impl Section for Header {
    fn fields(&mut self, _: &mut Fields<'_>) {}

    fn word(&mut self, word: &str) -> Result<&'static str, Cow<'static, str>> {
        self.0 = Secret::new(word);
        Ok("")
    }
}

impl Section for StatusMeaning {
    fn fields(&mut self, _: &mut Fields<'_>) {}

    fn word(&mut self, word: &str) -> Result<&'static str, Cow<'static, str>> {
        *self = Self::read(word)?;
        Ok("")
    }
}

macro_rules! words {
    ($($type:ty: $($word:literal = $variant:ident),+;)+) => {$(
        impl Leaf for $type {
            fn read(text: &str) -> Result<Self, Cow<'static, str>> {
                choice(text, &[$(($word, Self::$variant)),+]).map_err(Cow::Owned)
            }
        }
    )+};
}

words! {
    Method: "post" = Post, "put" = Put, "patch" = Patch;
    Format: "ndjson" = Ndjson, "json" = Json, "bulk" = Bulk;
    Compression: "none" = None, "gzip" = Gzip, "zstd" = Zstd;
    Answers: "status" = Status, "items" = Items;
    StatusMeaning: "taken" = Taken, "retry" = Retry, "overloaded" = Overloaded, "late" = Late,
        "throttled" = Throttled, "too_large" = TooLarge, "refused" = Refused;
}

impl Leaf for Address {
    fn read(text: &str) -> Result<Self, Cow<'static, str>> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&http::shown(&self.0))
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&http::shown(&self.0))
    }
}

impl JsonSchema for Address {
    fn schema_name() -> Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A URL. What stands after its question mark is never printed.",
            "type": "string",
        })
    }
}

impl JsonSchema for Header {
    fn schema_name() -> Cow<'static, str> {
        "Header".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Secret::json_schema(generator)
    }
}
