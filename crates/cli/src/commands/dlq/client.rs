//! How is the server asked? Over HTTP, with its token, and its own words for what is wrong.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::agent;

/// A retry sends up to a thousand letters before it answers.
const TIMEOUT: Duration = Duration::from_secs(300);
/// Most bytes of an answer: a page of letters and one large event.
const ANSWER_BYTES_MAX: u64 = 512 << 20;

/// A way to the server.
pub(super) struct Client {
    agent: ureq::Agent,
    base: String,
    token: Option<String>,
}

/// An answer that was no error.
pub(super) struct Answer {
    pub(super) body: String,
    /// Where the next page begins.
    pub(super) next: Option<i64>,
}

type Query<'a> = &'a [(&'static str, String)];

impl Client {
    pub(super) fn new(
        server: &str,
        token: Option<&str>,
        ca: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let config = agent::builder(server, ca)?.timeout_global(Some(TIMEOUT));
        let agent = config.build().new_agent();
        let base = format!("{}/api/dead-letters", server.trim_end_matches('/'));
        let token = token.filter(|token| !token.is_empty()).map(str::to_owned);
        Ok(Self { agent, base, token })
    }

    pub(super) fn get(&self, path: &str, query: Query<'_>) -> anyhow::Result<Answer> {
        let request = self.agent.get(self.url(path)).query_pairs(pairs(query));
        self.answer(self.with_token(request).call())
    }

    pub(super) fn post(&self, path: &str, query: Query<'_>) -> anyhow::Result<Answer> {
        let request = self.agent.post(self.url(path)).query_pairs(pairs(query));
        self.answer(self.with_token(request).send_empty())
    }

    pub(super) fn put(&self, path: &str, body: &[u8]) -> anyhow::Result<Answer> {
        let request = self.agent.put(self.url(path)).header("content-type", "application/json");
        self.answer(self.with_token(request).send(body))
    }

    pub(super) fn delete(&self, query: Query<'_>) -> anyhow::Result<Answer> {
        let request = self.agent.delete(self.url("")).query_pairs(pairs(query));
        self.answer(self.with_token(request).call())
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn with_token<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    fn answer(
        &self,
        answered: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> anyhow::Result<Answer> {
        let mut response = answered.with_context(|| {
            format!("no answer from {}: is the server running there? (--server)", self.base)
        })?;
        let next = response.headers().get("tidegate-next");
        let next = next.and_then(|next| next.to_str().ok()?.parse().ok());
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string()?;
        let status = response.status();
        if !status.is_success() {
            let said: Value = serde_json::from_str(&body).unwrap_or_default();
            match said["error"]["message"].as_str() {
                Some(message) => bail!("{message}"),
                None => bail!("the server answered {status}: is it tidegate?"),
            }
        }
        Ok(Answer { body, next })
    }
}

impl Answer {
    pub(super) fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.body).context("the server's answer is no JSON")
    }
}

fn pairs<'q>(query: Query<'q>) -> impl Iterator<Item = (&'q str, &'q str)> {
    query.iter().map(|(name, value)| (*name, value.as_str()))
}
