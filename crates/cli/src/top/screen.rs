//! Where is it drawn, and which keys are pressed?

use std::io;
use std::sync::mpsc::TryRecvError;
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::link::{Link, News};
use super::state::State;
use super::view::{self, Paint};

/// How long a key may wait for news, and news for a key.
const LOOK: Duration = Duration::from_millis(50);

/// A terminal that is given back as it was.
struct Terminal(DefaultTerminal);

impl Drop for Terminal {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Draws until it is asked to stop.
pub(super) fn show(link: &Link, url: &str) -> io::Result<()> {
    let mut terminal = Terminal(ratatui::try_init()?);
    let paint = Paint::new(std::env::var_os("NO_COLOR").is_some());
    let mut state = State::default();
    let mut heard = now();
    let mut draws = true;
    while !state.quit {
        loop {
            match link.news.try_recv() {
                Ok(News::Said(message)) => {
                    state.hear(message);
                    (heard, draws) = (now(), true);
                }
                Ok(News::Down(why)) => {
                    state.lost(why);
                    draws = true;
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    return Err(io::Error::other("the thread that asks the server has ended"));
                }
            }
        }
        let silent = now().duration_since(heard);
        // The age of what is shown changes by itself.
        if draws || silent > Duration::from_secs(1) {
            terminal.0.draw(|frame| view::draw(frame, &state, &paint, url, silent))?;
            draws = false;
        }
        if event::poll(LOOK)? {
            draws = true;
            if let Event::Key(key) = event::read()? {
                press(&mut state, key);
            }
        }
    }
    Ok(())
}

fn press(state: &mut State, KeyEvent { code, modifiers, kind, .. }: KeyEvent) {
    if kind == KeyEventKind::Release {
        return;
    }
    if code == KeyCode::Char('c') && modifiers.contains(KeyModifiers::CONTROL) {
        state.quit = true;
    } else {
        state.key(code);
    }
}

#[expect(clippy::disallowed_methods, reason = "how old is what is shown? A clock for people")]
fn now() -> Instant {
    Instant::now()
}
