//! A request's body becomes rows, and rows become events again.

use std::sync::Arc;

use tidegate_event::json::{Format, Limits, Options, Parser};
use tidegate_event::{Body, Event, Rows, rows as format};

use crate::first;

/// Any body, in any format: what is accepted is in the rows, and every row holds what a sink takes.
pub fn events(data: &[u8]) {
    let (flags, body) = first(data);
    let format = match flags & 3 {
        0 | 3 => Format::Ndjson,
        1 => Format::Json,
        _ => Format::Text,
    };
    let classes: [Arc<str>; 2] = ["urgent".into(), "bulk".into()];
    let options = Options {
        limits: Limits { event_bytes_max: 4096, depth_max: 16, events_max: 500 },
        classes: &classes,
        default_class: if flags & 4 == 0 { "" } else { "bulk" },
        default_service: if flags & 8 == 0 { "" } else { "tide" },
        observed: 1_700_000_000_000_000_000,
        partial: flags & 16 != 0,
    };
    let Ok(parsed) = Parser::default().parse(body, format, &options) else { return };
    let mut events = 0;
    for group in parsed.groups {
        assert!(group.count > 0 && group.class <= classes.len());
        // The head of a row, the defaults, and every byte escaped at its worst.
        let most = group.count as usize * 1024 + body.len() * 12;
        assert!(group.rows.len() <= most, "{} bytes of rows", group.rows.len());
        events += u64::from(group.count);
        let rows = group.into_rows();
        assert_eq!(rows.iter().count(), rows.len() as usize);
        rows.iter().for_each(|event| sound(&event));
    }
    assert_eq!(events, parsed.accepted);
    assert!(parsed.accepted + parsed.rejected.total <= 500);
    assert!(options.partial || parsed.rejected.total == 0);
}

/// An event as every sink may rely on it.
pub(crate) fn sound(event: &Event<'_>) {
    assert!(event.severity_number <= 24);
    let texts = [event.severity_text, event.service, event.class, event.attributes];
    assert!(texts.iter().all(|text| !text.contains('\0')));
    let attributes: Result<&serde_json::value::RawValue, _> =
        serde_json::from_str(event.attributes);
    assert!(event.attributes.is_empty() || attributes.is_ok(), "{}", event.attributes);
    match event.body {
        Body::Json(text) => {
            assert!(serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok(), "{text}");
        }
        Body::Text(text) => assert!(!text.contains('\0')),
        Body::None => {}
    }
    let mut row = Vec::new();
    format::encode(event, &mut row).unwrap();
    assert_eq!(Rows::new(row.into(), 1).iter().next().as_ref(), Some(event));
}

/// Bytes from a disk, read as rows: cut and read in any way, they are read alike.
pub fn rows(data: &[u8]) {
    let (cut, bytes) = first(data);
    // How many there are, the frame around them says, under the same checksum.
    let bytes = bytes::Bytes::copy_from_slice(bytes);
    let count = Rows::new(bytes.clone(), u32::MAX).iter().count() as u32;
    let whole = Rows::new(bytes, count);
    let events: Vec<_> = whole.iter().collect();
    assert_eq!(events.len() as u32, count);
    let views = whole.views().map_while(|view| view.event()).count();
    assert!(views >= events.len(), "{views} views, {} events", events.len());
    for event in &events {
        let mut row = Vec::new();
        format::encode(event, &mut row).unwrap();
        assert_eq!(Rows::new(row.into(), 1).iter().next().as_ref(), Some(event));
    }
    let mut rest = whole.clone();
    let front = rest.split_to(u32::from(cut).min(count));
    assert_eq!((front.len(), rest.len()), (u32::from(cut).min(count), count - front.len()));
    assert!(front.iter().chain(rest.iter()).zip(&events).all(|(cut, event)| cut == *event));
    let mut rest = whole.clone();
    let front = rest.split_within(count, 256);
    assert!(front.iter().zip(&events).all(|(cut, event)| cut == *event));
}
