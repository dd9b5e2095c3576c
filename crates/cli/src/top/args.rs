//! What was typed?

use std::path::PathBuf;

use clap::Args;

/// Arguments of `tidegate top`.
#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    /// Where the server listens.
    #[arg(long, alias = "server", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub(crate) url: String,
    /// The server's token, if it asks for one.
    #[arg(long, env = "TIDEGATE_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// The authorities to trust in an https:// URL, as a PEM file; those of the system without it.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
}
