//! Which fields has an event? Those of the OpenTelemetry log data model.
//!
//! Source of the model: <https://opentelemetry.io/docs/specs/otel/logs/data-model/>. Text fields
//! borrow: an event is either a view of a request that is being parsed, or of a stored row.

/// One event: an item of the server.
///
/// ```
/// use tidegate_event::{Body, Event};
///
/// let event = Event { service: "checkout", body: Body::Text("paid"), ..Event::default() };
/// assert_eq!(event.attributes, "{}");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// When it happened, in nanoseconds since 1970-01-01 UTC; `None` if the producer did not say.
    pub timestamp: Option<i64>,
    /// When tidegate received it, in nanoseconds since 1970-01-01 UTC.
    pub observed: i64,
    /// OpenTelemetry severity number, 1 (TRACE) to 24 (FATAL4); 0 when unknown.
    pub severity_number: u8,
    /// The severity as the producer wrote it; empty when it wrote none.
    pub severity_text: &'a str,
    /// The service that emitted the event; empty when unknown.
    pub service: &'a str,
    /// The kind of operation, as the producer named it; empty when it named none.
    pub class: &'a str,
    /// The message.
    pub body: Body<'a>,
    /// Everything else, as the text of one JSON object.
    pub attributes: &'a str,
    /// W3C trace id.
    pub trace_id: Option<[u8; 16]>,
    /// W3C span id.
    pub span_id: Option<[u8; 8]>,
}

impl Default for Event<'_> {
    fn default() -> Self {
        Self {
            timestamp: None,
            observed: 0,
            severity_number: 0,
            severity_text: "",
            service: "",
            class: "",
            body: Body::None,
            attributes: "{}",
            trace_id: None,
            span_id: None,
        }
    }
}

/// The message of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// The producer sent none.
    None,
    /// A string, unescaped.
    Text(&'a str),
    /// Any other JSON value, as JSON text.
    Json(&'a str),
}
