//! What are the figures? One snapshot, as JSON and in Prometheus' format.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::status::Status;
use crate::telemetry::prometheus::exposition;
use crate::telemetry::snapshot::Snapshot;

/// `GET /api/metrics`.
pub(super) async fn json(State(status): State<Arc<Status>>) -> Json<Snapshot> {
    Json(Snapshot::take(&status))
}

/// `GET /metrics`.
pub(super) async fn prometheus(State(status): State<Arc<Status>>) -> Response {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], exposition(&status)).into_response()
}
