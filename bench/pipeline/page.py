"""How is what was measured told? As one page, written from the file that all runs add to."""

import statistics

from . import aims, growth, lowload, parts, peers, summary, throughput


def cell(figures, name, scale=1.0, digits=2):
    if name not in figures:
        return "–"
    low, mid, high = (figures[name][at] * scale for at in ("min", "median", "max"))
    if low == high:
        return f"{mid:,.{digits}f}"
    return f"{mid:,.{digits}f} ({low:,.{digits}f}–{high:,.{digits}f})"


def table(head, rows):
    rule = "|" + "---|" * len(head)
    return ["| " + " | ".join(head) + " |", rule, *("| " + " | ".join(row) + " |" for row in rows)]


def plain(figures, columns):
    """One row of figures that were measured once."""
    return [f"{figures[name] * scale:,.{digits}f}" if name in figures else "–"
            for name, scale, digits in columns]


def of_throughput(result):
    section = result["throughput"]
    cases = summary.of_rounds(section["rounds"])
    head = ["case", "acknowledged k/s", "delivered k/s", "of its ceiling", "CPU s per million",
            "the backend's", "peak RSS MB", "client p50 ms", "p99 ms"]
    rows = []
    for case, figures in cases.items():
        of = throughput.OF.get(case)
        ratio = f"{cell(figures, 'ratio')} of `{of}`" if "ratio" in figures else "–"
        rows.append([
            f"{throughput.CASES[case]} (`{case}`)",
            cell(figures, "acknowledged_per_second", 1e-3, 0),
            cell(figures, "delivered_per_second", 1e-3, 0),
            ratio,
            cell(figures, "cpu_seconds_per_million"),
            cell(figures, "backend_cpu_seconds_per_million"),
            cell(figures, "peak_rss_mb", 1, 0),
            cell(figures, "p50_ms"),
            cell(figures, "p99_ms"),
        ])
    loads = [figures["load_cpu_seconds_per_million"]["median"] for figures in cases.values()
             if "load_cpu_seconds_per_million" in figures]
    settings = result["measured"]["throughput"]
    return [
        "## The whole way",
        "",
        f"{settings['events']:,} events of about 266 B, {settings['batch']} a request, "
        f"{settings['connections']} connections; {told_rounds(section['rounds'])}. "
        "The load generator shares the machine and took "
        f"{statistics.median(loads):.2f} CPU s per million beside it.",
        "",
        *table(head, rows),
        "",
        *sinks_alone(cases),
        "*acknowledged* counts a 2xx: with `fsync` after the events are synced. *delivered* is over "
        "the time until the sink has all of them. CPU and memory are the server's alone, the sink "
        "included, until everything is delivered; beside it stands the CPU of the backend, where that "
        "is another process. The loops by hand have the machine to themselves: no load generator, no "
        "parsing, no journal; the pipeline shares its cores with the load generator and the database. "
        f"PostgreSQL runs with {', '.join(f'`{one}`' for one in parts.POSTGRES)} beside the loop and "
        "behind the pipeline, and syncs every commit; two connections, 5,000 rows a transaction.",
        "",
    ]


def told_rounds(rounds):
    if len(rounds) == 1:
        return "one round"
    return f"{len(rounds)} interleaved rounds: median (range)"


def sinks_alone(cases):
    """What the sinks cost beside the loops, fed with rows and nothing else running."""
    for case, sink in (("sqlite-loop", "SQLite"), ("copy", "PostgreSQL")):
        if case in cases:
            alone = cell(cases[case], "sink_alone_per_second", 1e-3, 0)
            yield f"The {sink} sink alone, in the loop's place: {alone} k rows/s."
            yield ""


def of_sustained(result):
    cases = result["sustained"]["cases"]
    ratios = summary.figures(result)["sustained"]
    rows = [[f"{throughput.CASES[name]} (`{name}`)", f"{figures['events'] / 1e6:g} M", *plain(
        {**figures, **ratios[name]}, (
        ("acknowledged_per_second", 1e-3, 0), ("delivered_per_second", 1e-3, 0),
        ("ratio", 1, 2), ("cpu_seconds_per_million", 1, 2), ("peak_rss_mb", 1, 0),
        ("p99_ms", 1, 2)))] for name, figures in cases.items()]
    return ["## Sustained", "", "One run each, of so many events that files are used again.", "",
            *table(["case", "events", "acknowledged k/s", "delivered k/s", "of its ceiling",
                    "CPU s per million", "peak RSS MB", "p99 ms"], rows), ""]


def of_requests(result):
    section = result["requests"]
    names = {"floor": "bare server", "memory": "`memory`", "fsync": "`fsync`"}
    floor = section["floor"]["requests_per_second"]
    rows = [[names[case], *plain(figures, (("requests_per_second", 1e-3, 1),
             ("cpu_seconds_per_million", 1, 1), ("p99_ms", 1, 2))),
             f"{figures['requests_per_second'] / floor:.2f}"]
            for case, figures in section.items() if case in names]
    return ["## One event a request, 64 connections", "",
            *table(["case", "k requests/s", "CPU s per million", "p99 ms", "of the bare server"], rows),
            ""]


