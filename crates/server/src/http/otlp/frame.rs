//! How is the one message of a call received? Five bytes say whether it is packed and how long it
//! is; then it is known how much memory it takes, before it is there.
//!
//! Source: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.

use bytes::{Buf as _, Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Incoming};

use crate::http::budget::Lease;
use crate::http::refusal::Refusal;

/// The flag, and the length.
const HEAD: usize = 5;

/// A message as it was sent.
#[derive(Debug)]
pub(super) struct Message {
    /// Whether it is packed, as `grpc-encoding` says.
    pub(super) is_packed: bool,
    pub(super) bytes: Bytes,
}

/// Receives the one message of a call.
pub(super) async fn receive<B>(
    mut body: B,
    bytes_max: usize,
    lease: &mut Lease,
) -> Result<Message, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut received = Received::default();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal::BrokeOff(error.to_string()))?;
        if let Ok(data) = frame.into_data() {
            received.push(data, bytes_max, lease)?;
        }
    }
    received.finish()
}

/// A message that is arriving.
#[derive(Debug, Default)]
struct Received {
    /// The pieces so far: one of the transport's own, or a copy of several.
    whole: Bytes,
    pieces: BytesMut,
    /// Its length with the head, once that is known.
    expected: Option<usize>,
}

impl Received {
    fn len(&self) -> usize {
        self.whole.len() + self.pieces.len()
    }

    fn push(&mut self, data: Bytes, bytes_max: usize, lease: &mut Lease) -> Result<(), Refusal> {
        if self.len() == 0 {
            self.whole = data;
        } else {
            // A message in one piece is not copied; others are, to where they find room.
            if self.pieces.is_empty() {
                self.pieces.reserve(self.expected.unwrap_or(0).max(self.whole.len() + data.len()));
                self.pieces.extend_from_slice(&std::mem::take(&mut self.whole));
            }
            self.pieces.extend_from_slice(&data);
        }
        let start = if self.pieces.is_empty() { &self.whole[..] } else { &self.pieces[..] };
        if self.expected.is_none()
            && let Some([_, length @ ..]) = start.first_chunk::<HEAD>()
        {
            let length = u32::from_be_bytes(*length) as usize;
            if length > bytes_max {
                return Err(Refusal::TooLarge { max: bytes_max });
            }
            lease.grow_to(HEAD + length)?;
            self.expected = Some(HEAD + length);
        }
        match self.expected {
            Some(expected) if self.len() > expected => Err(Refusal::Frame("more than one message")),
            _ => Ok(()),
        }
    }

    fn finish(self) -> Result<Message, Refusal> {
        if self.len() == 0 {
            return Err(Refusal::Frame("no message"));
        }
        if self.expected != Some(self.len()) {
            return Err(Refusal::Frame("a message that is cut off"));
        }
        let mut bytes = if self.pieces.is_empty() { self.whole } else { self.pieces.freeze() };
        let flag = bytes.get_u8();
        bytes.advance(HEAD - 1);
        match flag {
            0 | 1 => Ok(Message { is_packed: flag == 1, bytes }),
            _ => Err(Refusal::Frame("a message with unknown flags")),
        }
    }
}

/// What a call's body is, as the server gets it.
pub(super) type CallBody = Incoming;

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use proptest::prelude::*;

    use super::*;
    use crate::http::budget::Budget;

    fn received(sent: &[u8], cuts: &[usize], max: usize) -> Result<Message, Refusal> {
        let mut pieces: Vec<Result<Frame<Bytes>, Infallible>> = Vec::new();
        let mut from = 0;
        for cut in cuts.iter().chain([&sent.len()]) {
            let to = (*cut).clamp(from, sent.len());
            pieces.push(Ok(Frame::data(Bytes::copy_from_slice(&sent[from..to]))));
            from = to;
        }
        let body = StreamBody::new(tokio_stream(pieces));
        let mut lease = Budget::new(1 << 20).lease();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(receive(body, max, &mut lease))
    }

    /// A stream of what is there already.
    fn tokio_stream<T: Unpin>(items: Vec<T>) -> impl futures_core::Stream<Item = T> + Unpin {
        struct Items<T>(std::vec::IntoIter<T>);
        impl<T: Unpin> futures_core::Stream for Items<T> {
            type Item = T;
            fn poll_next(
                mut self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Option<T>> {
                std::task::Poll::Ready(self.0.next())
            }
        }
        Items(items.into_iter())
    }

    fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        [&[flag][..], &length, message].concat()
    }

    proptest! {
        /// Invariant: a message is the same however it was cut on its way.
        #[test]
        fn a_message_is_put_together(
            message in prop::collection::vec(any::<u8>(), 0..200),
            mut cuts in prop::collection::vec(0..210usize, 0..8), packed: bool,
        ) {
            cuts.sort_unstable();
            let message = received(&framed(u8::from(packed), &message), &cuts, 200).map(|found| {
                assert_eq!(found.is_packed, packed);
                (found.bytes, message)
            });
            let (found, sent) = message.unwrap();
            prop_assert_eq!(found, sent);
        }
    }

    #[test]
    fn what_is_no_single_message_within_the_bound_is_told() {
        let told = |sent: &[u8], max| received(sent, &[2], max).unwrap_err().to_string();
        let one = framed(0, b"ebb");
        assert!(told(&one, 2).contains("more than 2 bytes"));
        assert!(told(&one[..7], 9).contains("cut off"));
        assert!(told(&one[..3], 9).contains("cut off"));
        assert!(told(&[], 9).contains("no message"));
        assert!(told(&[one.clone(), one].concat(), 9).contains("more than one message"));
        assert!(told(&framed(7, b"ebb"), 9).contains("unknown flags"));
    }
}
