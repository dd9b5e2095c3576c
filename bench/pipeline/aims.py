"""What was aimed at, and what was reached?

The aims were set before the code was written, after measuring other programs and throw-away
prototypes on a machine like this one. Rates move with the machine; the ratios are the ones that
carry over.
"""

from . import summary

# Where a figure stands: part, case, name. What it has to keep: direction, bound. How it is told:
# unit, scale, digits.
K = ("k/s", 1e-3, 0)
CPU = ("CPU s per million", 1, 2)
MB = ("MB", 1, 0)
MS = ("ms", 1, 2)
OF = ("", 1, 2)
ACKNOWLEDGED, DELIVERED = "acknowledged_per_second", "delivered_per_second"
AIMS = (
    ("throughput", "memory", ACKNOWLEDGED, "≥", 2_000_000, *K),
    ("throughput", "memory", "cpu_seconds_per_million", "≤", 0.55, *CPU),
    ("throughput", "memory", "peak_rss_mb", "≤", 60, *MB),
    ("throughput", "memory", "ratio", "≥", 0.65, *OF),
    ("sustained", "fsync", ACKNOWLEDGED, "≥", 1_300_000, *K),
    ("throughput", "fsync", "cpu_seconds_per_million", "≤", 0.8, *CPU),
    ("throughput", "fsync", "p99_ms", "≤", 2, *MS),
    ("throughput", "fsync", "ratio", "≥", 0.7, *OF),
    ("throughput", "otlp-grpc-memory", ACKNOWLEDGED, "≥", 1_000_000, *K),
    ("throughput", "otlp-grpc", ACKNOWLEDGED, "≥", 700_000, *K),
    ("throughput", "http", DELIVERED, "≥", 800_000, *K),
    ("throughput", "http", "cpu_seconds_per_million", "≤", 1.3, *CPU),
    ("sustained", "sqlite", "ratio", "≥", 0.8, *OF),
    ("throughput", "postgres", DELIVERED, "≥", 500_000, *K),
    ("sustained", "postgres", DELIVERED, "≥", 400_000, *K),
    ("throughput", "postgres", "cpu_seconds_per_million", "≤", 1.0, *CPU),
    ("throughput", "postgres", "peak_rss_mb", "≤", 100, *MB),
    ("throughput", "postgres", "ratio", "≥", 0.8, *OF),
    ("requests", "fsync", "ratio", "≥", 0.7, *OF),
    ("requests", "memory", "ratio", "≥", 0.7, *OF),
    ("latency", "sqlite", "p50_ms", "≤", 5, *MS),
    ("latency", "sqlite", "p99_ms", "≤", 25, *MS),
    ("latency", "postgres", "p50_ms", "≤", 5, *MS),
    ("latency", "postgres", "p99_ms", "≤", 25, *MS),
    ("idle", None, "cpu_percent", "≤", 0.5, "% of a core", 1, 2),
    ("idle", None, "rss_mb", "≤", 25, *MB),
)
NAMES = {
    ACKNOWLEDGED: "acknowledged",
    DELIVERED: "delivered",
    "cpu_seconds_per_million": "CPU",
    "peak_rss_mb": "peak RSS",
    "rss_mb": "RSS",
    "cpu_percent": "CPU",
    "p50_ms": "p50",
    "p99_ms": "p99",
}


def rows(result):
    """One row for each aim whose figure is there: what, aim, reached, whether."""
    figures = summary.figures(result)
    for part, case, name, direction, bound, unit, scale, digits in AIMS:
        value = figures.get(part, {}).get(case, {}).get(name)
        if value is None:
            continue
        met = value >= bound if direction == "≥" else value <= bound
        what = f"{part}, `{case}`" if case else part
        told = NAMES.get(name) or f"of `{summary.held_against(part, case)}`"
        yield [
            f"{what}: {told}",
            f"{direction} {bound * scale:,.{digits}f} {unit}".rstrip(),
            f"{value * scale:,.{digits}f}",
            "yes" if met else "**no**",
        ]
