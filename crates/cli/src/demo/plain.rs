//! How does the story look where there is no terminal? Where else to look, then a line a second, and
//! each change of scene.

use std::time::Duration;

use super::caption::caption;
use super::plan::Phase;
use super::story::Story;
use super::words;

/// Says what is new.
#[derive(Debug, Default)]
pub(super) struct Plain {
    phase: Option<Phase>,
    next: Duration,
}

impl Plain {
    /// The lines to write now.
    pub(super) fn lines(&mut self, story: &Story) -> Vec<String> {
        let mut lines = Vec::new();
        if self.phase.is_none() {
            lines.push(format!("The dashboard is at {} while this lasts.", story.dashboard));
        }
        if self.phase != Some(story.phase()) {
            self.phase = Some(story.phase());
            lines.push(caption(story));
        }
        if story.elapsed() >= self.next {
            self.next = story.elapsed() + Duration::from_secs(1);
            lines.push(line(story));
        }
        lines
    }
}

fn line(story: &Story) -> String {
    let lane = story.now.lane();
    let (accepted, delivered) = story.rates();
    let of = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), words::ms);
    let attempt = lane.attempt_latency_ms;
    format!(
        "{:>6}  batch {:>6}  in {:>9}  out {:>9}  backlog {:>9}  attempt p50 {} p99 {}  \
         delivery p99 {}",
        words::seconds(story.elapsed()),
        words::count(lane.plan.batch_size),
        words::rate(accepted),
        words::rate(delivered),
        words::count(lane.backlog),
        of(attempt.map(|attempt| attempt.p50)),
        of(attempt.map(|attempt| attempt.p99)),
        of(lane.delivery_latency_ms.map(|delivery| delivery.p99)),
    )
}

#[cfg(test)]
mod tests {
    use super::super::story::tests::{metrics, sample};
    use super::*;

    #[test]
    fn a_line_a_second_and_a_caption_a_scene() {
        let mut plain = Plain::default();
        let mut story = sample();
        let lines = plain.lines(&story);
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0], "The dashboard is at http://127.0.0.1:8080/ while this lasts.");
        assert!(lines[1].starts_with("A neighbour has come"));
        let expected = "10.0 s  batch    153  in 100,000/s  out 100,000/s  backlog     1,200  \
                        attempt p50 4.2 ms p99 61 ms  delivery p99 1.31 s";
        assert_eq!(lines[2], expected);
        assert_eq!(plain.lines(&story), Vec::<String>::new());
        story.note(Duration::from_secs(11), Phase::Neighbour, metrics(1_100_000, 150, 51, vec![]));
        assert_eq!(plain.lines(&story).len(), 1);
    }
}
