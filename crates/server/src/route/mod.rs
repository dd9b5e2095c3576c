//! Which events does a sink get, and in which form?
//!
//! A route is a [condition](condition) and a [transform](transform), looked at when rows reach a
//! lane: before they are counted against its bounds and cut into batches. It works on stored rows.
//! Runs of rows that the sink gets unchanged are passed on as views, without a copy; only a run
//! with a changed row is written anew. Rows that are not for the sink keep their positions, which
//! the ranges of its batches cover. Pure.

mod condition;
mod field;
mod transform;

use tidegate_event::{Attributes, Rows};

pub(crate) use condition::{Check, Test, When};
pub(crate) use field::Field;
pub(crate) use transform::{Key, Step, Transform};

/// What a sink gets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Route {
    pub(crate) when: When,
    pub(crate) transform: Transform,
}

/// Rows that follow each other and fare alike.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// For the sink, as it gets them.
    Wanted(Rows),
    /// So many that are not for it.
    Filtered(u32),
}

impl Run {
    /// How many rows.
    pub(crate) const fn count(&self) -> u32 {
        match self {
            Self::Wanted(rows) => rows.len(),
            Self::Filtered(count) => *count,
        }
    }
}

impl Route {
    /// Whether the sink gets everything as it is.
    pub(crate) fn is_open(&self) -> bool {
        self.when.is_empty() && self.transform.is_empty()
    }

    /// How many of these rows are for the sink.
    pub(crate) fn wanted(&self, rows: &Rows) -> u64 {
        if self.when.is_empty() {
            return u64::from(rows.len());
        }
        rows.views().filter(|row| self.when.holds(row)).count() as u64
    }

    /// The rows as runs, in order: together as many as there are.
    pub(crate) fn runs(&self, rows: &Rows) -> Vec<Run> {
        let mut routing = Routing {
            source: rows,
            runs: Vec::new(),
            start: 0,
            at: 0,
            count: 0,
            wanted: true,
            rewritten: None,
        };
        let mut scratch = Attributes::default();
        let mut seen = 0;
        for row in rows.views() {
            let wanted = self.when.is_empty() || self.when.holds(&row);
            if wanted != routing.wanted {
                routing.end_run();
                routing.wanted = wanted;
            }
            if wanted && !self.transform.is_empty() && self.transform.touches(&row) {
                self.transform.write(&row, &mut scratch, routing.rewritten());
            } else if let Some(rewritten) = &mut routing.rewritten {
                rewritten.extend_from_slice(row.bytes());
            }
            routing.at += row.bytes().len();
            routing.count += 1;
            seen += 1;
        }
        if seen < rows.len() {
            // What cannot be decoded goes to the sink, which refuses it by name.
            if !routing.wanted {
                routing.end_run();
                routing.wanted = true;
            }
            if let Some(rewritten) = &mut routing.rewritten {
                rewritten.extend_from_slice(rows.bytes().get(routing.at..).unwrap_or_default());
            }
            routing.count += rows.len() - seen;
            routing.at = rows.bytes().len();
        }
        routing.end_run();
        routing.runs
    }
}

/// A run being made.
struct Routing<'r> {
    source: &'r Rows,
    runs: Vec<Run>,
    /// Where the run begins in the source, and where it is now.
    start: usize,
    at: usize,
    count: u32,
    wanted: bool,
    /// The run as the sink gets it, once a row of it was changed.
    rewritten: Option<Vec<u8>>,
}

