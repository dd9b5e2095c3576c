//! Where is the first part shown? Live on a terminal, line by line elsewhere, on standard error if
//! standard output is for a program.

use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyModifiers};
use tidegate_load::Format;

use super::plain::Plain;
use super::stop::Stop;
use super::story::Story;
use super::view;

/// Shows the story as it goes on.
pub(super) enum Screen {
    /// On a terminal, until this is dropped.
    Live(Live),
    /// Line by line.
    Lines(Plain, Format),
}

/// A terminal that is given back as it was.
pub(super) struct Live(DefaultTerminal);

impl Drop for Live {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

impl Screen {
    /// The screen that suits where the output goes.
    pub(super) fn open(format: Format) -> io::Result<Self> {
        if format == Format::Text && io::stdout().is_terminal() {
            return Ok(Self::Live(Live(ratatui::try_init()?)));
        }
        Ok(Self::Lines(Plain::default(), format))
    }

    /// Shows where the story stands.
    pub(super) fn show(&mut self, story: &Story) -> io::Result<()> {
        match self {
            Self::Live(Live(terminal)) => {
                terminal.draw(|frame| view::draw(frame, story))?;
            }
            Self::Lines(plain, format) => {
                for line in plain.lines(story) {
                    match format {
                        Format::Text => writeln!(io::stdout(), "{line}")?,
                        Format::Json => writeln!(io::stderr(), "{line}")?,
                    }
                }
            }
        }
        Ok(())
    }

    /// Waits this long or until it is asked to stop, by signal or by key; says whether it was.
    pub(super) fn wait(&self, stop: &Stop, time: Duration) -> bool {
        if matches!(self, Self::Lines(..)) {
            return stop.wait(time);
        }
        match event::poll(time) {
            Ok(true) => {
                // What cannot be read is no wish to stop.
                if event::read().is_ok_and(|event| is_stop(&event)) {
                    stop.request();
                }
                stop.requested()
            }
            Ok(false) => stop.requested(),
            // A terminal without keys: signals still reach us.
            Err(_) => stop.wait(time),
        }
    }
}

/// Ctrl-C, which is a key while the terminal is ours, or `q`.
fn is_stop(event: &Event) -> bool {
    let Event::Key(KeyEvent { code, modifiers, .. }) = event else { return false };
    match code {
        KeyCode::Char('c') => modifiers.contains(KeyModifiers::CONTROL),
        KeyCode::Char('q') => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ctrl_c_and_q_stop() {
        let key = |code, modifiers| is_stop(&Event::Key(KeyEvent::new(code, modifiers)));
        assert!(key(KeyCode::Char('c'), KeyModifiers::CONTROL));
        assert!(key(KeyCode::Char('q'), KeyModifiers::NONE));
        assert!(!key(KeyCode::Char('c'), KeyModifiers::NONE));
        assert!(!is_stop(&Event::Resize(80, 24)));
    }
}
