//! How is a request sent, and how much of its answer read?
//!
//! One client with a pool of connections that are kept open. Of an answer as much is read as is
//! needed and no more: a backend must not fill our memory.

use std::error::Error as StdError;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{
    CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, USER_AGENT,
};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::connect::Connector;
use super::judge::is_listed;
use super::secret::shown;
use super::settings::{Compression, Format, Settings};
use super::template::Template;
use super::{key, wait};

/// Idle connections that are kept, and for how long: many servers close them after a minute.
const IDLE_MAX: usize = 64;
const IDLE_TIME: Duration = Duration::from_secs(50);
/// How much of an answer is read for its first line, or only to keep the connection.
const GLANCE_BYTES: u64 = 16 << 10;
const AGENT: &str = concat!("tidegate/", env!("CARGO_PKG_VERSION"));

/// Sends requests.
pub(super) struct Exchange {
    client: Client<Connector, Full<Bytes>>,
    url: Template,
    headers: Vec<(HeaderName, Template)>,
    fixed: Vec<(HeaderName, HeaderValue)>,
    settings: Settings,
}

/// What the backend answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    /// Where a redirect points to, as far as it may be shown.
    pub(super) location: Option<String>,
    /// What was read of the body.
    pub(super) body: Bytes,
    /// Why the rest of it was not.
    pub(super) cut: Option<String>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The request cannot be sent with this lane's name in its URL or headers.
    Unsendable(String),
    /// There is no connection.
    Unconnected(String),
    /// The connection ended before the answer.
    Broken(String),
    /// No answer within the time allowed.
    Late(Duration),
}

impl Exchange {
    /// A client for these settings, which are within their bounds.
    pub(super) fn new(settings: &Settings) -> Result<Self, String> {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIME)
            .pool_max_idle_per_host(IDLE_MAX)
            .build(Connector::new(settings)?);
        let mut fixed = vec![(USER_AGENT, HeaderValue::from_static(AGENT))];
        let content = match settings.format {
            Format::Ndjson | Format::Bulk => "application/x-ndjson",
            Format::Json => "application/json",
        };
        fixed.push((CONTENT_TYPE, HeaderValue::from_static(content)));
        let encoding = match settings.compression {
            Compression::None => None,
            Compression::Gzip => Some("gzip"),
            Compression::Zstd => Some("zstd"),
        };
        fixed.extend(encoding.map(|name| (CONTENT_ENCODING, HeaderValue::from_static(name))));
        let mut headers = Vec::new();
        for (name, value) in &settings.headers {
            let named = HeaderName::from_bytes(name.as_bytes());
            let named = named.map_err(|_| format!("header {name:?} cannot be sent"))?;
            fixed.retain(|(own, _)| *own != named);
            headers.push((named, Template::parse(value)?));
        }
        let url = Template::parse(&settings.url)?;
        Ok(Self { client, url, headers, fixed, settings: settings.clone() })
    }

    /// Sends a body and reads the answer.
    pub(super) async fn send(
        &self,
        lane: &str,
        sink: &str,
        key: &str,
        body: Bytes,
    ) -> Result<Answer, Trouble> {
        let request = self.request(lane, sink, key, body).map_err(Trouble::Unsendable)?;
        let exchanged = async {
            match self.client.request(request).await {
                Ok(response) => Ok(self.read(response).await),
                Err(error) if error.is_connect() => Err(Trouble::Unconnected(causes(&error))),
                Err(error) => Err(Trouble::Broken(causes(&error))),
            }
        };
        let timeout = self.settings.timeout;
        let answered = tokio::time::timeout(timeout, exchanged).await;
        answered.unwrap_or(Err(Trouble::Late(timeout)))
    }

    fn request(
        &self,
        lane: &str,
        sink: &str,
        key: &str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, String> {
        let unsendable = |what: &str| format!("with the lane {lane:?}, {what} cannot be sent");
        let url = self.url.render(lane, sink).parse::<Uri>().map_err(|_| unsendable("the url"))?;
        let mut request = Request::new(Full::new(body));
        *request.uri_mut() = url;
        *request.method_mut() = match self.settings.method {
            super::Method::Post => Method::POST,
            super::Method::Put => Method::PUT,
            super::Method::Patch => Method::PATCH,
        };
        let sent = request.headers_mut();
        sent.extend(self.fixed.iter().cloned().map(|(name, value)| (Some(name), value)));
        for (name, template) in &self.headers {
            let value = HeaderValue::from_str(&template.render(lane, sink));
            let mut value = value.map_err(|_| unsendable(name.as_str()))?;
            // So that no library on the way prints it.
            value.set_sensitive(true);
            sent.append(name, value);
        }
        let value = HeaderValue::from_str(key).map_err(|_| unsendable(key::HEADER))?;
        sent.insert(key::HEADER, value);
        Ok(request)
    }

    async fn read(&self, response: Response<Incoming>) -> Answer {
        let (head, body) = response.into_parts();
        let status = head.status;
        let is_listed = is_listed(&self.settings, status.as_u16());
        let most = if is_listed { self.settings.answer_bytes_max } else { GLANCE_BYTES };
        let (body, cut) = bounded(body, most).await;
        let location = head.headers.get(LOCATION).and_then(|location| location.to_str().ok());
        Answer {
            status,
            retry_after: wait::asked(&head.headers, wall_clock),
            location: location.map(shown),
            body,
            cut,
        }
    }
}

/// Reads a body up to `most` bytes, and says why it is not whole.
async fn bounded(mut body: Incoming, most: u64) -> (Bytes, Option<String>) {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let data = match frame {
            Ok(frame) => frame.into_data(),
            Err(error) => return (read.freeze(), Some(causes(&error))),
        };
        // What is not data are trailers.
        let Ok(data) = data else { continue };
        let room = usize::try_from(most).unwrap_or(usize::MAX) - read.len();
        read.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            // The connection cannot be used again with an answer in it that nobody reads.
            return (read.freeze(), Some(format!("it has more than {most} bytes")));
        }
    }
    (read.freeze(), None)
}

/// An error with what lies under it: the top alone often says nothing.
fn causes(error: &dyn StdError) -> String {
    let mut said = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        let text = cause.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        below = cause.source();
    }
    said
}

#[expect(clippy::disallowed_methods, reason = "the edge: what reads a date gets it as an argument")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}
