//! How does one watch a load while it runs?
//!
//! Through an [`Observer`], told ten times a second. [`Bar`] draws to standard error; `()`
//! watches nothing.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::{Format, LoadArgs};

/// Where a load stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Since its start.
    pub elapsed: Duration,
    /// Events put on the wire at least once.
    pub events_sent: u64,
    /// Events acknowledged.
    pub events_acknowledged: u64,
    /// Events refused for good.
    pub events_refused: u64,
    /// Tries after the first.
    pub retries: u64,
    /// Failed tries.
    pub errors: u64,
}

/// Watches a load.
pub trait Observer: Send {
    /// It starts, and will send this many events if that is known.
    fn started(&mut self, events: Option<u64>) {
        let _ = events;
    }

    /// This is where it stands. Must not block: it is called between requests.
    fn progress(&mut self, progress: &Progress) {
        let _ = progress;
    }

    /// It is over.
    fn finished(&mut self) {}
}

impl Observer for () {}

/// A progress bar on standard error; invisible when that is no terminal.
#[derive(Debug)]
pub struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// The bar that these flags ask for: none with `--quiet` or `--format json`.
    #[must_use]
    pub fn new(args: &LoadArgs) -> Self {
        let bar = ProgressBar::no_length();
        if args.quiet || args.format == Format::Json {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self { bar }
    }

    fn style(&self, template: &str) {
        // The templates are constants; a broken one would only cost the bar its looks.
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
    }
}

impl Observer for Bar {
    fn started(&mut self, events: Option<u64>) {
        match events {
            Some(events) => {
                self.style(
                    "{bar:32} {percent:>3} %  {human_pos} of {human_len}  {msg}  {eta} left",
                );
                self.bar.set_length(events);
            }
            None => self.style("{spinner} {human_pos} events  {msg}  {elapsed}"),
        }
        self.bar.enable_steady_tick(Duration::from_millis(100));
    }

    fn progress(&mut self, progress: &Progress) {
        self.bar.set_position(progress.events_acknowledged);
        let seconds = progress.elapsed.as_secs_f64();
        if seconds > 0.0 {
            let rate = progress.events_acknowledged as f64 / seconds / 1000.0;
            let mut message = format!("{rate:.1}k/s");
            if progress.errors > 0 {
                message.push_str(&format!("  {} errors", progress.errors));
            }
            self.bar.set_message(message);
        }
    }

    fn finished(&mut self) {
        self.bar.finish_and_clear();
    }
}
