//! What does a stream of server-sent events say? Lines become messages.

use tidegate_server::live::contract::{Bye, Gap, Snapshot, Tick};

/// A message of the stream.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Message {
    Hello(Box<Snapshot>),
    Tick(Box<Tick>),
    Gap(Gap),
    Bye(Bye),
}

/// Puts lines together.
#[derive(Debug, Default)]
pub(super) struct Parser {
    event: String,
    data: String,
    id: Option<String>,
    /// The id of the last whole message that had one.
    last_id: Option<String>,
}

/// A message that is none of ours.
#[derive(Debug, thiserror::Error)]
#[error("a message {event:?} that is not understood ({source}): is it the same version?")]
pub(super) struct NotUnderstood {
    event: String,
    source: serde_json::Error,
}

impl Parser {
    /// The next line, without its end; a message if that completes one.
    ///
    /// # Errors
    ///
    /// [`NotUnderstood`] when its data is not what its name says.
    pub(super) fn line(&mut self, line: &str) -> Result<Option<Message>, NotUnderstood> {
        if !line.is_empty() {
            self.field(line);
            return Ok(None);
        }
        let (event, data) = (std::mem::take(&mut self.event), std::mem::take(&mut self.data));
        let id = self.id.take();
        if data.is_empty() {
            return Ok(None);
        }
        let read = match &*event {
            "hello" => serde_json::from_str(&data).map(|all| Some(Message::Hello(all))),
            "tick" => serde_json::from_str(&data).map(|tick| Some(Message::Tick(tick))),
            "gap" => serde_json::from_str(&data).map(|gap| Some(Message::Gap(gap))),
            "bye" => serde_json::from_str(&data).map(|bye| Some(Message::Bye(bye))),
            // What a later version says besides is not for this one.
            _ => Ok(None),
        };
        let message = read.map_err(|source| NotUnderstood { event, source })?;
        if id.is_some() {
            self.last_id = id;
        }
        Ok(message)
    }

    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut self.event),
            "data" => {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            "id" => self.id = Some(value.to_owned()),
            // A comment, or what is not ours.
            _ => {}
        }
    }

    /// Where the stream goes on after a break.
    pub(super) fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// A new connection begins: half a message is none.
    pub(super) fn begin(&mut self) {
        let last_id = self.last_id.take();
        *self = Self { last_id, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(parser: &mut Parser, text: &str) -> Vec<Message> {
        text.lines().filter_map(|line| parser.line(line).unwrap()).collect()
    }

    #[test]
    fn lines_become_messages_and_comments_nothing() {
        let mut parser = Parser::default();
        let text = "retry: 1000\n\n: quiet\n\nid: a-7\nevent: gap\ndata: {\"reason\":\"restarted\",\
                    \"after\":\"b-1\",\ndata: \"missed\":null,\"message\":\"m\"}\n\nevent: later\n\
                    data: 1\n\n";
        let messages = all(&mut parser, text);
        assert!(matches!(&messages[..], [Message::Gap(gap)] if gap.after == "b-1"));
        assert_eq!(parser.last_id(), Some("a-7"));
    }

    #[test]
    fn half_a_message_does_not_count() {
        let mut parser = Parser::default();
        let bye = "id: a-8\nevent: bye\ndata: {\"reason\":\"slow\",\"message\":\"m\"}\n";
        assert!(all(&mut parser, bye).is_empty());
        parser.begin();
        assert!(all(&mut parser, "\n").is_empty());
        assert_eq!(parser.last_id(), None);
        let nonsense = parser.line("event: tick").and_then(|_| parser.line("data: {}"));
        assert!(nonsense.is_ok() && parser.line("").unwrap_err().to_string().contains("\"tick\""));
    }
}
