//! What went wrong with a request?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The body of every answer that is not 2xx.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// What went wrong.
    pub error: FailureBody,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailureBody {
    /// For programs: one of a fixed set, like `unauthorized`, `foreign_origin`, `unconfirmed`.
    pub code: String,
    /// For people: what, where, and what to do.
    pub message: String,
}
