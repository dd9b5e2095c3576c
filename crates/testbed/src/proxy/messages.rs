//! Where do PostgreSQL's messages begin, and which are they? Enough of the protocol to know a COPY
//! and a COMMIT.
//!
//! Source: <https://www.postgresql.org/docs/current/protocol-message-formats.html>. A message is a
//! kind (one byte), a length that counts itself (four), and a body; only what a client sends first
//! has no kind.

use std::sync::atomic::{AtomicBool, Ordering};

/// The kind of a message that has none.
const STARTUP: u8 = 0;
/// Bytes of a body that are looked at.
const PEEK: usize = 16;
const TLS_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;

/// The beginning of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message<'a> {
    kind: u8,
    /// Its head and the first bytes of its body.
    pub(super) head: &'a [u8],
    body: &'a [u8],
    /// Bytes of its body.
    pub(super) length: u64,
}

impl Message<'_> {
    /// Whether it carries data of a COPY.
    pub(super) fn is_copy_data(&self) -> bool {
        self.kind == b'd'
    }

    /// Whether it is a client's COMMIT, as a simple query.
    pub(super) fn asks_to_commit(&self) -> bool {
        self.kind == b'Q' && self.begins(b"COMMIT")
    }

    /// Whether a server says that a transaction was committed.
    pub(super) fn says_committed(&self) -> bool {
        self.kind == b'C' && self.begins(b"COMMIT")
    }

    fn begins(&self, word: &[u8]) -> bool {
        self.body.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word))
    }
}

/// Reads the messages of one direction, whatever pieces they come in.
#[derive(Debug)]
pub(super) struct Messages {
    from_client: bool,
    /// Whether messages have a kind: a client's first ones do not.
    has_kinds: bool,
    /// Whether nothing more can be read: the rest is encrypted.
    is_opaque: bool,
    head: Vec<u8>,
    /// Bytes of the message that are still to come and are of no interest.
    skip: usize,
}

impl Messages {
    pub(super) fn new(from_client: bool) -> Self {
        let head = Vec::with_capacity(5 + PEEK);
        Self { from_client, has_kinds: !from_client, is_opaque: false, head, skip: 0 }
    }

    /// Calls `each` with every message whose beginning is complete with these bytes, and where in
    /// them it begins (0 if it began earlier).
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        asked_for_tls: &AtomicBool,
        mut each: impl FnMut(Message<'_>, usize),
    ) {
        let mut at = 0;
        while at < bytes.len() && !self.is_opaque {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len() - at);
                self.skip -= skipped;
                at += skipped;
                continue;
            }
            let byte = bytes.get(at).copied().unwrap_or_default();
            if !self.from_client && self.head.is_empty() && asked_for_tls.load(Ordering::Acquire) {
                // The answer to a request for TLS is this one byte.
                asked_for_tls.store(false, Ordering::Release);
                self.is_opaque = byte == b'S';
                at += 1;
                continue;
            }
            if self.from_client && !self.has_kinds && self.head.is_empty() && byte == 0x16 {
                self.is_opaque = true;
                continue;
            }
            self.head.push(byte);
            at += 1;
            if self.is_complete() {
                let begin = at.saturating_sub(self.head.len());
                self.message(asked_for_tls, |message| each(message, begin));
            }
        }
    }

    /// Bytes before the body.
    fn before_body(&self) -> usize {
        if self.has_kinds { 5 } else { 4 }
    }

    /// Bytes of the body, once its length is known.
    fn length(&self) -> Option<usize> {
        let field = self.head.get(self.before_body() - 4..self.before_body())?;
        let length = u32::from_be_bytes(field.try_into().ok()?);
        Some(usize::try_from(length).ok()?.saturating_sub(4))
    }

    fn is_complete(&self) -> bool {
        self.length().is_some_and(|length| self.head.len() >= self.before_body() + length.min(PEEK))
    }

    fn message(&mut self, asked_for_tls: &AtomicBool, each: impl FnOnce(Message<'_>)) {
        let before = self.before_body();
        let length = self.length().unwrap_or(0);
        let body = self.head.get(before..).unwrap_or_default();
        self.skip = length - body.len().min(length);
        if self.has_kinds {
            let kind = self.head.first().copied().unwrap_or(STARTUP);
            each(Message { kind, head: &self.head, body, length: length as u64 });
        } else {
            let code = body.first_chunk().map(|code| u32::from_be_bytes(*code));
            match code {
                Some(TLS_REQUEST | GSS_REQUEST) => asked_for_tls.store(true, Ordering::Release),
                _ => self.has_kinds = true,
            }
        }
        self.head.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind][..], &length, body].concat()
    }

    fn kinds(messages: &mut Messages, pieces: &[&[u8]], flag: &AtomicBool) -> Vec<(u8, u64)> {
        let mut found = Vec::new();
        for piece in pieces {
            messages.read(piece, flag, |message, _| found.push((message.kind, message.length)));
        }
        found
    }

    #[test]
    fn messages_are_found_in_whatever_pieces_they_come() {
        let startup = [&12_u32.to_be_bytes()[..], &196_608_u32.to_be_bytes(), b"user"].concat();
        let tls = [8_u32.to_be_bytes(), TLS_REQUEST.to_be_bytes()].concat();
        let stream = [
            tls,
            startup,
            message(b'Q', b"BEGIN\0"),
            message(b'd', &[7; 1000]),
            message(b'c', b""),
            message(b'Q', b"commit\0"),
        ]
        .concat();
        for size in [1, 2, 3, 7, 64, 5000] {
            let pieces: Vec<&[u8]> = stream.chunks(size).collect();
            let flag = AtomicBool::new(false);
            let found = kinds(&mut Messages::new(true), &pieces, &flag);
            assert_eq!(found, [(b'Q', 6), (b'd', 1000), (b'c', 0), (b'Q', 7)], "{size}");
            assert!(flag.load(Ordering::Relaxed));
        }
    }

    #[test]
    fn an_answer_to_a_request_for_tls_is_one_byte() {
        let flag = AtomicBool::new(true);
        let stream = [b"N".to_vec(), message(b'C', b"COMMIT\0")].concat();
        let mut said = 0;
        let mut messages = Messages::new(false);
        messages.read(&stream, &flag, |message, at| {
            assert!(message.says_committed());
            said = at;
        });
        assert_eq!(said, 1);
        let mut encrypted = Messages::new(false);
        flag.store(true, Ordering::Relaxed);
        assert_eq!(kinds(&mut encrypted, &[b"S", &[b'C'; 100]], &flag), []);
    }
}
