//! Who may send events, and how much of this process may one sender take?

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::Serialize;

use super::check::Check;
use super::defaults;
use super::idempotency::IdempotencyConfig;
use super::otlp::OtlpConfig;
use super::read::{Fields, Section};
use super::secret::Secret;
use super::tls::TlsConfig;
use super::units::{ByteSize, Span};

/// The one listener: events, health, metrics and the API.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Address and port to listen on; port 0 picks a free one. Default 127.0.0.1:8080, which only
    /// this machine can reach.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// Bearer token that every request must carry: required, with at least 16 characters, when
    /// `listen` is not a loopback address. Empty means none. Default `${TIDEGATE_TOKEN:-}`.
    pub token: Secret,
    /// With which files the listener speaks TLS. Default null everywhere: it does not.
    pub tls: TlsConfig,
    /// Most bytes of a request body as it is sent, 1 KiB to 1 GiB. Default 10 MiB.
    pub body_bytes_max: ByteSize,
    /// Most bytes of a request body once decompressed, 1 KiB to 1 GiB, at least `body_bytes_max`
    /// and at most `journal.segment_bytes`, because a request is kept in one piece. Default
    /// 64 MiB.
    pub decompressed_bytes_max: ByteSize,
    /// Most bytes of one event, 1 KiB to 256 MiB and at most `decompressed_bytes_max`. Default
    /// 1 MiB.
    pub event_bytes_max: ByteSize,
    /// Most bytes of all bodies together that are being received and parsed, 1 KiB to 64 GiB and
    /// at least `decompressed_bytes_max`. Default 256 MiB.
    pub in_flight_bytes_max: ByteSize,
    /// Most connections at once, 1 to 100,000. Default 1,024.
    #[schemars(range(min = defaults::CONNECTIONS.min, max = defaults::CONNECTIONS.max))]
    pub connections_max: u32,
    /// Longest wait for the headers of a request, and for a client that does not read its answer,
    /// 100 ms to 10 m. Default 10 s.
    pub header_timeout: Span,
    /// Longest wait for the body of a request, 100 ms to 1 h. Default 30 s.
    pub body_timeout: Span,
    /// How long an `Idempotency-Key` is remembered.
    pub idempotency: IdempotencyConfig,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: defaults::LISTEN,
            token: Secret::default(),
            tls: TlsConfig::default(),
            body_bytes_max: defaults::BODY_BYTES.default,
            decompressed_bytes_max: defaults::DECOMPRESSED_BYTES.default,
            event_bytes_max: defaults::EVENT_BYTES.default,
            in_flight_bytes_max: defaults::IN_FLIGHT_BYTES.default,
            connections_max: defaults::CONNECTIONS.default,
            header_timeout: defaults::HEADER_TIMEOUT.default,
            body_timeout: defaults::BODY_TIMEOUT.default,
            idempotency: IdempotencyConfig::default(),
        }
    }
}

impl Section for HttpConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self {
            listen,
            token,
            tls,
            body_bytes_max,
            decompressed_bytes_max,
            event_bytes_max,
            in_flight_bytes_max,
            connections_max,
            header_timeout,
            body_timeout,
            idempotency,
        } = self;
        fields.leaf("listen", listen);
        fields.leaf("token", token);
        fields.section("tls", tls);
        fields.leaf("body_bytes_max", body_bytes_max);
        fields.leaf("decompressed_bytes_max", decompressed_bytes_max);
        fields.leaf("event_bytes_max", event_bytes_max);
        fields.leaf("in_flight_bytes_max", in_flight_bytes_max);
        fields.leaf("connections_max", connections_max);
        fields.leaf("header_timeout", header_timeout);
        fields.leaf("body_timeout", body_timeout);
        fields.section("idempotency", idempotency);
    }
}

impl HttpConfig {
    /// Whether only this machine can reach the listener.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.listen.ip().to_canonical().is_loopback()
    }

    pub(super) fn check(&self, otlp: &OtlpConfig, check: &mut Check) {
        check.within("http.body_bytes_max", self.body_bytes_max, defaults::BODY_BYTES);
        let decompressed = ("http.decompressed_bytes_max", self.decompressed_bytes_max);
        check.within(decompressed.0, decompressed.1, defaults::DECOMPRESSED_BYTES);
        check.within("http.event_bytes_max", self.event_bytes_max, defaults::EVENT_BYTES);
        let in_flight = ("http.in_flight_bytes_max", self.in_flight_bytes_max);
        check.within(in_flight.0, in_flight.1, defaults::IN_FLIGHT_BYTES);
        check.within("http.connections_max", self.connections_max, defaults::CONNECTIONS);
        check.within("http.header_timeout", self.header_timeout, defaults::HEADER_TIMEOUT);
        check.within("http.body_timeout", self.body_timeout, defaults::BODY_TIMEOUT);
        check.at_least(decompressed, ("http.body_bytes_max", self.body_bytes_max));
        check.at_least(in_flight, decompressed);
        check.at_most(("http.event_bytes_max", self.event_bytes_max), decompressed);
        self.idempotency.check(check);
        self.tls.check(check);
        self.check_token(otlp, check);
    }

    fn check_token(&self, otlp: &OtlpConfig, check: &mut Check) {
        let token = self.token.expose();
        let count = token.chars().count();
        let value =
            if count == 0 { "empty".to_owned() } else { format!("*** ({count} characters)") };
        let all = std::iter::once(self.listen).chain(otlp.addresses().map(|(_, address)| address));
        let mut open = all.filter(|address| !address.ip().to_canonical().is_loopback());
        if let Some(open) = open.next().filter(|_| count < defaults::TOKEN_CHARS_MIN) {
            let bound = format!(
                "at least {} characters, because {open} can be reached by others: set it, or \
                 listen on a loopback address",
                defaults::TOKEN_CHARS_MIN,
            );
            check.invalid("http.token", value, bound);
        } else if count > defaults::TOKEN_CHARS_MAX || !token.bytes().all(|b| b.is_ascii_graphic())
        {
            let bound = format!(
                "at most {} characters of printable ASCII without blanks, which fit in a header",
                defaults::TOKEN_CHARS_MAX
            );
            check.invalid("http.token", value, bound);
        }
    }
}
