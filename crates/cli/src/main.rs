//! The tidegate command: parse and dispatch.

mod agent;
mod args;
mod commands;
mod demo;
mod exit;
mod race;
mod simulate;
mod top;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    exit::code(commands::run(args::Cli::parse()))
}
