//! Is the server alive, is it ready, and what is wrong?

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::status::Status;

/// `GET /health`: the process answers.
pub(super) async fn live() -> Json<serde_json::Value> {
    Json(json!({ "status": "ok" }))
}

/// `GET /ready`: 503 until events are taken and delivered, and again while they are not.
pub(super) async fn ready(State(status): State<Arc<Status>>) -> Response {
    let troubles = status.troubles();
    if troubles.is_empty() {
        return Json(json!({ "status": "ready" })).into_response();
    }
    let body = json!({ "status": "not ready", "because": troubles });
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}

/// `GET /api/health`: the same for people and programs of earlier systems, with the parts.
pub(super) async fn report(State(status): State<Arc<Status>>) -> Json<serde_json::Value> {
    let troubles = status.troubles();
    let lanes: Vec<_> = status
        .lanes
        .iter()
        .map(|lane| json!({ "sink": &*lane.sink, "lane": &*lane.lane, "health": lane.state() }))
        .collect();
    let now = status.clock.now();
    let breakers: Vec<_> = status
        .outages
        .iter()
        .map(|outage| json!({ "sink": &*outage.sink, "breaker": outage.phase(now).label() }))
        .collect();
    Json(json!({
        "status": if troubles.is_empty() { "ok" } else { "degraded" },
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": status.uptime().as_secs(),
        "troubles": troubles,
        "lanes": lanes,
        "sinks": breakers,
        "dead_letters": status.replay.letters.total().0,
    }))
}
