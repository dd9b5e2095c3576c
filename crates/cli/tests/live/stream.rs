//! A stream of server-sent events, read one by one.

use std::io::{BufRead, BufReader, Read};

use serde_json::Value;

use super::common::{PATIENCE, Server};

/// A connection to the stream.
pub(crate) struct Stream {
    lines: BufReader<Box<dyn Read + Send>>,
}

/// One event.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: Value,
}

impl Event {
    /// The event, which must have this name.
    pub(crate) fn of(self, name: &str) -> Self {
        assert_eq!(self.name, name, "{}", self.data);
        self
    }
}

impl Stream {
    pub(crate) fn open(server: &Server, id: Option<&str>) -> Self {
        Self::open_at(server, "/api/stream", id, None)
    }

    pub(crate) fn open_at(
        server: &Server,
        path: &str,
        id: Option<&str>,
        authorization: Option<&str>,
    ) -> Self {
        Self::try_open(server, path, id, authorization)
            .unwrap_or_else(|status| panic!("the stream was refused with {status}"))
    }

    pub(crate) fn try_open(
        server: &Server,
        path: &str,
        id: Option<&str>,
        authorization: Option<&str>,
    ) -> Result<Self, u16> {
        // An agent of its own: the connection ends with the stream.
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let agent = config.timeout_global(Some(PATIENCE)).build().new_agent();
        let mut request = agent.get(server.url(path));
        if let Some(id) = id {
            request = request.header("last-event-id", id);
        }
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let response = request.call().unwrap();
        if response.status() != 200 {
            return Err(response.status().as_u16());
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let body: Box<dyn Read + Send> = Box::new(response.into_body().into_reader());
        Ok(Self { lines: BufReader::new(body) })
    }

    /// The next event.
    pub(crate) fn next(&mut self) -> Event {
        self.read().unwrap_or_else(|| panic!("the stream is over"))
    }

    fn read(&mut self) -> Option<Event> {
        let mut event = Event { name: String::new(), id: String::new(), data: Value::Null };
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            match line.trim_end().split_once(": ") {
                Some(("event", name)) => name.clone_into(&mut event.name),
                Some(("id", id)) => id.clone_into(&mut event.id),
                Some(("data", data)) => event.data = data.parse().unwrap(),
                _ if line == "\n" && !event.name.is_empty() => return Some(event),
                _ => {}
            }
        }
    }

    /// The next event of which this is true.
    pub(crate) fn wait_for(&mut self, is_it: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = self.next();
            if is_it(&event) {
                return event;
            }
        }
    }

    /// Whether nothing follows.
    pub(crate) fn is_over(&mut self) -> bool {
        self.read().is_none()
    }
}
