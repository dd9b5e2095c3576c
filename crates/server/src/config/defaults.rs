//! Which limits are in force when nobody sets any, and how far may each be moved?
//!
//! All of them stand here. The bounds of what the library runs (batch sizes, concurrency, pace,
//! controllers) are the library's own and are checked there; only their defaults are chosen here.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::units::{ByteSize, Span};

/// A setting's default and the least and most it may be set to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit<T> {
    pub(super) default: T,
    pub(super) min: T,
    pub(super) max: T,
}

const fn limit<T: Copy>(default: T, min: T, max: T) -> Limit<T> {
    Limit { default, min, max }
}

/// Journal and database live here, relative to where the server is started.
pub(super) const DATA_DIR: &str = "./tidegate-data";
/// The SQLite database in the data directory.
pub(super) const SQLITE_FILE: &str = "events.db";
/// The file of a sink of the type `file` in the data directory, after the sink's name.
pub(super) const LINES_EXTENSION: &str = "ndjson";
/// The variable that holds the bearer token when the file does not set one.
pub(super) const TOKEN_VARIABLE: &str = "TIDEGATE_TOKEN";
/// The sink that there is without any configuration.
pub(super) const SINK: &str = "sqlite";
/// The lane of every event whose class is not declared.
pub(super) const LANE: &str = "default";

/// Only this machine can reach it.
pub(super) const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
/// The well-known ports of OpenTelemetry, on this machine only.
pub(super) const OTLP_GRPC: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4317);
pub(super) const OTLP_HTTP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4318);
/// Characters of a token that others on the network could try to guess.
pub(super) const TOKEN_CHARS_MIN: usize = 16;
/// A token has to fit in a header.
pub(super) const TOKEN_CHARS_MAX: usize = 4096;

pub(super) const BODY_BYTES: Limit<ByteSize> =
    limit(ByteSize::mib(10), ByteSize::kib(1), ByteSize::gib(1));
pub(super) const DECOMPRESSED_BYTES: Limit<ByteSize> =
    limit(ByteSize::mib(64), ByteSize::kib(1), ByteSize::gib(1));
pub(super) const EVENT_BYTES: Limit<ByteSize> =
    limit(ByteSize::mib(1), ByteSize::kib(1), ByteSize::mib(256));
pub(super) const IN_FLIGHT_BYTES: Limit<ByteSize> =
    limit(ByteSize::mib(256), ByteSize::kib(1), ByteSize::gib(64));
pub(super) const CONNECTIONS: Limit<u32> = limit(1024, 1, 100_000);
pub(super) const HEADER_TIMEOUT: Limit<Span> =
    limit(Span::secs(10), Span::ms(100), Span::secs(600));
pub(super) const BODY_TIMEOUT: Limit<Span> = limit(Span::secs(30), Span::ms(100), Span::secs(3600));
pub(super) const KEY_WINDOW: Limit<Span> =
    limit(Span::secs(600), Span::secs(1), Span::secs(7 * 86_400));
pub(super) const KEYS: Limit<u64> = limit(200_000, 1, 10_000_000);

pub(super) const SEGMENT_BYTES: Limit<ByteSize> =
    limit(ByteSize::mib(64), ByteSize::kib(64), ByteSize::gib(1));
/// Segments are whole blocks of this size.
pub(super) const BLOCK_BYTES: ByteSize = ByteSize::kib(4);
pub(super) const JOURNAL_BYTES: Limit<ByteSize> =
    limit(ByteSize::gib(8), ByteSize::kib(128), ByteSize::gib(65_536));
pub(super) const TAIL_BYTES: Limit<ByteSize> =
    limit(ByteSize::mib(64), ByteSize::kib(64), ByteSize::gib(64));

/// Lanes cost memory and metrics, so there is a bound on both of their factors.
pub(super) const CLASSES_MAX: usize = 16;
pub(super) const SINKS_MAX: usize = 16;
/// Characters in the name of a sink or a class: names become labels of metrics.
pub(super) const NAME_CHARS_MAX: usize = 64;
/// Metrics of the user's own in a load score.
pub(super) const CUSTOM_METRICS_MAX: usize = 32;

