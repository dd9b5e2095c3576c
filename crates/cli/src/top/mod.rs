//! `tidegate top`: what a server is doing and why, in a terminal.
//!
//! It shows what the pages show, from the same stream. A thread reads the stream and comes back
//! after a break where it was; the screen is drawn when something came or a key was pressed.
//!
//! | question | module |
//! |---|---|
//! | What was typed on the command line? | `args` |
//! | What does a stream of events say? | `events` |
//! | Which decisions are one? | `folded` |
//! | How is the server asked, again and again? | `link` |
//! | What is known, and what is chosen? | `state` |
//! | How does it look? | `view` |
//! | Where is it drawn, and which keys are pressed? | `screen` |

mod args;
mod events;
mod folded;
mod link;
mod screen;
mod state;
#[cfg(test)]
mod tests;
mod view;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::bail;
pub(crate) use args::TopArgs;

/// Shows a server until `q` is pressed.
pub(crate) fn run(args: &TopArgs) -> anyhow::Result<ExitCode> {
    if !std::io::stdout().is_terminal() {
        bail!(
            "top draws on a terminal, and this output is none: for programs there is /api/snapshot"
        );
    }
    let link = link::Link::start(args)?;
    screen::show(&link, args.url.trim_end_matches('/'))?;
    Ok(ExitCode::SUCCESS)
}
