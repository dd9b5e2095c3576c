//! What did the server answer, and where does its answer end?
//!
//! A pure reading of the bytes received so far: [`read`] is asked again whenever more have come,
//! until it finds the answer whole. Framing follows RFC 9112, section 6.3: chunked before
//! `Content-Length`, else until the connection closes. Answers of a log server are short, so
//! reading from the start again is cheaper than keeping a state, and the bounds keep it so.

use std::time::Duration;

use thiserror::Error;

/// Header lines that an answer may have.
const MAX_HEADERS: usize = 64;
/// Bytes that an answer may have, head and body together.
pub(crate) const MAX_ANSWER: usize = 1 << 20;

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// `Retry-After`, when given in seconds.
    pub(crate) retry_after: Option<Duration>,
    /// Whether the connection ends with this answer.
    pub(crate) close: bool,
    /// The body, chunks joined.
    pub(crate) body: Vec<u8>,
    /// How many of the bytes read belong to this answer and those before it.
    pub(crate) used: usize,
}

/// Why bytes are no HTTP/1.1 answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum BadAnswer {
    #[error("not HTTP/1.1: {0}")]
    Head(#[from] httparse::Error),
    #[error("Content-Length is no number, or given twice with different values")]
    Length,
    #[error("a chunk's size is no number, or its end is not where it says")]
    Chunk,
    #[error("longer than {MAX_ANSWER} bytes")]
    TooLong,
}

/// How the end of a body is found.
enum Framing {
    Empty,
    Length(usize),
    Chunked,
    UntilClose,
}

/// Reads the first answer in `bytes`; `closed` says that no more will come.
///
/// `Ok(None)` means that the answer is not complete; with `closed` it never will be.
pub(crate) fn read(bytes: &[u8], closed: bool) -> Result<Option<Answer>, BadAnswer> {
    let mut skipped = 0;
    loop {
        let rest = bytes.get(skipped..).unwrap_or_default();
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = head.parse(rest)? else {
            return if bytes.len() > MAX_ANSWER { Err(BadAnswer::TooLong) } else { Ok(None) };
        };
        let status = head.code.unwrap_or(0);
        if (100..200).contains(&status) && status != 101 {
            skipped += length; // An interim answer; the real one follows.
            continue;
        }
        let framing = framing(status, head.headers)?;
        let persistent = head.version == Some(1) && !matches!(framing, Framing::UntilClose);
        let close = !persistent || lists(head.headers, "connection", "close");
        let retry_after = retry_after(head.headers);
        let after = rest.get(length..).unwrap_or_default();
        let Some((body, size)) = body(&framing, after, closed)? else {
            return if bytes.len() > MAX_ANSWER { Err(BadAnswer::TooLong) } else { Ok(None) };
        };
        let used = skipped + length + size;
        return Ok(Some(Answer { status, retry_after, close, body, used }));
    }
}

fn values<'a>(headers: &'a [httparse::Header<'a>], name: &'a str) -> impl Iterator<Item = &'a str> {
    headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|header| str::from_utf8(header.value).unwrap_or(""))
}

/// Whether a header that is a list of words has this one.
fn lists(headers: &[httparse::Header<'_>], name: &str, word: &str) -> bool {
    values(headers, name).flat_map(|v| v.split(',')).any(|w| w.trim().eq_ignore_ascii_case(word))
}

fn retry_after(headers: &[httparse::Header<'_>]) -> Option<Duration> {
    values(headers, "retry-after").find_map(|v| v.trim().parse().ok()).map(Duration::from_secs)
}

fn framing(status: u16, headers: &[httparse::Header<'_>]) -> Result<Framing, BadAnswer> {
    if status == 204 || status == 304 {
        return Ok(Framing::Empty);
    }
    if values(headers, "transfer-encoding").next().is_some() {
        let chunked = lists(headers, "transfer-encoding", "chunked");
        return Ok(if chunked { Framing::Chunked } else { Framing::UntilClose });
    }
    let mut length = None;
    for value in values(headers, "content-length").flat_map(|v| v.split(',')) {
        let value = value.trim().parse::<usize>().map_err(|_| BadAnswer::Length)?;
        if length.replace(value).is_some_and(|before| before != value) {
            return Err(BadAnswer::Length);
        }
    }
    match length {
        Some(length) if length > MAX_ANSWER => Err(BadAnswer::TooLong),
        Some(length) => Ok(Framing::Length(length)),
        None => Ok(Framing::UntilClose),
    }
}

/// The body and how many bytes it took; `None` while it is not whole.
fn body(
    framing: &Framing,
    bytes: &[u8],
    closed: bool,
) -> Result<Option<(Vec<u8>, usize)>, BadAnswer> {
    match framing {
        Framing::Empty => Ok(Some((Vec::new(), 0))),
        Framing::Length(length) => Ok(bytes.get(..*length).map(|body| (body.to_vec(), *length))),
        Framing::UntilClose => Ok(closed.then(|| (bytes.to_vec(), bytes.len()))),
        Framing::Chunked => unchunk(bytes),
    }
}

fn unchunk(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, BadAnswer> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let (line, size) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete((line, size))) => (line, size),
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(BadAnswer::Chunk),
        };
        at += line;
        if size == 0 {
            return Ok(trailers(bytes, at).map(|end| (body, end)));
        }
        let size = usize::try_from(size).ok().filter(|size| *size <= MAX_ANSWER);
        let size = size.ok_or(BadAnswer::TooLong)?;
        let Some(data) = bytes.get(at..at + size) else { return Ok(None) };
        body.extend_from_slice(data);
        at += size;
        match bytes.get(at..at + 2) {
            Some(b"\r\n") => at += 2,
            Some(_) => return Err(BadAnswer::Chunk),
            None => return Ok(None),
        }
    }
}

