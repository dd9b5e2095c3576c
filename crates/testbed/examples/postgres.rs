//! Starts a private PostgreSQL for a script: prints its URL, and ends it when standard input ends.
//!
//! ```text
//! cargo run -p tidegate-testbed --example postgres -- [SETTING=VALUE…]
//! ```

#![expect(clippy::print_stdout, reason = "the URL is what it is run for")]

use std::error::Error;
use std::io::{Read as _, Write as _};

use tidegate_testbed::postgres::{Postgres, Settings};

fn main() -> Result<(), Box<dyn Error>> {
    let mut settings = Settings::default();
    for argument in std::env::args().skip(1) {
        let (name, value) = argument.split_once('=').ok_or("settings are written NAME=VALUE")?;
        settings = settings.with(name, value);
    }
    let mut server = Postgres::start(settings)?;
    println!("{}", server.url("postgres"));
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    server.stop()?;
    Ok(())
}
