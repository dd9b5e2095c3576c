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
    small_pages();
    exit::code(commands::run(args::Cli::parse()))
}

/// Turns huge pages off for this process. The allocator asks for them, and each one that is touched
/// is 2 MiB: of 28 MB of an idle server, 10 were that, and under load half of its memory; neither
/// rates nor CPU tell the difference. A kernel that refuses leaves more memory used, nothing else.
fn small_pages() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}
