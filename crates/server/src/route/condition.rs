//! Is an event for this sink?
//!
//! Three lists of tests, no expression language: all of the first hold, at least one of the second
//! if it has any, and none of the third. Whatever needs more is two sinks, or a class. A test
//! reads the one field that it names, and the cheapest tests are to be listed first: the first
//! that fails decides.

use tidegate_event::RowView;

use super::field::Field;

/// What is asked of a field. A field that the event does not have passes no test but `Exists`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Check {
    /// Its text is one of these.
    In(Vec<String>),
    /// Its text begins so.
    Prefix(String),
    /// The event has it, or has not.
    Exists(bool),
    /// It is a number in these bounds, lower one included: of the severity scale for `severity`.
    Within { at_least: f64, below: f64 },
}

/// A field and what is asked of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Test {
    pub(crate) field: Field,
    pub(crate) check: Check,
}

impl Test {
    fn holds(&self, row: &RowView<'_>) -> bool {
        let Self { field, check } = self;
        match check {
            Check::Exists(exists) => field.exists(row) == *exists,
            Check::In(values) => {
                field.text(row).is_some_and(|text| values.iter().any(|value| *value == text))
            }
            Check::Prefix(prefix) => {
                field.text(row).is_some_and(|text| text.starts_with(prefix.as_str()))
            }
            Check::Within { at_least, below } => {
                let number = match field {
                    Field::Severity => Some(f64::from(row.severity_number())).filter(|n| *n > 0.0),
                    _ => field.text(row).and_then(|text| text.trim().parse().ok()),
                };
                number.is_some_and(|number| *at_least <= number && number < *below)
            }
        }
    }
}

/// The condition under which a sink gets an event. The empty one holds for all.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct When {
    pub(crate) all: Vec<Test>,
    pub(crate) any: Vec<Test>,
    pub(crate) not: Vec<Test>,
}

impl When {
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.any.is_empty() && self.not.is_empty()
    }

    pub(crate) fn holds(&self, row: &RowView<'_>) -> bool {
        let holds = |test: &Test| test.holds(row);
        self.all.iter().all(holds)
            && (self.any.is_empty() || self.any.iter().any(holds))
            && !self.not.iter().any(holds)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tidegate_event::{Attributes, Body, Event, Rows, rows};

    use super::*;

    fn test(field: &str, check: Check) -> Test {
        Test { field: Field::named(field).unwrap(), check }
    }

    fn of(field: &str, check: Check, event: &Event<'_>) -> bool {
        let mut bytes = Vec::new();
        rows::encode(event, &mut bytes).unwrap();
        let rows = Rows::new(bytes.into(), 1);
        test(field, check).holds(&rows.views().next().unwrap())
    }

    fn among(values: &[&str]) -> Check {
        Check::In(values.iter().map(|value| (*value).to_owned()).collect())
    }

    #[test]
    fn every_field_can_be_asked_for() {
        let event = Event {
            severity_number: 14,
            severity_text: "W!",
            service: "checkout",
            class: "read",
            body: Body::Text("card declined"),
            attributes: r#"{"status":503,"user":{"id":1},"path":"/a\"b","http.method":"GET","gone":null}"#,
            trace_id: Some([1; 16]),
            ..Event::default()
        };
        let within = |at_least, below| Check::Within { at_least, below };
        for (field, check, holds) in [
            ("severity", within(13.0, f64::INFINITY), true),
            ("severity", within(17.0, f64::INFINITY), false),
            ("severity", within(0.0, 13.0), false),
            ("severity", Check::Exists(true), true),
            ("severity_text", among(&["W!"]), true),
            ("service", among(&["cart", "checkout"]), true),
            ("service", among(&["cart"]), false),
            ("service", Check::Prefix("check".into()), true),
            ("class", among(&["read"]), true),
            ("body", Check::Prefix("card".into()), true),
            ("trace_id", Check::Exists(true), true),
            ("span_id", Check::Exists(false), true),
            ("attributes.status", among(&["503"]), true),
            ("attributes.status", within(500.0, 600.0), true),
            ("attributes.status", within(600.0, f64::INFINITY), false),
            ("attributes.path", among(&["/a\"b"]), true),
            ("attributes.http.method", among(&["GET"]), true),
            ("attributes.user", Check::Prefix("{\"id\"".into()), true),
            ("attributes.id", Check::Exists(true), false),
            ("attributes.gone", Check::Exists(true), true),
            ("attributes.none", Check::Prefix(String::new()), false),
        ] {
            assert_eq!(of(field, check.clone(), &event), holds, "{field} {check:?}");
        }
        let bare = Event::default();
        for field in Field::NAMES {
            assert!(of(field, Check::Exists(false), &bare), "{field}");
            assert!(!of(field, Check::Prefix(String::new()), &bare), "{field}");
        }
        assert!(!of("severity", within(0.0, 99.0), &bare), "an unknown severity is none");
    }

    proptest! {
        /// Invariant: an event is for the sink if all tests of `all`, one of `any` (if there are
        /// any) and none of `not` hold.
        #[test]
        fn the_three_lists_mean_all_any_and_none(
            has in prop::collection::btree_set("[a-d]", 0..4),
            lists in prop::array::uniform3(prop::collection::vec(("[a-d]", any::<bool>()), 0..3)),
        ) {
            let mut attributes = Attributes::default();
            attributes.clear();
            has.iter().for_each(|name| attributes.push_json(name, "1"));
            let mut bytes = Vec::new();
            let event = Event { attributes: attributes.finish(), ..Event::default() };
            rows::encode(&event, &mut bytes).unwrap();
            let rows = Rows::new(bytes.into(), 1);
            let made = |list: &Vec<(String, bool)>| list.iter().map(|(name, exists)| {
                test(&format!("attributes.{name}"), Check::Exists(*exists))
            }).collect::<Vec<_>>();
            let [all, any, not] = &lists;
            let when = When { all: made(all), any: made(any), not: made(not) };
            let holds = |(name, exists): &(String, bool)| has.contains(name) == *exists;
            let expected = all.iter().all(holds)
                && (any.is_empty() || any.iter().any(holds))
                && !not.iter().any(holds);
            prop_assert_eq!(when.holds(&rows.views().next().unwrap()), expected);
        }
    }
}
