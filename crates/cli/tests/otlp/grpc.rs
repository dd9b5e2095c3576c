//! Over gRPC, from the generated client, and from one that writes its own frames.

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use prost::Message as _;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request};
use tonic_prost::ProstCodec;

use crate::common::Server;
use crate::status::Status;
use crate::{bodies, request, request_with_a_bad_record, start};

async fn channel(server: &Server) -> Channel {
    let url = format!("http://{}", server.otlp_grpc().unwrap());
    Channel::from_shared(url).unwrap().connect().await.unwrap()
}

fn details(status: &tonic::Status) -> Status {
    let details = Status::decode(status.details()).unwrap();
    assert_eq!((details.code, details.message.as_str()), (status.code() as i32, status.message()));
    details
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_taken_and_stored_and_what_cannot_be_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), "http: { body_bytes_max: 64 KiB }");
    let channel = channel(&server).await;
    let mut plain = LogsServiceClient::new(channel.clone());
    let answer = plain.export(request(&["one", "two"])).await.unwrap().into_inner();
    assert_eq!(answer, ExportLogsServiceResponse::default());

    // A request of nothing is as good as others.
    plain.export(request(&[])).await.unwrap();
    plain.export(ExportLogsServiceRequest::default()).await.unwrap();

    let partial = plain.export(request_with_a_bad_record()).await.unwrap().into_inner();
    let partial = partial.partial_success.unwrap();
    assert_eq!(partial.rejected_log_records, 1);
    let why = "1 rejected; the first is log record 2: nested more than 64 deep: flatten it";
    assert_eq!(partial.error_message, why);

    let long = "x".repeat(70_000);
    let status = plain.export(request(&[&long])).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert!(status.message().contains("more than 65536 bytes"), "{status}");
    assert_eq!(details(&status).retry_seconds(), None);

    let found = bodies(dir.path(), &server, 4);
    assert_eq!(found, ["one", "two", "ebb", "flood"]);
    let metrics = server.get("/api/metrics").json();
    assert_eq!(metrics["ingest"]["accepted"], 4, "{metrics:#}");
    assert_eq!(metrics["ingest"]["rejected"], 1, "{metrics:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_stored_once_and_a_token_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), "http: { token: 0123456789abcdef }");
    let mut client = LogsServiceClient::new(channel(&server).await);
    let status = client.export(request(&["no"])).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    assert_eq!(details(&status).retry_seconds(), None);
    for _ in 0..2 {
        let mut asked = Request::new(request(&["once"]));
        asked.metadata_mut().insert("authorization", "Bearer 0123456789abcdef".parse().unwrap());
        asked.metadata_mut().insert("idempotency-key", "k-1".parse().unwrap());
        client.export(asked).await.unwrap();
    }
    drop(client);
    let (status, _) = server.stop();
    assert!(status.success());
    let stored: i64 = crate::common::query(&dir.path().join("data"), "SELECT count(*) FROM events");
    assert_eq!(stored, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_signals_are_told_that_they_are_not_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), "");
    let calls = [
        ("/opentelemetry.proto.collector.trace.v1.TraceService/Export", "traces are not accepted"),
        (
            "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            "metrics are not accepted",
        ),
        ("/shop.v1.Orders/List", "there is no call /shop.v1.Orders/List"),
    ];
    let mut client = tonic::client::Grpc::new(channel(&server).await);
    for (path, told) in calls {
        client.ready().await.unwrap();
        let codec = ProstCodec::<ExportLogsServiceRequest, ExportLogsServiceResponse>::default();
        let asked = Request::new(ExportLogsServiceRequest::default());
        let status = client.unary(asked, PathAndQuery::from_static(path), codec).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{status}");
        assert!(status.message().starts_with(told), "{status}");
        assert_eq!(details(&status).retry_seconds(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_bound_it_is_said_when_to_come_back() {
    let dir = tempfile::tempdir().unwrap();
    // Nothing is delivered, so the journal fills.
    let server = start(
        dir.path(),
        "journal: { segment_bytes: 1 MiB, max_bytes: 2 MiB }\n\
         http: { body_bytes_max: 512 KiB, decompressed_bytes_max: 512 KiB, event_bytes_max: 512 KiB }\n\
         sinks: { away: { type: http, url: 'http://127.0.0.1:9/' } }",
    );
    let mut client = LogsServiceClient::new(channel(&server).await);
    let long = "x".repeat(100_000);
    let full = request(&[&long, &long, &long, &long]);
    let refused = loop {
        match client.export(full.clone()).await {
            Ok(_) => {}
            Err(status) => break status,
        }
    };
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert!(details(&refused).retry_seconds().is_some_and(|seconds| seconds > 0), "{refused}");
}

/// What is no gRPC is told in words that its sender reads.
#[test]
fn a_client_of_http_1_is_told_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), "");
    let url = format!("http://{}/v1/logs", server.otlp_grpc().unwrap());
    let answer = crate::common::agent().post(url).send(&b"{}"[..]).unwrap();
    let answer = crate::common::Answer::read(answer);
    assert_eq!(answer.status, 400);
    assert!(answer.json()["message"].as_str().unwrap().contains("4318"), "{}", answer.body);
}
