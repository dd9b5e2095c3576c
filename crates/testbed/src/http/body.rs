//! How is a body read as items? As what its headers say it is.

use std::io::{self, Read};

use hyper::HeaderMap;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::Value;
use serde_json::value::RawValue;

/// An item: its id, and its JSON as it came.
pub(super) type Item = (String, String);

/// The body as it was before it was compressed.
pub(super) fn unpacked(headers: &HeaderMap, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    match headers.get(CONTENT_ENCODING).map(hyper::http::HeaderValue::as_bytes) {
        None => plain.extend_from_slice(body),
        Some(b"gzip") => {
            flate2::read::GzDecoder::new(body).read_to_end(&mut plain)?;
        }
        Some(b"zstd") => plain = zstd::decode_all(body)?,
        Some(other) => return Err(io::Error::other(format!("encoding {other:?}"))),
    }
    Ok(plain)
}

/// The items of a plain body, or why it is none.
pub(super) fn items(headers: &HeaderMap, plain: &[u8]) -> Result<Vec<Item>, String> {
    let is_array = headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    let values = if is_array { array(plain)? } else { lines(plain)? };
    let mut items = Vec::with_capacity(values.len());
    let mut values = values.into_iter();
    while let Some(text) = values.next() {
        let parsed: Value =
            serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))?;
        // Before the objects of a bulk stand lines that name them.
        let named = parsed["create"]["_id"].as_str().map(str::to_owned);
        let (id, text) = match named {
            Some(id) => (id, values.next().ok_or("an action without an object")?),
            None => {
                let id = parsed["_id"].as_str().ok_or("an object without an id")?;
                (id.to_owned(), text)
            }
        };
        let is_object = serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object());
        if !is_object {
            return Err(format!("{id} is no object"));
        }
        items.push((id, text.to_owned()));
    }
    Ok(items)
}

fn array(plain: &[u8]) -> Result<Vec<&str>, String> {
    let elements: Vec<&RawValue> =
        serde_json::from_slice(plain).map_err(|error| error.to_string())?;
    Ok(elements.into_iter().map(RawValue::get).collect())
}

fn lines(plain: &[u8]) -> Result<Vec<&str>, String> {
    let text = std::str::from_utf8(plain).map_err(|error| error.to_string())?;
    if !text.is_empty() && !text.ends_with('\n') {
        return Err("the last line has no end".to_owned());
    }
    // Not `lines`, which would forgive a carriage return.
    Ok(text.split_terminator('\n').collect())
}
