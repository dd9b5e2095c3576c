//! Where do requests go, and what stands above each body?
//!
//! The head of a request is built once. Only `Content-Length` and the number in the
//! `Idempotency-Key` change, so they have slots of fixed width; the length is filled from the
//! right: blanks before a header's value are allowed (RFC 9110, section 5.5).

use std::ops::Range;

use http::Request;
use thiserror::Error;

use crate::args::Protocol;
use crate::calendar::digits;

/// Digits of a body's length: ten thousand million bytes are far above any bound here.
const LENGTH_DIGITS: usize = 10;
/// Digits of the first event's number in a request's key: as many as a `seq` has.
const KEY_DIGITS: usize = 10;

/// Why a URL or a token cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TargetError {
    /// A scheme other than `http` and `https`.
    #[error("`{url}`: only http:// and https:// are supported, not {scheme}://")]
    Scheme {
        /// The URL as given.
        url: String,
        /// The scheme it names.
        scheme: String,
    },
    /// Not a URL of the form `http[s]://host[:port][/path]`.
    #[error("`{url}`: {reason}; write http://host:port/path")]
    Malformed {
        /// The URL as given.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A token with characters that a header cannot carry.
    #[error("the token has characters a header cannot carry; use visible ASCII without blanks")]
    Token,
}

/// A parsed `http://` or `https://` URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The host's name or address, without brackets.
    pub host: String,
    /// Whether the connection is to speak TLS.
    pub https: bool,
    /// The port; 80, or 443 with https, when the URL names none.
    pub port: u16,
    /// Host and port as the `Host` header wants them.
    authority: String,
    /// Path and query; those of the protocol when the URL names none.
    path: String,
    /// What is spoken there.
    pub(crate) protocol: Protocol,
}

impl Target {
    /// Reads `http[s]://host[:port][/path][?query]`; without a path it is that of the protocol.
    ///
    /// # Errors
    /// [`TargetError::Scheme`] for other schemes, [`TargetError::Malformed`] for
    /// everything else that is no such URL.
    pub fn parse(url: &str, protocol: Protocol) -> Result<Self, TargetError> {
        let malformed = |reason| TargetError::Malformed { url: url.to_owned(), reason };
        let (scheme, rest) = url.split_once("://").ok_or_else(|| malformed("no scheme"))?;
        let https = scheme.eq_ignore_ascii_case("https");
        if !https && !scheme.eq_ignore_ascii_case("http") {
            return Err(TargetError::Scheme { url: url.to_owned(), scheme: scheme.to_owned() });
        }
        if !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(malformed("blanks, control or non-ASCII characters must be %-encoded"));
        }
        let rest = rest.split('#').next().unwrap_or(rest);
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(malformed("user and password do not belong here, use --token"));
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(inner) => {
                inner.split_once(']').ok_or_else(|| malformed("no ] after the address"))?
            }
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        if host.is_empty() {
            return Err(malformed("no host"));
        }
        let port = match port.strip_prefix(':') {
            Some(digits) => digits.parse().map_err(|_| malformed("the port is no number"))?,
            None if port.is_empty() => {
                if https {
                    443
                } else {
                    80
                }
            }
            None => return Err(malformed("only a port may follow the address")),
        };
        let path = match path {
            "" | "/" => protocol.path().to_owned(),
            query if query.starts_with('?') => format!("{}{query}", protocol.path()),
            path => path.to_owned(),
        };
        Ok(Self {
            host: host.to_owned(),
            https,
            port,
            authority: authority.to_owned(),
            path,
            protocol,
        })
    }

    /// The head of every request to this target.
    ///
    /// # Errors
    /// [`TargetError::Token`] when the token cannot stand in a header.
    pub fn head(&self, token: Option<&str>) -> Result<Head, TargetError> {
        let authorization = match token {
            None => String::new(),
            Some(token) if !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic()) => {
                format!("Authorization: Bearer {token}\r\n")
            }
            Some(_) => return Err(TargetError::Token),
        };
        if self.protocol == Protocol::OtlpGrpc {
            let template = self.call(token).map_err(|_| TargetError::Token)?;
            let grpc = Some(Call { template, run: None });
            return Ok(Head { bytes: Vec::new(), length: 0..0, key: None, grpc });
        }
        let before = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: tidegate-load/{}\r\n{authorization}\
             Content-Type: {}\r\nContent-Length: ",
            self.path,
            self.authority,
            env!("CARGO_PKG_VERSION"),
            self.protocol.content_type(),
        );
        let length = before.len()..before.len() + LENGTH_DIGITS;
        let bytes = format!("{before}{}\r\n\r\n", " ".repeat(LENGTH_DIGITS)).into_bytes();
        Ok(Head { bytes, length, key: None, grpc: None })
    }

    /// The head of every call of gRPC.
    fn call(&self, token: Option<&str>) -> Result<Request<()>, http::Error> {
        let scheme = if self.https { "https" } else { "http" };
        let mut call = Request::post(format!("{scheme}://{}{}", self.authority, self.path))
            .version(http::Version::HTTP_2)
            .header("te", "trailers")
            .header("content-type", self.protocol.content_type())
            .header("user-agent", concat!("tidegate-load/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = token {
            call = call.header("authorization", format!("Bearer {token}"));
        }
        call.body(())
    }
}

