//! What does an answer say item by item?
//!
//! It is JSON: an array, or an object with one under `items`, with an element for each item.
//!
//! ```json
//! {"errors": true, "items": [
//!   {"create": {"_id": "0de…:7", "status": 201}},
//!   {"create": {"_id": "0de…:8", "status": 400, "error": {"type": "t", "reason": "why"}}}]}
//! ```
//!
//! An element is the object with the `status`, bare or under the name of its action. It is matched
//! by its id (`_id`, `id`, or the name that is set), else by its place, if there are as many as
//! items. `"errors": false` says that all were taken. An item that the answer does not name counts
//! as not taken: better twice than lost. Of two elements for one item the worse counts.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tidegate_event::{JournalId, Position};

use super::status::Meaning;
use crate::contract::Batch;

/// An item that was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotTaken {
    pub(super) position: Position,
    pub(super) meaning: Meaning,
    pub(super) why: String,
}

/// How an answer is read.
pub(super) struct Reader<'r> {
    /// What a status means.
    pub(super) meaning: &'r dyn Fn(u16) -> Meaning,
    /// The name under which an event carries its id.
    pub(super) id_field: &'r str,
}

#[derive(Deserialize)]
struct Document<'a> {
    errors: Option<bool>,
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
}

impl Reader<'_> {
    /// The items that were not taken, in order; or why the answer cannot be read.
    pub(super) fn read(
        &self,
        body: &[u8],
        journal: JournalId,
        batch: &Batch,
    ) -> Result<Vec<NotTaken>, String> {
        let elements = match body.trim_ascii_start().first() {
            Some(b'[') => serde_json::from_slice(body).map_err(|error| error.to_string())?,
            _ => {
                let document: Document<'_> =
                    serde_json::from_slice(body).map_err(|error| error.to_string())?;
                if document.errors == Some(false) {
                    return Ok(Vec::new());
                }
                document.items.ok_or("it has no list `items`")?
            }
        };
        self.compare(&elements, journal, batch)
    }

    fn compare(
        &self,
        elements: &[&RawValue],
        journal: JournalId,
        batch: &Batch,
    ) -> Result<Vec<NotTaken>, String> {
        let as_many = elements.len() as u64 == batch.items();
        let mut answered: BTreeMap<Position, (Meaning, String)> = BTreeMap::new();
        let mut places = positions(batch);
        for element in elements {
            let place = places.next();
            let element: Value =
                serde_json::from_str(element.get()).map_err(|error| error.to_string())?;
            let element = inner(&element);
            let position = match self.named(element, journal) {
                Some(position) => position,
                None if as_many => place.ok_or("it names an item twice")?,
                None => {
                    return Err(format!(
                        "it lists {} items without their ids, and {} were sent",
                        elements.len(),
                        batch.items()
                    ));
                }
            };
            let (meaning, why) = self.verdict(element);
            let worse = |old: &(Meaning, String)| severity(meaning) > severity(old.0);
            if answered.get(&position).is_none_or(worse) {
                answered.insert(position, (meaning, why));
            }
        }
        let not_taken = |position| match answered.remove(&position) {
            Some((Meaning::Taken, _)) => None,
            Some((meaning, why)) => Some(NotTaken { position, meaning, why }),
            None => {
                let why = "the answer does not name it".to_owned();
                Some(NotTaken { position, meaning: Meaning::Retry, why })
            }
        };
        Ok(positions(batch).filter_map(not_taken).collect())
    }

    /// The position that an element names.
    fn named(&self, element: &Value, journal: JournalId) -> Option<Position> {
        let id = ["_id", "id", self.id_field].iter().find_map(|name| element[*name].as_str())?;
        let (of, position) = id.split_once(':')?;
        let ours = of.parse::<JournalId>().is_ok_and(|of| of == journal);
        position.parse().ok().filter(|_| ours)
    }

    fn verdict(&self, element: &Value) -> (Meaning, String) {
        let status = match &element["status"] {
            Value::String(text) => text.parse().ok(),
            number => number.as_u64().and_then(|number| u16::try_from(number).ok()),
        };
        let Some(status) = status else {
            return (Meaning::Retry, "its status is missing in the answer".to_owned());
        };
        let meaning = (self.meaning)(status);
        if meaning == Meaning::Taken {
            return (meaning, String::new());
        }
        let said = ["error", "message", "reason", "detail"]
            .iter()
            .find_map(|name| sentence(&element[*name]));
        (meaning, said.map_or_else(|| status.to_string(), |said| format!("{status}: {said}")))
    }
}

/// The object with the status: under the name of an action, or bare.
fn inner(element: &Value) -> &Value {
    match element.as_object() {
        Some(members) if members.len() == 1 => {
            members.values().next().filter(|inner| inner.is_object()).unwrap_or(element)
        }
        _ => element,
    }
}

/// What an error says, in one line.
fn sentence(error: &Value) -> Option<String> {
    match error {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Object(members) => {
            let text = |name| members.get(name).and_then(Value::as_str);
            let reason = text("reason").or_else(|| text("message"));
            match (text("type"), reason) {
                (Some(kind), Some(reason)) => Some(format!("{kind}: {reason}")),
                (_, Some(only)) | (Some(only), None) => Some(only.to_owned()),
                (None, None) => Some(error.to_string()),
            }
        }
        other => Some(other.to_string()),
    }
}

/// What is given up is worse than what is tried again, and that is worse than what was taken.
const fn severity(meaning: Meaning) -> u8 {
    match meaning {
        Meaning::Taken => 0,
        _ if meaning.is_retryable() => 1,
        _ => 2,
    }
}

