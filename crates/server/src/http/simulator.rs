//! What can be asked of the simulator? What there is, a race, how it stands, its end.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::compressed;
use crate::live::contract::RaceRequest;
use crate::simulator::{RaceRefused, Races};
use crate::status::Status;

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error(transparent)]
    Race(#[from] RaceRefused),
    #[error(
        "the race is not understood: {0}; it is an object with scenario, controllers (a list) and \
         seeds"
    )]
    Body(String),
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code) = match &self {
            Self::Body(_) => (StatusCode::BAD_REQUEST, "bad_race"),
            Self::Race(refused) => match refused {
                RaceRefused::NoSimulator => (StatusCode::NOT_FOUND, "no_simulator"),
                RaceRefused::UnderWay => (StatusCode::CONFLICT, "race_under_way"),
                RaceRefused::NoSuchRace(_) => (StatusCode::NOT_FOUND, "no_such_race"),
                RaceRefused::Unknown { .. } | RaceRefused::Twice(_) => {
                    (StatusCode::BAD_REQUEST, "bad_race")
                }
                RaceRefused::Bounds { .. } => (StatusCode::BAD_REQUEST, "out_of_bounds"),
                RaceRefused::Thread(_) => (StatusCode::SERVICE_UNAVAILABLE, "no_thread"),
            },
        };
        let error = json!({ "error": { "code": code, "message": self.to_string() } });
        (status, Json(error)).into_response()
    }
}

fn races(status: &Status) -> &Arc<Races> {
    &status.races
}

/// `GET /api/simulator`.
pub(super) async fn catalogue(
    State(status): State<Arc<Status>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let catalogue = races(&status).catalogue()?;
    Ok(compressed::json(&headers, catalogue).await)
}

/// `POST /api/simulator/runs`.
pub(super) async fn begin(
    State(status): State<Arc<Status>>,
    asked: Result<Json<RaceRequest>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(request) = asked.map_err(|error| Problem::Body(error.body_text()))?;
    let run = races(&status).begin(request)?;
    Ok((StatusCode::ACCEPTED, Json(run)).into_response())
}

/// `GET /api/simulator/runs/{id}`.
pub(super) async fn show(
    State(status): State<Arc<Status>>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let run = races(&status).get(id)?;
    Ok(compressed::json(&headers, run).await)
}

/// `DELETE /api/simulator/runs/{id}`.
pub(super) async fn cancel(
    State(status): State<Arc<Status>>,
    Path(id): Path<u64>,
) -> Result<Response, Problem> {
    Ok(Json(races(&status).cancel(id)?).into_response())
}
