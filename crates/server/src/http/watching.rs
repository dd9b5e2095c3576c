//! What does a watcher get in one piece? The state, the last hour, decisions, what was learnt, and
//! what is set.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::compressed;
use super::refusal::Refusal;
use crate::live::decided::{self, Mark, Wanted};
use crate::live::learning;
use crate::status::Status;

/// Lanes whose history is given at once.
const LANES_MAX: usize = 32;
/// Decisions on a page, unless another number is asked for, and at most.
const PAGE: usize = 100;
const PAGE_MAX: usize = 1000;

type Asked<T> = Result<Query<T>, QueryRejection>;

fn read<T>(asked: Asked<T>, known: &'static str) -> Result<T, Refusal> {
    asked.map(|Query(query)| query).map_err(|error| {
        let why = error.body_text();
        Refusal::UnknownQuery { why, known }
    })
}

/// The places of the lanes that are named, separated by commas.
fn lanes(status: &Status, named: &str) -> Result<Vec<usize>, Refusal> {
    let names = named.split(',').map(str::trim).filter(|name| !name.is_empty());
    let place = |name: &str| status.lanes.iter().position(|lane| *lane.key() == *name);
    let known = || {
        let keys: Vec<String> = status.lanes.iter().map(|lane| lane.key().to_string()).collect();
        keys.join(", ")
    };
    let found = names.map(|name| {
        place(name).ok_or_else(|| Refusal::NoSuchLane { name: name.to_owned(), known: known() })
    });
    found.collect()
}

/// `GET /api/snapshot`.
pub(super) async fn snapshot(
    State(status): State<Arc<Status>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let snapshot = status.live.snapshot(&status).await.ok_or(Refusal::Overloaded)?;
    Ok(compressed::json(&headers, snapshot).await)
}

/// What may stand in the query of a history.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HistoryQuery {
    lane: String,
    series: Option<String>,
    seconds: Option<u32>,
}

/// `GET /api/history`.
pub(super) async fn history(
    State(status): State<Arc<Status>>,
    headers: HeaderMap,
    asked: Asked<HistoryQuery>,
) -> Result<Response, Refusal> {
    let query = read(asked, "lane, series and seconds")?;
    let lanes = lanes(&status, &query.lane)?;
    if lanes.len() > LANES_MAX {
        let (value, bound) = (lanes.len() as u64, LANES_MAX as u64);
        return Err(Refusal::OutOfBounds { field: "lane", value, least: 0, most: bound });
    }
    let names: Option<Vec<&str>> =
        query.series.as_deref().map(|series| series.split(',').map(str::trim).collect());
    let reach = query.seconds.map(|seconds| i64::from(seconds) * 1000);
    let history = status.live.history(&lanes, names.as_deref(), reach);
    Ok(compressed::json(&headers, history).await)
}

/// What may stand in the query of decisions.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct DecisionsQuery {
    lane: Option<String>,
    number: Option<u64>,
    by: Option<String>,
    search: Option<String>,
    from_unix_ms: Option<i64>,
    until_unix_ms: Option<i64>,
    before: Option<String>,
    limit: Option<usize>,
}

/// `GET /api/decisions`.
pub(super) async fn decisions(
    State(status): State<Arc<Status>>,
    headers: HeaderMap,
    asked: Asked<DecisionsQuery>,
) -> Result<Response, Refusal> {
    let known = "lane, number, by, search, from_unix_ms, until_unix_ms, before and limit";
    let query = read(asked, known)?;
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        let (value, most) = (limit as u64, PAGE_MAX as u64);
        return Err(Refusal::OutOfBounds { field: "limit", value, least: 1, most });
    }
    let before = match &query.before {
        None => None,
        Some(text) => Some(Mark::parse(text).ok_or_else(|| Refusal::UnknownQuery {
            why: format!("before is {text:?}, but must be what `next` of the page before says"),
            known,
        })?),
    };
    let places = match &query.lane {
        Some(named) => lanes(&status, named)?,
        None => (0..status.lanes.len()).collect(),
    };
    let wanted = Wanted {
        number: query.number,
        by: query.by.as_deref(),
        search: query.search.map(|text| text.to_lowercase()),
        from_unix_ms: query.from_unix_ms,
        until_unix_ms: query.until_unix_ms,
        before,
        limit,
    };
    let lanes = places.iter().filter_map(|place| Some((*place, &**status.lanes.get(*place)?)));
    let page = decided::page(lanes, &wanted);
    Ok(compressed::json(&headers, page).await)
}

/// What may stand in the query of a curve.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CurveQuery {
    lane: String,
    points: Option<usize>,
}

/// `GET /api/curve`.
pub(super) async fn curve(
    State(status): State<Arc<Status>>,
    headers: HeaderMap,
    asked: Asked<CurveQuery>,
) -> Result<Response, Refusal> {
    let query = read(asked, "lane and points")?;
    let places = lanes(&status, &query.lane)?;
    let [place] = places.as_slice() else {
        let why = "a curve is that of one lane: say which with lane=<sink>/<lane>".to_owned();
        return Err(Refusal::UnknownQuery { why, known: "lane and points" });
    };
    let lane = status.lanes.get(*place).ok_or(Refusal::Overloaded)?;
    let most = query.points.unwrap_or(usize::MAX);
    let curve = learning::curve(lane, *place, most, &status.live);
    Ok(compressed::json(&headers, curve).await)
}

/// `GET /api/settings`.
pub(super) async fn settings(State(status): State<Arc<Status>>, headers: HeaderMap) -> Response {
    compressed::json(&headers, status.live.settings.clone()).await
}

/// `GET /api/openapi.json`.
pub(super) async fn openapi() -> Json<Value> {
    Json(crate::live::openapi())
}