fn positions(batch: &Batch) -> impl Iterator<Item = Position> + '_ {
    let of =
        |slice: &crate::contract::Slice| slice.first..slice.first + u64::from(slice.rows.len());
    batch.slices.iter().flat_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Slice;
    use proptest::prelude::*;
    use serde_json::json;
    use tidegate_event::{Event, Rows, rows};

    const JOURNAL: JournalId = JournalId::from_u128(0xdecade);

    fn slice(first: u64, count: u32) -> Slice {
        let mut bytes = Vec::new();
        for _ in 0..count {
            rows::encode(&Event::default(), &mut bytes).unwrap();
        }
        Slice { first, rows: Rows::new(bytes.into(), count) }
    }

    /// Positions 3, 4 and 8.
    fn batch() -> Batch {
        Batch { lane: "default".into(), range: 0..9, slices: vec![slice(3, 2), slice(8, 1)] }
    }

    fn read_bytes(body: &[u8]) -> Result<Vec<NotTaken>, String> {
        let meaning = |status| Meaning::of(status);
        Reader { meaning: &meaning, id_field: "name" }.read(body, JOURNAL, &batch())
    }

    fn read(body: &Value) -> Vec<(Position, bool, String)> {
        let not_taken = read_bytes(body.to_string().as_bytes()).unwrap();
        let told = |item: NotTaken| (item.position, item.meaning.is_retryable(), item.why);
        not_taken.into_iter().map(told).collect()
    }

    fn id(position: u64) -> String {
        format!("{JOURNAL}:{position}")
    }

    #[test]
    fn elements_are_matched_by_id_whatever_their_order() {
        let error = json!({"type": "mapper", "reason": "no number"});
        let body = json!({"errors": true, "items": [
            {"create": {"_id": id(8), "status": 400, "error": error}},
            {"create": {"_id": id(3), "status": 201}},
            {"create": {"_id": id(4), "status": 429}},
        ]});
        let expected = [(4, true, "429".to_owned()), (8, false, "400: mapper: no number".into())];
        assert_eq!(read(&body), expected);
    }

    #[test]
    fn elements_are_matched_by_place_if_they_have_no_ids() {
        let body = json!([
            {"status": "200"}, {"status": 422, "message": "bad"}, {"status": 201},
        ]);
        assert_eq!(read(&body), [(4, false, "422: bad".to_owned())]);
        let two = json!({"items": [{"status": 200}, {"status": 200}]});
        assert_eq!(
            read_bytes(two.to_string().as_bytes()),
            Err("it lists 2 items without their ids, and 3 were sent".to_owned())
        );
    }

    #[test]
    fn what_is_not_named_is_not_taken_and_the_worse_of_two_counts() {
        let body = json!([
            {"id": id(3), "status": 400}, {"id": id(3), "status": 200},
            {"name": id(8), "status": 200}, {"id": "another:4", "status": 200, "x": 1},
        ]);
        let refused = read_bytes(body.to_string().as_bytes());
        assert_eq!(refused, Err("it lists 4 items without their ids, and 3 were sent".to_owned()));
        let body = json!([
            {"id": id(3), "status": 400}, {"id": id(3), "status": 200},
            {"name": id(8), "status": 200},
        ]);
        let unnamed = "the answer does not name it".to_owned();
        assert_eq!(read(&body), [(3, false, "400".to_owned()), (4, true, unnamed)]);
    }

    #[test]
    fn all_taken_may_be_said_in_one_word() {
        assert_eq!(read(&json!({"errors": false, "items": []})), []);
        assert_eq!(read(&json!({"took": 3, "errors": false})), []);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (body, expected) in [
            ("", "EOF while parsing a value"),
            ("<html>", "expected value"),
            ("{}", "it has no list `items`"),
            (r#"{"errors":true}"#, "it has no list `items`"),
            (r#"{"items":[{"status":200}"#, "EOF"),
            ("null", "invalid type: null"),
        ] {
            let why = read_bytes(body.as_bytes()).unwrap_err();
            assert!(why.contains(expected), "{body}: {why}");
        }
    }

    proptest! {
        /// Invariant: any answer at all is survived, and names no item that was not sent.
        #[test]
        fn any_answer_is_survived(
            body in prop_oneof![
                any::<Vec<u8>>(),
                r#"(\[|\]|\{|\}|,|:|"items"|"status"|"_id"|"errors"|200|400|true|null){0,30}"#
                    .prop_map(String::into_bytes),
            ],
        ) {
            if let Ok(not_taken) = read_bytes(&body) {
                prop_assert!(not_taken.iter().all(|item| [3, 4, 8].contains(&item.position)));
            }
        }

        /// Invariant: exactly the items whose status says so were not taken.
        #[test]
        fn each_item_has_its_own_verdict(
            statuses in proptest::array::uniform3(200..600u16), ids: bool, wrapped: bool,
        ) {
            let sent = [3, 4, 8];
            let element = |(position, status): (&u64, &u16)| {
                let mut element = json!({"status": status, "took": 1});
                if ids {
                    element["_id"] = id(*position).into();
                }
                if wrapped { json!({"index": element}) } else { element }
            };
            let elements: Vec<_> = sent.iter().zip(&statuses).map(element).collect();
            let told: Vec<_> = read(&json!({"items": elements}))
                .into_iter()
                .map(|(position, retryable, _)| (position, retryable))
                .collect();
            let expected: Vec<_> = sent
                .into_iter()
                .zip(statuses)
                .filter(|(_, status)| *status >= 300)
                .map(|(position, status)| (position, ![400, 413, 422].contains(&status)))
                .collect();
            prop_assert_eq!(told, expected);
        }
    }
}
