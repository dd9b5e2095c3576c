//! How far is it? A bar on standard error where that is a terminal, a line a stage where not.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressStyle};
use tidegate_sim::suite::{Progress, Stage};

/// Shows progress.
pub(crate) struct Bar {
    shown: bool,
    drawn: Option<ProgressBar>,
    stage: Mutex<Option<Stage>>,
}

impl Bar {
    pub(crate) fn new(quiet: bool) -> Self {
        let drawn = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::no_length();
            let template = "{msg:24} {bar:32} {human_pos} of {human_len}  {eta} left";
            // The template is a constant; a broken one would only cost the bar its looks.
            match ProgressStyle::with_template(template) {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        Self { shown: !quiet, drawn, stage: Mutex::new(None) }
    }

    /// This is how far it is; called from any thread.
    pub(crate) fn tell(&self, progress: Progress) {
        if !self.shown {
            return;
        }
        let mut stage = self.stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let new = stage.replace(progress.stage) != Some(progress.stage);
        let total = progress.total as u64;
        let what = match progress.stage {
            Stage::Oracles => "searching oracles",
            Stage::Runs => "running",
        };
        match &self.drawn {
            Some(bar) => {
                if new {
                    bar.reset();
                    bar.set_length(total);
                    bar.set_message(what);
                }
                bar.set_position(progress.done as u64);
            }
            None if new => {
                // Nobody is left to tell if stderr is gone.
                let _ = writeln!(std::io::stderr(), "{what}: {total} in all");
            }
            None => {}
        }
    }

    /// It is over.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.drawn {
            bar.finish_and_clear();
        }
    }
}
