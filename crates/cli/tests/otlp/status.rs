//! `google.rpc.Status` and its `RetryInfo`, as a client reads them.

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Status {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(crate) details: Vec<Detail>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Detail {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) retry: Option<RetryInfo>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    pub(crate) delay: Option<Span>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Span {
    #[prost(int64, tag = "1")]
    pub(crate) seconds: i64,
}

impl Status {
    /// After how many seconds to come back, if at all.
    pub(crate) fn retry_seconds(&self) -> Option<i64> {
        let detail = self.details.first()?;
        assert_eq!(detail.type_url, "type.googleapis.com/google.rpc.RetryInfo");
        Some(detail.retry.as_ref()?.delay.as_ref()?.seconds)
    }
}