/// Where the trailers that start at `at` end: behind the first empty line.
fn trailers(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let rest = bytes.get(at..)?;
        let line = rest.windows(2).position(|pair| pair == b"\r\n")?;
        at += line + 2;
        if line == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(text: &str) -> Answer {
        read(text.as_bytes(), false).unwrap().unwrap()
    }

    #[test]
    fn framings_are_told_apart() {
        let plain = whole("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbodyHTTP/1.1");
        assert_eq!((plain.status, plain.body.as_slice(), plain.close), (200, &b"body"[..], false));
        assert_eq!(plain.used, "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody".len());
        let text = "HTTP/1.1 503 X\r\nRetry-After: 7\r\nTransfer-Encoding: chunked\r\n\
                    Connection: foo, Close\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nT: x\r\n\r\n";
        let chunked = whole(text);
        assert_eq!((chunked.body.as_slice(), chunked.close), (&b"abcde"[..], true));
        assert_eq!(chunked.retry_after, Some(Duration::from_secs(7)));
        assert_eq!(chunked.used, text.len());
        let interim = whole("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!((interim.status, interim.body.len()), (204, 0));
        let old = "HTTP/1.0 200 OK\r\n\r\nall of it";
        assert_eq!(read(old.as_bytes(), false), Ok(None));
        let old = read(old.as_bytes(), true).unwrap().unwrap();
        assert_eq!((old.body.as_slice(), old.close), (&b"all of it"[..], true));
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let refusal = |text: &str| read(text.as_bytes(), false).unwrap_err();
        assert!(matches!(refusal("SSH-2.0-OpenSSH_9\r\n"), BadAnswer::Head(_)));
        assert_eq!(refusal("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"), BadAnswer::Length);
        assert_eq!(
            refusal("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n"),
            BadAnswer::Length
        );
        assert_eq!(
            refusal("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n"),
            BadAnswer::TooLong
        );
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(refusal(&format!("{chunked}zz\r\n")), BadAnswer::Chunk);
        assert_eq!(refusal(&format!("{chunked}1\r\nabc\r\n")), BadAnswer::Chunk);
        assert_eq!(refusal(&format!("{chunked}FFFFFFFFF\r\n")), BadAnswer::TooLong);
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(MAX_ANSWER));
        assert_eq!(refusal(&endless), BadAnswer::TooLong);
    }

    proptest! {
        /// Invariant: an answer cut anywhere is incomplete, never wrong and never a panic.
        #[test]
        fn a_cut_answer_is_incomplete(
            chunks in prop::collection::vec("[a-z]{1,20}", 0..5), cut in 0.0_f64..1.0,
        ) {
            let mut text = String::from("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            for chunk in &chunks {
                text.push_str(&format!("{:x}\r\n{chunk}\r\n", chunk.len()));
            }
            text.push_str("0\r\n\r\n");
            let at = (text.len() as f64 * cut) as usize;
            prop_assert_eq!(read(&text.as_bytes()[..at], true), Ok(None));
            prop_assert_eq!(whole(&text).body, chunks.concat().into_bytes());
        }

        /// Invariant: no bytes make the reader panic.
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200), closed: bool) {
            let _ = read(&bytes, closed);
            let framed = [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", &bytes[..]].concat();
            let _ = read(&framed, closed);
        }
    }
}
