//! Which colours? Those of the terminal, and none where the user wants none.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;

/// What is to be thought of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::top) enum Mood {
    Good,
    Plain,
    Warn,
    Bad,
}

/// How moods look.
#[derive(Debug, Clone, Copy)]
pub(in crate::top) struct Paint {
    plain: bool,
}

impl Paint {
    /// With colours, or without any.
    pub(in crate::top) const fn new(plain: bool) -> Self {
        Self { plain }
    }

    /// The style of a mood: never by colour alone.
    pub(super) fn style(self, mood: Mood) -> Style {
        let style = match mood {
            Mood::Bad => Style::new().add_modifier(Modifier::BOLD),
            Mood::Warn => Style::new().add_modifier(Modifier::UNDERLINED),
            Mood::Good | Mood::Plain => Style::new(),
        };
        match mood {
            _ if self.plain => style,
            Mood::Good => style.fg(Color::Green),
            Mood::Plain => style,
            Mood::Warn => style.fg(Color::Yellow),
            Mood::Bad => style.fg(Color::Red),
        }
    }

    /// A text in a mood.
    pub(super) fn span(self, text: impl Into<String>, mood: Mood) -> Span<'static> {
        Span::styled(text.into(), self.style(mood))
    }
}
