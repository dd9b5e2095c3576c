//! What is going on, in a sentence or two? It tells what is done, never what will come of it.

use super::args::Controller;
use super::neighbour;
use super::plan::Phase;
use super::story::Story;
use super::words;

/// What is going on.
pub(super) fn caption(story: &Story) -> String {
    match story.phase() {
        Phase::Before => format!(
            "{} events a second come in over HTTP. Each is synced to a journal before it is \
             acknowledged, and leaves for SQLite in a batch. {}",
            words::count(words::whole(story.rate)),
            chooser(story),
        ),
        Phase::Neighbour => format!(
            "A neighbour has come: it writes to the same database and holds its only write lock \
             for {} ms at a time, {} ms apart. Batches wait for the lock; events that wait are \
             safe in the journal.",
            neighbour::HOLD.as_millis(),
            neighbour::PAUSE.as_millis(),
        ),
        Phase::After => "The neighbour has left; the load goes on. What gathered in the journal \
                         is delivered beside what still comes in."
            .to_owned(),
        Phase::Draining => format!(
            "The load is over. {} events are left in the journal and on their way.",
            words::count(story.now.lane().backlog)
        ),
    }
}

fn chooser(story: &Story) -> String {
    let target = words::ms(story.target_ms);
    match story.controller {
        Controller::Joint | Controller::Aimd => format!(
            "Nobody chose its size: it grows while full batches stay under {target}, and shrinks \
             when they do not."
        ),
        Controller::LoadScore => {
            "Nobody chose its size: it follows the load of host and database.".to_owned()
        }
        Controller::Fixed => "Its size stays as it was chosen.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::story::tests::sample;
    use super::*;

    #[test]
    fn it_tells_what_is_asked_of_whom() {
        let text = caption(&sample());
        assert!(text.contains("A neighbour has come"), "{text}");
        let mut begin = Story::default();
        (begin.controller, begin.rate) = (Controller::Fixed, 100_000.0);
        let text = caption(&begin);
        assert!(text.contains("100,000 events a second") && text.contains("as it was chosen"));
    }
}
