//! On what was it measured? Figures move from machine to machine, so each result says.

/// Processors, their model and the kernel.
pub(crate) fn describe() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let info = read("/proc/cpuinfo");
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or(std::env::consts::ARCH, |(_, model)| model.trim());
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{cpus} × {model}, {} {}", std::env::consts::OS, kernel.trim())
}

/// The arguments of this program, as one would type them.
pub(crate) fn arguments() -> String {
    std::env::args().skip(1).collect::<Vec<_>>().join(" ")
}
