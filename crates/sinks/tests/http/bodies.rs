//! Does a batch arrive in each form, compressed or not, with the headers that say so?

use tidegate_sinks::Sink;
use tidegate_sinks::http::{Compression, Format, Method, Settings};
use tidegate_testbed::http::Behaviour;

use super::contract::json::all_stored;
use super::contract::{batch, deliver, usual};
use super::pair_with;

#[tokio::test]
async fn every_format_arrives_however_it_is_compressed() {
    for format in [Format::Ndjson, Format::Json] {
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            // Small ones are encoded in place, large ones on another thread; buffers are used again.
            let change = |settings: &mut Settings| {
                settings.format = format;
                settings.compression = compression;
            };
            let (backend, sink) = pair_with(Behaviour::default(), change).await;
            for range in [0..3, 3..3_000, 3_000..3_004, 3_004..6_000] {
                deliver(&sink, batch(range)).await;
            }
            let ledger = backend.ledger();
            let lines = ledger.items.values().map(|taken| taken.text.as_str());
            assert_eq!(all_stored(lines), usual(0..6_000), "{format:?} {compression:?}");
            let header = |name: &str| ledger.requests[0].headers.get(name).map(String::as_str);
            let kind =
                if format == Format::Json { "application/json" } else { "application/x-ndjson" };
            assert_eq!(header("content-type"), Some(kind));
            let encoding = match compression {
                Compression::None => None,
                Compression::Gzip => Some("gzip"),
                Compression::Zstd => Some("zstd"),
            };
            assert_eq!(header("content-encoding"), encoding);
            let plain: usize = ledger.items.values().map(|taken| taken.text.len()).sum();
            let sent = usize::try_from(ledger.body_bytes).unwrap();
            if compression == Compression::None {
                assert!(sent > plain, "{sent} of {plain}");
            } else {
                assert!(sent < plain / 5, "{sent} of {plain}");
            }
        }
    }
}

#[tokio::test]
async fn a_bulk_names_its_items_in_lines_of_their_own() {
    let change = |settings: &mut Settings| settings.format = Format::Bulk;
    let (backend, sink) = pair_with(Behaviour::default(), change).await;
    deliver(&sink, batch(0..100)).await;
    let ledger = backend.ledger();
    assert_eq!(ledger.items.len(), 100);
    assert_eq!(ledger.requests[0].ids.len(), 100);
    let (id, taken) = ledger.items.first_key_value().unwrap();
    assert!(id.ends_with(":0"), "{id}");
    assert!(taken.text.starts_with("{\"@timestamp\":\"2025-11-20T"), "{}", taken.text);
}

#[tokio::test]
async fn method_url_and_headers_are_as_set() {
    let change = |settings: &mut Settings| {
        settings.url = settings.url.replace("/events", "/v1/{lane}/in?from={sink}");
        settings.method = Method::Put;
        for (name, value) in [
            ("Authorization", "Bearer abc"),
            ("X-Lane", "{sink}.{lane}"),
            ("X-Two", "1"),
            ("X-Two", "2"),
            ("content-type", "application/x-ndjson; charset=utf-8"),
        ] {
            settings.headers.push((name.to_owned(), value.to_owned()));
        }
    };
    let (backend, sink) = pair_with(Behaviour::default(), change).await;
    let batch = tidegate_sinks::Batch { lane: "wr/ite ü".into(), ..batch(0..1) };
    deliver(&sink, batch).await;
    let ledger = backend.ledger();
    let received = &ledger.requests[0];
    assert_eq!(received.line, "PUT /v1/wr%2Fite%20%C3%BC/in?from=api");
    let header = |name: &str| received.headers.get(name).map(String::as_str);
    assert_eq!(header("authorization"), Some("Bearer abc"));
    assert_eq!(header("x-lane"), Some("api.wr%2Fite%20%C3%BC"));
    assert_eq!(header("x-two"), Some("2"));
    assert_eq!(header("content-type"), Some("application/x-ndjson; charset=utf-8"));
    assert!(header("user-agent").unwrap().starts_with("tidegate/"));
    assert_eq!(header("host"), Some(backend.address().to_string().as_str()));
    assert_eq!(sink.kind(), "http");
}
