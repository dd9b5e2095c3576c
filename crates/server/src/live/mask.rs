//! What must not be shown of a payload? The values of fields with certain names.
//!
//! The text around them stays as it was written: no number is rounded and no member reordered. When
//! such a payload comes back mended, what is still masked is taken from the one that it replaces.

use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

/// What stands in place of a value, as JSON.
const MASK: &str = "\"***\"";

/// The members of an object as they are written.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Order;
        impl<'de> Visitor<'de> for Order {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Order)
    }
}

/// The JSON text without the values of fields that have one of these names, in any case.
pub(crate) fn masked(json: &str, names: &[String]) -> String {
    if names.is_empty() { json.to_owned() } else { mask(json, names) }
}

/// Every level of a value is read once for each level above it; events are at most 1 MiB and as deep
/// as the parser of events allows.
fn mask(json: &str, names: &[String]) -> String {
    rewritten(json, &mut |name, value| {
        if is_masked(name, names) { MASK.to_owned() } else { mask(value, names) }
    })
}

fn is_masked(name: Option<&str>, names: &[String]) -> bool {
    name.is_some_and(|name| names.iter().any(|masked| masked.eq_ignore_ascii_case(name)))
}

/// The JSON text with each member's value, or each element of a list (which has no name), replaced.
fn rewritten(json: &str, value: &mut dyn FnMut(Option<&str>, &str) -> String) -> String {
    if let Ok(Members(members)) = serde_json::from_str(json) {
        let members = members.iter().map(|(name, member)| {
            let quoted = serde_json::Value::from(name.as_str());
            format!("{quoted}:{}", value(Some(name), member.get()))
        });
        return format!("{{{}}}", members.collect::<Vec<_>>().join(","));
    }
    if let Ok(elements) = serde_json::from_str::<Vec<Box<RawValue>>>(json) {
        let elements = elements.iter().map(|element| value(None, element.get()));
        return format!("[{}]", elements.collect::<Vec<_>>().join(","));
    }
    json.to_owned()
}

/// `new` with the values of `old` where fields with one of these names are still masked.
pub(crate) fn unmasked(new: &str, old: &str, names: &[String]) -> String {
    let members = |json: &str| serde_json::from_str::<Members>(json).map(|Members(of)| of).ok();
    let elements = |json: &str| serde_json::from_str::<Vec<Box<RawValue>>>(json).ok();
    let before = members(old).unwrap_or_default();
    let listed = elements(old).unwrap_or_default();
    let mut place = 0;
    rewritten(new, &mut |name, value| {
        let at = place;
        place += 1;
        let old = match name {
            None => listed.get(at).map(|element| element.get()),
            Some(name) => {
                before.iter().find(|(other, _)| other == name).map(|(_, value)| value.get())
            }
        };
        match old {
            Some(old) if is_masked(name, names) && value == MASK => old.to_owned(),
            Some(old) => unmasked(value, old, names),
            None => value.to_owned(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"msg":"pay","user":{"Password":"x","n":12345678901234567890.5},
        "list":[{"password":[1,2]},7],"password":null}"#;

    #[test]
    fn masked_values_are_gone_at_every_depth_and_the_rest_is_as_it_was() {
        let names = ["password".to_owned()];
        let shown = masked(EVENT, &names);
        assert_eq!(
            shown,
            r#"{"msg":"pay","user":{"Password":"***","n":12345678901234567890.5},"list":[{"password":"***"},7],"password":"***"}"#
        );
        assert_eq!(masked(EVENT, &[]), EVENT);
        assert_eq!(masked("\"password\"", &names), "\"password\"");
    }

    #[test]
    fn what_comes_back_masked_is_what_it_was() {
        let names = ["password".to_owned()];
        let shown = masked(EVENT, &names).replace("pay", "paid");
        let back = unmasked(&shown, EVENT, &names);
        let expected: serde_json::Value = EVENT.replace("pay", "paid").parse().unwrap();
        assert_eq!(back.parse::<serde_json::Value>().unwrap(), expected);
        let changed = shown.replace(r#""password":"***"}"#, r#""password":"new"}"#);
        assert!(unmasked(&changed, EVENT, &names).contains(r#""password":"new"}"#));
        assert_eq!(unmasked(r#"{"password":"***"}"#, "{}", &names), r#"{"password":"***"}"#);
    }
}
