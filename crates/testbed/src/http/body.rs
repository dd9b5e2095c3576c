//! How is a body read as items? As what its headers say it is.

use std::io::{self, Read};

use hyper::HeaderMap;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::Value;

/// An item: its id and all of it.
pub(super) type Item = (String, Value);

/// The body as it was before it was compressed.
pub(super) fn unpacked(headers: &HeaderMap, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    match headers.get(CONTENT_ENCODING).map(|name| name.as_bytes()) {
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
    while let Some(value) = values.next() {
        // Before the objects of a bulk stand lines that name them.
        let named = value["create"]["_id"].as_str().map(str::to_owned);
        let (id, value) = match named {
            Some(id) => (id, values.next().ok_or("an action without an object")?),
            None => {
                let id = value["_id"].as_str().ok_or("an object without an id")?;
                (id.to_owned(), value)
            }
        };
        if !value.is_object() {
            return Err(format!("{id} is no object"));
        }
        items.push((id, value));
    }
    Ok(items)
}

fn array(plain: &[u8]) -> Result<Vec<Value>, String> {
    serde_json::from_slice(plain).map_err(|error| error.to_string())
}

fn lines(plain: &[u8]) -> Result<Vec<Value>, String> {
    let text = std::str::from_utf8(plain).map_err(|error| error.to_string())?;
    if !text.is_empty() && !text.ends_with('\n') {
        return Err("the last line has no end".to_owned());
    }
    let value = |line: &str| serde_json::from_str(line).map_err(|error| format!("{error}: {line}"));
    // Not `lines`, which would forgive a carriage return.
    text.split_terminator('\n').map(value).collect()
}