impl Routing<'_> {
    fn rewritten(&mut self) -> &mut Vec<u8> {
        let so_far = self.source.bytes().get(self.start..self.at).unwrap_or_default();
        self.rewritten.get_or_insert_with(|| so_far.to_vec())
    }

    fn end_run(&mut self) {
        let count = std::mem::take(&mut self.count);
        let bytes = match self.rewritten.take() {
            Some(rewritten) => rewritten.into(),
            None => self.source.bytes().slice(self.start..self.at),
        };
        self.start = self.at;
        match self.wanted {
            _ if count == 0 => {}
            true => self.runs.push(Run::Wanted(Rows::new(bytes, count))),
            false => self.runs.push(Run::Filtered(count)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tidegate_event::{Body, Event, rows};

    use super::*;

    fn field(name: &str) -> Field {
        Field::named(name).unwrap()
    }

    fn encoded(events: &[Event<'_>]) -> Rows {
        let mut bytes = Vec::new();
        events.iter().for_each(|event| rows::encode(event, &mut bytes).unwrap());
        Rows::new(bytes.into(), events.len() as u32)
    }

    fn transformed(steps: Vec<Step>, event: &Event<'_>) -> Rows {
        let route = Route { transform: Transform { steps }, ..Route::default() };
        let runs = route.runs(&encoded(std::slice::from_ref(event)));
        let [Run::Wanted(rows)] = &runs[..] else { panic!("{runs:?}") };
        rows.clone()
    }

    #[test]
    fn fields_are_dropped_redacted_and_renamed_in_the_order_of_the_steps() {
        let event = Event {
            service: "checkout",
            body: Body::Json(r#"{"card":4111}"#),
            attributes: r#"{"user":"ann","password":"x","mail":"a@b","usr":1}"#,
            span_id: Some([1; 8]),
            ..Event::default()
        };
        let rename = |from: &str, to: &str| Step::Rename { from: from.into(), to: to.into() };
        let key = Key::new("secret").unwrap();
        let rows = transformed(
            vec![
                Step::Drop(field("attributes.password")),
                Step::Drop(field("attributes.no such")),
                Step::Redact(field("attributes.mail"), None),
                rename("usr", "user"),
                Step::Redact(field("attributes.user"), Some(key.clone())),
                Step::Redact(field("body"), None),
                Step::Drop(field("span_id")),
                Step::Redact(field("class"), None),
            ],
            &event,
        );
        let got = rows.iter().next().unwrap();
        assert_eq!((got.service, got.class, got.span_id), ("checkout", "", None));
        assert_eq!(got.body, Body::Text("[redacted]"));
        // HMAC-SHA256("secret", "ann"), by OpenSSL. The name that was taken is numbered.
        assert_eq!(
            got.attributes,
            r##"{"user":"HASH","mail":"[redacted]","user#2":1}"##.replace("HASH", ANN)
        );
    }

    const ANN: &str = "aad4e6199b77de3305e568999486a8be";

    #[test]
    fn an_event_that_no_step_touches_is_passed_on_without_a_copy() {
        let step = || Step::Drop(field("attributes.password"));
        let event = Event { attributes: r#"{"a":"password"}"#, ..Event::default() };
        let rows = encoded(&[event, event]);
        let route = Route { transform: Transform { steps: vec![step()] }, ..Route::default() };
        let runs = route.runs(&rows);
        let [Run::Wanted(passed)] = &runs[..] else { panic!("{runs:?}") };
        assert_eq!(passed.bytes().as_ptr(), rows.bytes().as_ptr());
    }

    #[test]
    fn a_secret_shows_nowhere() {
        let key = Key::new("hunter2-hunter2").unwrap();
        let step = Step::Redact(field("body"), Some(key));
        assert!(!format!("{step:?}").contains("hunter2"));
    }

    proptest! {
        /// Invariant: runs hold every row once, in order; those for the sink are as they were but
        /// for what the steps change, and the others are exactly those that the condition refuses.
        #[test]
        fn runs_hold_every_row_once(
            given in proptest::collection::vec((0..3u8, any::<bool>(), ".{0,12}"), 0..40),
            filters in any::<bool>(), changes in any::<bool>(), junk in any::<bool>(),
        ) {
            let services = ["", "cart", "checkout"];
            let events: Vec<_> = given.iter().map(|(service, secret, text)| Event {
                service: services[usize::from(*service)],
                body: Body::Text(text),
                attributes: if *secret { r#"{"secret":1,"a":2}"# } else { r#"{"a":2}"# },
                ..Event::default()
            }).collect();
            let mut when = When::default();
            if filters {
                let check = Check::In(vec!["cart".into()]);
                when.all.push(Test { field: field("service"), check });
            }
            let mut transform = Transform::default();
            if changes {
                transform.steps.push(Step::Drop(field("attributes.secret")));
            }
            let whole = encoded(&events);
            // A row that cannot be decoded stays with the sink, and is counted.
            let mut bytes = whole.bytes().to_vec();
            if junk {
                bytes.extend_from_slice(&[9, 9]);
            }
            let rows = Rows::new(bytes.into(), whole.len() + u32::from(junk));
            let route = Route { when, transform };
            let runs = route.runs(&rows);
            prop_assert_eq!(runs.iter().map(Run::count).sum::<u32>(), rows.len());
            let wants = |event: &&Event<'_>| !filters || event.service == "cart";
            let expected: Vec<_> = events.iter().filter(wants).map(|event| Event {
                attributes: if changes { r#"{"a":2}"# } else { event.attributes },
                ..*event
            }).collect();
            let mut got = Vec::new();
            for run in &runs {
                if let Run::Wanted(rows) = run {
                    got.extend(rows.iter());
                }
            }
            prop_assert_eq!(got, expected.clone());
            prop_assert_eq!(route.wanted(&whole), expected.len() as u64);
            let alternate = runs.windows(2).all(|pair| {
                matches!(pair[0], Run::Wanted(_)) != matches!(pair[1], Run::Wanted(_))
            });
            prop_assert!(alternate);
        }
    }
}