pub(super) const BUSY_TIMEOUT: Limit<Span> = limit(Span::secs(5), Span::ms(0), Span::secs(600));
pub(super) const AGE_MIN: Span = Span::secs(1);
pub(super) const AGE_MAX: Span = Span::secs(36_500 * 86_400);
pub(super) const ROWS_MAX: u64 = 1_000_000_000_000_000;

/// Less than this of the journal for one sink is one request.
pub(super) const SHARE_BYTES_MIN: ByteSize = ByteSize::kib(64);
/// Tests of a list, values of a test and steps of a transform: every event passes them.
pub(super) const TESTS_MAX: usize = 64;
pub(super) const VALUES_MAX: usize = 1000;
pub(super) const STEPS_MAX: usize = 64;

pub(super) const BATCH_SIZE_INITIAL: u32 = 500;
pub(super) const BATCH_SIZE_MIN: u32 = 1;
pub(super) const BATCH_SIZE_MAX: u32 = 20_000;
pub(super) const BATCH_BYTES_MAX: ByteSize = ByteSize::mib(8);
pub(super) const LINGER: Span = Span::ms(0);
pub(super) const CONCURRENCY: f64 = 1.0;
/// Of a sink of the type postgres: its second connection brings more than a third, measured.
pub(super) const POSTGRES_CONCURRENCY: f64 = 2.0;
/// Of sinks of the type `http`.
pub(super) const HTTP_CONCURRENCY: f64 = 4.0;
pub(super) const TARGET: Span = Span::ms(100);
pub(super) const TIMEOUT: Limit<Span> = limit(Span::secs(30), Span::ms(1), Span::secs(3600));
pub(super) const QUEUE_ITEMS: Limit<u32> = limit(200_000, 1, 1_000_000_000);
/// The least is what one batch may hold: see the check of lanes.
pub(super) const QUEUE_BYTES: Limit<ByteSize> =
    limit(ByteSize::mib(64), ByteSize::b(1), ByteSize::gib(64));
pub(super) const WEIGHT: Limit<f64> = limit(1.0, 0.1, 100.0);

pub(super) const RETRY_FIRST: Span = Span::ms(50);
pub(super) const RETRY_MAX: Span = Span::secs(5);
pub(super) const RETRY_AGE_MIN: Span = Span::ms(1);
pub(super) const RETRY_BUDGET: f64 = 0.2;
pub(super) const RETRY_BUDGET_PER_SECOND: f64 = 10.0;
pub(super) const ATTEMPTS_MAX: u32 = 1_000_000;

pub(super) const BREAKER_FAILURES: Limit<u32> = limit(5, 1, 1000);
pub(super) const BREAKER_OPEN: Limit<Span> = limit(Span::secs(1), Span::ms(1), Span::secs(3600));
pub(super) const BREAKER_OPEN_MAX: Limit<Span> =
    limit(Span::secs(4), Span::ms(1), Span::secs(86_400));
pub(super) const BREAKER_PROBES: Limit<u32> = limit(3, 1, 100);

pub(super) const DEAD_LETTERS: Limit<u64> = limit(100_000, 1, 10_000_000);
/// Often enough for what died while nothing else was wrong, too seldom to be noticed.
pub(super) const REPROCESS_EVERY: Limit<Span> =
    limit(Span::secs(600), Span::ms(100), Span::secs(7 * 86_400));
pub(super) const REPROCESS_MAX: Limit<u32> = limit(10_000, 1, 1_000_000);
pub(super) const REPROCESS_PER_SECOND: Limit<u32> = limit(100, 1, 100_000);
pub(super) const REPROCESS_ATTEMPTS: Limit<u32> = limit(3, 1, 1000);
pub(super) const DEAD_LETTER_BYTES: Limit<ByteSize> =
    limit(ByteSize::gib(1), ByteSize::kib(64), ByteSize::gib(1024));

pub(super) const RECORDING_BYTES: Limit<ByteSize> =
    limit(ByteSize::mib(64), ByteSize::kib(64), ByteSize::gib(1));
/// Each open page is one watcher, and each has a connection.
pub(super) const WATCHERS: Limit<u32> = limit(64, 1, 10_000);
pub(super) const MASKED_MAX: usize = 64;

pub(super) const DRAIN_TIMEOUT: Limit<Span> = limit(Span::secs(30), Span::ms(0), Span::secs(3600));

/// A configuration is a few hundred lines; what is larger is some other file.
pub(super) const FILE_BYTES_MAX: u64 = 1 << 20;
