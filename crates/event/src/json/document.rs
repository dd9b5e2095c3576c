//! How is one JSON document read: an object, or an array of objects?
//!
//! Element by element, without a tree. An element that is JSON but no event is its own trouble;
//! where the JSON itself breaks, nothing tells where the next element begins, so the whole
//! request is refused, also when partial acceptance was asked for.

use std::borrow::Cow;

use super::Run;
use super::draft::Draft;
use super::error::{ParseError, Place, Reason};
use super::lines::BYTE_ORDER_MARK;
use super::object::{self, Fault};
use crate::scrub;

/// A position in the document's text.
struct Document<'t> {
    text: &'t str,
    at: usize,
    /// The array element it is in, from 1.
    element: Option<u64>,
}

/// Reads a whole document.
///
/// # Errors
///
/// [`ParseError::Malformed`] and [`ParseError::TooMany`]; bad elements are noted in the run.
pub(super) fn read(run: &mut Run<'_>, body: &[u8]) -> Result<(), ParseError> {
    let bytes = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Err(not_utf8(bytes, error.valid_up_to(), body.len() - bytes.len())),
    };
    let (text, replaced) =
        if scrub::may_need(bytes) { scrub::json(text) } else { (Cow::Borrowed(text), 0) };
    run.replaced += replaced;
    let mut document = Document { text: &text, at: 0, element: None };
    match document.peek() {
        None => Ok(()),
        Some(b'[') => document.array(run),
        Some(b'{') => {
            document.object(run, Place::Element(1))?;
            document.end("more after the object: send several events as an array, or as NDJSON")
        }
        Some(first) => {
            let start = document.at;
            document.skip()?;
            document.at = start;
            Err(document.broken(Reason::NotAnObject { found: object::kind(first) }))
        }
    }
}

impl Document<'_> {
    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let blank = object::blank(rest);
        self.at += blank;
        rest.get(blank).copied()
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn array(&mut self, run: &mut Run<'_>) -> Result<(), ParseError> {
        self.at += 1;
        if self.peek() == Some(b']') {
            self.at += 1;
            return self.end("more after the array");
        }
        for number in 1.. {
            run.admit()?;
            self.element = Some(number);
            let place = Place::Element(number);
            match self.peek() {
                Some(b'{') => self.object(run, place)?,
                Some(first) => {
                    self.skip()?;
                    run.reject(place, None, Reason::NotAnObject { found: object::kind(first) });
                }
                None => return Err(self.cut_off()),
            }
            let next = self.peek();
            let at = self.at;
            self.at += 1;
            match next {
                Some(b',') => {}
                Some(b']') => break,
                Some(_) => {
                    self.at = at;
                    return Err(self.syntax("expected `,` or `]` after the element"));
                }
                None => return Err(self.cut_off()),
            }
        }
        self.element = None;
        self.end("more after the array")
    }

    /// Reads one object and writes its row.
    fn object(&mut self, run: &mut Run<'_>, place: Place) -> Result<(), ParseError> {
        let limits = run.options.limits;
        let start = self.at;
        let text = self.text.get(start..).unwrap_or_default();
        let too_long = |bytes| Reason::TooLong { bytes, max: limits.event_bytes_max };
        let mut draft = Draft::default();
        match object::read(text, limits.depth_max, run.scratch, &mut draft) {
            Ok(bytes) => {
                self.at += bytes;
                if bytes > limits.event_bytes_max {
                    run.reject(place, None, too_long(bytes));
                } else if let Err(error) = run.accept(&draft) {
                    run.reject(place, None, error.into());
                }
            }
            Err(fault) if fault.is_json => {
                self.skip()?;
                run.reject(place, None, fault.reason);
            }
            Err(fault) => return Err(self.at_fault(fault)),
        }
        Ok(())
    }

    /// Goes behind a value without looking at it.
    fn skip(&mut self) -> Result<(), ParseError> {
        match object::skip(self.rest()) {
            Ok(bytes) => {
                self.at += bytes;
                Ok(())
            }
            Err(fault) => Err(self.at_fault(fault)),
        }
    }

    /// Makes sure that the document ends here.
    fn end(&mut self, otherwise: &str) -> Result<(), ParseError> {
        self.peek().map_or(Ok(()), |_| Err(self.syntax(otherwise)))
    }

    fn syntax(&self, detail: &str) -> ParseError {
        self.broken(Reason::Syntax { detail: detail.to_owned() })
    }

    fn cut_off(&mut self) -> ParseError {
        self.at = self.text.trim_ascii_end().len();
        self.broken(Reason::Truncated { detail: "the array is not closed".to_owned() })
    }

    /// Breaks here.
    fn broken(&self, reason: Reason) -> ParseError {
        self.at_fault(Fault { line: 1, column: 1, reason, is_json: false })
    }

    /// Breaks at a fault in the text from here on.
    fn at_fault(&self, fault: Fault) -> ParseError {
        let before = self.text.as_bytes().get(..self.at).unwrap_or_default();
        let (line, column) = position(before, fault.line, fault.column);
        ParseError::Malformed { line, column, element: self.element, reason: fault.reason }
    }
}

/// A line and column, from 1, of the text behind `before`, as line and column of the whole.
fn position(before: &[u8], line: usize, column: usize) -> (u64, u64) {
    let lines = memchr::memchr_iter(b'\n', before).count();
    let indent = match memchr::memrchr(b'\n', before) {
        _ if line > 1 => 0,
        Some(end) => before.len() - end - 1,
        None => before.len(),
    };
    ((lines + line) as u64, (indent + column) as u64)
}

fn not_utf8(text: &[u8], valid: usize, mark: usize) -> ParseError {
    let (line, column) = position(text.get(..valid).unwrap_or_default(), 1, 1);
    let byte = text.get(valid).copied().unwrap_or(0);
    let reason = Reason::NotUtf8 { offset: (mark + valid) as u64, byte };
    ParseError::Malformed { line, column, element: None, reason }
}