def of_latency(result):
    rows = [[sink, *plain(figures, (("p50_ms", 1, 2), ("p99_ms", 1, 2), ("max_ms", 1, 1),
             ("acknowledged_p50_ms", 1, 2), ("acknowledged_p99_ms", 1, 2)))]
            for sink, figures in result["latency"].items() if isinstance(figures, dict)]
    return [f"## From client to sink at {lowload.RATE:,} events/s, one a request", "",
            *table(["sink", "p50 ms", "p99 ms", "max ms", "acknowledged p50 ms", "p99 ms"], rows), "",
            "From the timestamp that the client wrote to the commit (PostgreSQL) or to a reader that "
            "looks every millisecond (SQLite). Beginnings are left out.", ""]


def of_idle(result):
    figures = result["idle"]
    return ["## Idle", "", f"{figures['cpu_percent']:.2f} % of a core over {lowload.IDLE_SECONDS} s, "
            f"{figures['rss_mb']:.0f} MB, with a SQLite sink and nobody watching.", ""]


def of_disk(result):
    return ["## The disk", "", f"Sequential writes of 256 KiB, each with `fdatasync`, over blocks that "
            f"exist: {result['disk']['megabytes_per_second']:,.0f} MB/s.", ""]


def of_peers(result):
    figures = result["peers"]
    text = " ".join(peers.__doc__.split())
    if "missing" in figures:
        return ["## A peer", "", text, "", f"Not measured here: {figures['missing']}.", ""]
    rows = [[f"rsyslog → file, {kind}", *plain(figures[kind], (("delivered_per_second", 1e-3, 1),
             ("cpu_seconds_per_million", 1, 2), ("peak_rss_mb", 1, 0)))]
            for kind in ("memory", "disk")]
    return ["## A peer", "", f"{text} {figures['version']}", "",
            *table(["case", "delivered k/s", "CPU s per million", "peak RSS MB"], rows), ""]


GROWTH = {
    "connections": ("Connections", "durability, connections", (
        ("k events/s", "events_per_second", 1e-3, 0), ("CPU µs an event", "cpu_us_per_event", 1, 2),
        ("peak RSS MB", "peak_rss_mb", 1, 0), ("p99 ms", "p99_ms", 1, 2))),
    "sizes": ("Sizes of an event", "size", (
        ("k events/s", "events_per_second", 1e-3, 1), ("MB/s", "megabytes_per_second", 1, 0),
        ("CPU µs an event", "cpu_us_per_event", 1, 2), ("peak RSS MB", "peak_rss_mb", 1, 0))),
    "backlogs": ("Events that wait", "backlog", (
        ("accepted k/s", "events_per_second", 1e-3, 0), ("CPU µs an event", "cpu_us_per_event", 1, 2),
        ("p99 ms", "p99_ms", 1, 2), ("RSS MB while they wait", "rss_mb_waiting", 1, 0),
        ("then delivered k/s", "delivered_per_second", 1e-3, 0),
        ("CPU µs an event", "delivery_cpu_us_per_event", 1, 2), ("peak RSS MB", "peak_rss_mb", 1, 0))),
    "lanes": ("Lanes", "lanes", (
        ("k events/s", "events_per_second", 1e-3, 0), ("CPU µs an event", "cpu_us_per_event", 1, 2),
        ("peak RSS MB", "peak_rss_mb", 1, 0), ("p99 ms", "p99_ms", 1, 2))),
}


def of_growth(result):
    lines = ["## As it grows", "", " ".join(growth.__doc__.split()), ""]
    for name, (title, first, columns) in GROWTH.items():
        if name not in result["growth"]:
            continue
        rows = [[key, *plain(figures, [column[1:] for column in columns])]
                for key, figures in result["growth"][name].items()]
        lines += [f"### {title}", "", *table([first, *(column[0] for column in columns)], rows), ""]
    return lines


def of_aims(result):
    if not (rows := list(aims.rows(result))):
        return []
    return ["## Aims", "", " ".join(aims.__doc__.split()), "",
            *table(["what", "aim", "reached", "met"], rows), ""]


def measured(result):
    """When which part was measured, and of which commit."""
    times = {}
    for part, told in result.get("measured", {}).items():
        times.setdefault(told["commit"], []).append(f"{part} {told['at']}")
    return [f"Commit {commit}: {', '.join(parts)}." for commit, parts in times.items()]


SECTIONS = {
    "throughput": of_throughput,
    "sustained": of_sustained,
    "requests": of_requests,
    "latency": of_latency,
    "idle": of_idle,
    "disk": of_disk,
    "growth": of_growth,
    "peers": of_peers,
}


def render(result, remarks):
    """The page; `remarks` says by hand, below each title, what its figures show."""
    lines = [
        "# What the pipeline does on one machine",
        "",
        "Written by `bench/run`; what is said by hand stands in `bench/REMARKS.md`. How controllers do "
        "on real backends, a sink that becomes slow, and one that is capped are measured in "
        "[backends](backends/RESULTS.md), the library in [LIBRARY.md](LIBRARY.md); that nothing is "
        "lost or stored twice is what `make kills` and `make chaos` show.",
        "",
        f"{result['machine']}. {'; '.join(result['versions'])}.",
        *measured(result),
        "",
        *of_aims(result),
    ]
    for name, section in SECTIONS.items():
        if name not in result:
            continue
        for line in section(result):
            lines.append(line)
            if line.startswith("#") and line in remarks:
                lines += ["", remarks[line]]
    return "\n".join(lines).rstrip() + "\n"


def read_remarks(text):
    """Paragraphs by the title they stand under."""
    remarks, title = {}, None
    for line in text.splitlines():
        if line.startswith("## ") or line.startswith("### "):
            title = line
            remarks[title] = ""
        elif title:
            remarks[title] += line + "\n"
    return {title: text.strip() for title, text in remarks.items() if text.strip()}
