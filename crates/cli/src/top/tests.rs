//! The screen over what a real server said: three sinks, one of them away.

use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::KeyCode;
use tidegate_server::live::contract::{
    Bye, ByeReason, Decision, Gap, GapReason, Plan, Snapshot, Tick,
};

use super::events::Message;
use super::state::{State, View};
use super::view::{Paint, draw};

/// `GET /api/snapshot` of a server under load.
const SNAPSHOT: &str = include_str!("testdata/snapshot.json");

fn snapshot() -> Snapshot {
    serde_json::from_str(SNAPSHOT).unwrap()
}

fn watched() -> State {
    let mut state = State::default();
    state.hear(Message::Hello(Box::new(snapshot())));
    state
}

/// The tick after one, with what is given.
fn next(before: &Tick, change: impl FnOnce(&mut Tick)) -> Message {
    let mut tick = before.clone();
    tick.sequence += 1;
    tick.at_unix_ms += 250;
    (tick.decisions, tick.transitions) = (Vec::new(), Vec::new());
    change(&mut tick);
    Message::Tick(Box::new(tick))
}

fn screen_after(state: &State, width: u16, height: u16, silent: Duration) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let (paint, url) = (Paint::new(true), "http://127.0.0.1:8080");
    terminal.draw(|frame| draw(frame, state, &paint, url, silent)).unwrap();
    let buffer = terminal.backend().buffer().clone();
    let lines = buffer.content().chunks(usize::from(width)).map(|line| {
        line.iter().map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn screen(state: &State, width: u16, height: u16) -> String {
    screen_after(state, width, height, Duration::ZERO)
}

#[test]
fn an_overview_has_the_sentence_every_lane_and_why_plans_moved() {
    let (state, all) = (watched(), snapshot());
    let seen = screen(&state, 120, 36);
    assert!(seen.starts_with("tidegate 0.1.0 · up "), "{seen}");
    assert!(seen.lines().next().unwrap().ends_with("live"), "{seen}");
    let says: String = all.tick.says.chars().take(60).collect();
    assert!(seen.contains(&says), "{seen}");
    for lane in &all.lanes {
        assert!(seen.contains(&lane.key), "{seen}");
    }
    assert!(seen.contains("retrying") && seen.contains("breaker"), "{seen}");
    let last = all.decisions.last().unwrap();
    let reason: String = last.reason.chars().take(30).collect();
    assert!(seen.contains(&reason), "{seen}");
    assert!(seen.contains("q quit") && seen.contains("enter lane"), "{seen}");
}

#[test]
fn a_lane_has_its_plan_its_breaker_and_its_decisions() {
    let all = snapshot();
    let mut state = watched();
    let away = all.tick.lanes.iter().position(|lane| lane.why.is_some()).unwrap();
    for _ in 0..away {
        state.key(KeyCode::Down);
    }
    state.key(KeyCode::Enter);
    assert_eq!((state.view, state.chosen), (View::Lane, away));
    let seen = screen(&state, 110, 34);
    for part in ["plan", "waiting", "attempt", "left for", "breaker", "retry budget", "unreachable"]
    {
        assert!(seen.contains(part), "no {part}: {seen}");
    }
    assert!(seen.contains(&all.lanes[away].key) && seen.contains("esc back"), "{seen}");
    state.key(KeyCode::Esc);
    assert_eq!(state.view, View::Overview);
    state.key(KeyCode::Char('q'));
    assert!(state.quit);
}

#[test]
fn it_fits_wherever_it_is_drawn() {
    let mut state = watched();
    for (width, height) in [(200, 60), (80, 24), (50, 16), (30, 8), (12, 3), (1, 1)] {
        for _ in 0..2 {
            let seen = screen(&state, width, height);
            assert!(seen.lines().all(|line| line.chars().count() <= usize::from(width)));
            if width >= 30 {
                assert!(seen.contains("tidegate") && seen.contains("q quit"), "{seen}");
            }
            state.key(if state.view == View::Overview { KeyCode::Enter } else { KeyCode::Esc });
        }
    }
    let narrow = screen(&state, 30, 12);
    assert!(narrow.contains("lane") && narrow.contains("state"), "{narrow}");
    state.key(KeyCode::Char('?'));
    assert!(screen(&state, 80, 24).contains("stand still, go on"));
}

#[test]
fn a_server_that_goes_and_comes_back_is_told() {
    let mut state = State::default();
    assert!(screen(&state, 80, 24).contains("asking the server"));
    state.lost("connection refused".into());
    assert!(screen(&state, 80, 24).contains("disconnected: connection refused"));
    state.hear(Message::Hello(Box::new(snapshot())));
    assert!(
        screen_after(&state, 80, 24, Duration::from_secs(4)).contains("nothing heard for 4.0 s")
    );
    let (reason, message) = (ByeReason::Stopping, String::new());
    state.hear(Message::Bye(Bye { reason, message }));
    let seen = screen(&state, 100, 24);
    assert!(seen.contains("disconnected: the server is stopping"), "{seen}");
    assert!(seen.contains("why plans moved"), "what was known stays: {seen}");
    let (reason, after) = (GapReason::Restarted, "a-1".to_owned());
    state.hear(Message::Gap(Gap { reason, after, missed: None, message: String::new() }));
    state.hear(Message::Hello(Box::new(snapshot())));
    assert!(screen(&state, 100, 24).contains("the server was started anew"));
    state.key(KeyCode::Down);
    assert!(screen(&state, 100, 24).lines().next().unwrap().ends_with("live"));
}

#[test]
fn ticks_add_decisions_and_a_lane_scrolls_through_them() {
    let all = snapshot();
    let mut state = watched();
    let plan = |batch_size| Plan { batch_size, concurrency: 1.0, pace: None, linger_ms: 0.0 };
    let key = all.lanes[0].key.clone();
    let made = |number: u64| Decision {
        id: format!("{key}/{number}"),
        lane: key.clone(),
        number,
        at_unix_ms: all.tick.at_unix_ms,
        by: "aimd".into(),
        reason: format!("reason number {number}."),
        from: plan(1),
        to: plan(2),
    };
    for number in 1000..3500 {
        state.hear(next(&all.tick, |tick| tick.decisions = vec![made(number)]));
    }
    assert_eq!(state.known.as_ref().unwrap().decisions.len(), 2000, "bounded");
    state.key(KeyCode::Enter);
    assert!(screen(&state, 100, 30).contains("reason number 3499."));
    // What stands still misses nothing.
    state.key(KeyCode::Char(' '));
    state.hear(next(&all.tick, |tick| tick.decisions = vec![made(3500)]));
    let still = screen(&state, 100, 30);
    assert!(still.contains("standing still") && !still.contains("number 3500."), "{still}");
    state.key(KeyCode::Char(' '));
    assert!(screen(&state, 100, 30).contains("reason number 3500."));
    state.key(KeyCode::PageDown);
    let seen = screen(&state, 100, 30);
    assert!(seen.contains("reason number 3490.") && !seen.contains("number 3491."), "{seen}");
    state.key(KeyCode::Tab);
    assert_eq!((state.chosen, state.scrolled), (1, 0));
    state.key(KeyCode::BackTab);
    state.key(KeyCode::BackTab);
    assert_eq!(state.chosen, all.lanes.len() - 1);
}