/// A request's head with room for the length of a body.
#[derive(Debug, Clone)]
pub struct Head {
    bytes: Vec<u8>,
    length: Range<usize>,
    /// Where the number of the first event stands in the request's key, if it has one.
    key: Option<Range<usize>>,
    /// With gRPC there are no bytes, but this.
    grpc: Option<Call>,
}

/// The head of a call.
#[derive(Debug, Clone)]
struct Call {
    template: Request<()>,
    /// What begins the key, if there is one.
    run: Option<u64>,
}

impl Head {
    /// The head of a call whose first event has this number; `None` where calls are not made.
    pub(crate) fn call(&self, first: u64) -> Option<Request<()>> {
        let call = self.grpc.as_ref()?;
        let mut request = call.template.clone();
        if let Some(run) = call.run
            && let Ok(key) = format!("{run:016x}-{first:010}").parse()
        {
            request.headers_mut().insert("idempotency-key", key);
        }
        Some(request)
    }

    /// The bytes that open a request; its body follows directly.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same head with an `Idempotency-Key`: `run`, which must differ from run to run, and the
    /// number that [`set_first`](Self::set_first) notes.
    #[must_use]
    pub fn keyed(mut self, run: u64) -> Self {
        if let Some(call) = &mut self.grpc {
            call.run = Some(run);
            return self;
        }
        let at = self.length.end + 2;
        let header = format!("Idempotency-Key: {run:016x}-{}\r\n", "0".repeat(KEY_DIGITS));
        let end = at + header.len() - 2;
        self.bytes.splice(at..at, header.into_bytes());
        self.key = Some(end - KEY_DIGITS..end);
        self
    }

    /// Whether requests with this head have a key.
    #[must_use]
    pub fn is_keyed(&self) -> bool {
        self.key.is_some() || self.grpc.as_ref().is_some_and(|call| call.run.is_some())
    }

    /// Notes the number of the first event in the key, if there is one, of a request that starts
    /// with this head.
    pub fn set_first(&self, request: &mut [u8], first: u64) {
        if let Some(slot) = self.key.clone().and_then(|key| request.get_mut(key)) {
            digits(slot, first, b'0');
        }
    }

    /// Notes the length of the body, in bytes, in a request that starts with this head.
    pub fn set_length(&self, request: &mut [u8], body: usize) {
        if let Some(slot) = request.get_mut(self.length.clone()) {
            digits(slot, body as u64, b' ');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (url, host, port, path) in [
            ("http://127.0.0.1:8080/v1/events", "127.0.0.1", 8080, "/v1/events"),
            ("http://gate", "gate", 80, "/v1/events"),
            ("http://gate/", "gate", 80, "/v1/events"),
            ("https://gate/", "gate", 443, "/v1/events"),
            ("HTTPS://gate:8443", "gate", 8443, "/v1/events"),
            ("HTTP://gate:1?partial=true", "gate", 1, "/v1/events?partial=true"),
            ("http://[::1]:9000/in#top", "::1", 9000, "/in"),
        ] {
            let target = Target::parse(url, Protocol::Ndjson).unwrap();
            assert_eq!(target.https, url.to_lowercase().starts_with("https"));
            assert_eq!(
                (target.host.as_str(), target.port, target.path.as_str()),
                (host, port, path)
            );
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_the_reason() {
        let refusal = |url| Target::parse(url, Protocol::Ndjson).unwrap_err().to_string();
        assert!(refusal("ftp://gate/").contains("only http://"));
        assert!(refusal("gate:8080").contains("no scheme"));
        assert!(refusal("http://a:b@gate/").contains("--token"));
        assert!(refusal("http://gate:eighty/").contains("port"));
        assert!(refusal("http://gate:99999/").contains("port"));
        assert!(refusal("http://:80/").contains("no host"));
        assert!(refusal("http://[::1/").contains(']'));
        assert!(refusal("http://[::1]x/").contains("only a port"));
        assert!(refusal("http://gate/a b\r\nX: y").contains("%-encoded"));
        let target = Target::parse("http://gate", Protocol::Ndjson).unwrap();
        for token in ["", "a b", "a\r\nX: y", "ä"] {
            assert_eq!(target.head(Some(token)).unwrap_err(), TargetError::Token);
        }
    }

    #[test]
    fn a_head_takes_the_length_of_its_body() {
        let head = Target::parse("http://[::1]:9/", Protocol::Ndjson)
            .unwrap()
            .head(Some("s3cret"))
            .unwrap();
        let mut request = head.bytes().to_vec();
        head.set_length(&mut request, 26_600);
        let text = String::from_utf8(request).unwrap();
        assert!(text.starts_with("POST /v1/events HTTP/1.1\r\nHost: [::1]:9\r\n"), "{text}");
        assert!(text.contains("\r\nAuthorization: Bearer s3cret\r\n"), "{text}");
        assert!(text.ends_with("Content-Length:      26600\r\n\r\n"), "{text}");
        assert!(!head.is_keyed());
        let head = head.keyed(0xAB);
        let mut request = head.bytes().to_vec();
        head.set_length(&mut request, 7);
        head.set_first(&mut request, 4200);
        let text = String::from_utf8(request).unwrap();
        let end =
            "Content-Length:          7\r\nIdempotency-Key: 00000000000000ab-0000004200\r\n\r\n";
        assert!(text.ends_with(end), "{text}");
    }
}
