"""How does the cost of an event change as something grows? Nothing may grow faster than it must.

Into a blackhole, so that what is seen is ours; the backlog into an HTTP API that is away, and then
there.
"""

import json
import subprocess
import time

from . import parts

CONNECTIONS = (1, 2, 8, 64, 512)
SIZES = (100, 1_000, 10_000, 100_000)
BACKLOGS = (0, 1_000_000, 10_000_000)
LANES = (1, 4, 16)
# Connections over which the lanes are fed, and bytes that each size of event sends.
LANE_CONNECTIONS = 16
SIZE_BYTES = 200_000_000
BLACKHOLE = "{ type: blackhole }"


def row(summary, gate, events):
    return {
        "events_per_second": summary["events_per_second"],
        "cpu_us_per_event": parts.cpu_seconds(gate.process) / events * 1e6,
        "peak_rss_mb": parts.memory_mb(gate.process),
        "p99_ms": summary["latency_ms"]["p99"],
    }


def connections(binaries, args):
    result = {}
    for durability in ("memory", "fsync"):
        for count in CONNECTIONS:
            # One connection waits for each answer: fewer events take as long.
            events = args.events // 4 if count < 8 else args.events
            with parts.directory(args) as place:
                with parts.gate(binaries, place, durability, BLACKHOLE) as gate:
                    summary = parts.load(binaries, gate.url, events, count, args.batch)
                    gate.wait_for_delivery(events)
                    result[f"{durability}, {count}"] = row(summary, gate, events)
    return result


def sizes(binaries, args):
    result = {}
    for size in SIZES:
        batch = max(1, min(100, 1_000_000 // size))
        events = min(500_000, SIZE_BYTES // size)
        with parts.directory(args) as place:
            file = place / "lines.ndjson"
            with open(file, "w") as lines:
                for number in range(events):
                    head = f'{{"level":"INFO","service":"shop","seq":{number},"body":"'
                    lines.write(head + "x" * (size - len(head) - 3) + '"}\n')
            with parts.gate(binaries, place, "fsync", BLACKHOLE) as gate:
                more = ["--from", str(file)]
                summary = parts.load(binaries, gate.url, events, 8, batch, *more)
                gate.wait_for_delivery(events)
                figures = row(summary, gate, events)
                figures["megabytes_per_second"] = figures["events_per_second"] * size / 1e6
                result[f"{size:,} B, {batch} a request"] = figures
    return result


def lanes(binaries, args):
    """Events in turn to each of so many lanes, over as many connections in all."""
    result = {}
    for count in LANES:
        names = [f"c{number}" for number in range(count)]
        classes = "classes: { " + ", ".join(f"{name}: {{}}" for name in names) + " }"
        each = args.events // count
        with parts.directory(args) as place:
            with parts.gate(binaries, place, "fsync", BLACKHOLE, classes) as gate:
                started = time.monotonic()
                loads = [
                    subprocess.Popen(
                        parts.load_command(
                            binaries, gate.url, each, LANE_CONNECTIONS // count, args.batch,
                            "--class", name,
                        ),
                        stdout=subprocess.PIPE,
                    )
                    for name in names
                ]
                told = [json.loads(one.communicate()[0]) for one in loads]
                gate.wait_for_delivery(each * count)
                summary = {
                    "events_per_second": each * count / (time.monotonic() - started),
                    "latency_ms": {"p99": max(one["latency_ms"]["p99"] for one in told)},
                }
                result[str(count)] = row(summary, gate, each * count)
    return result


def backlogs(binaries, args):
    """What accepting and delivering cost when so many events wait for a sink that was away."""
    result = {}
    for waiting in [count for count in BACKLOGS if count <= args.backlog]:
        port = parts.free_port()
        sink = f"{{ type: http, url: 'http://127.0.0.1:{port}/' }}"
        with parts.directory(args) as place:
            with parts.gate(binaries, place, "fsync", sink) as gate:
                if waiting:
                    parts.load(binaries, gate.url, waiting, 8, args.batch)
                before = parts.cpu_seconds(gate.process)
                more = args.events // 2
                summary = parts.load(binaries, gate.url, more, 8, args.batch)
                used = parts.cpu_seconds(gate.process) - before
                figures = {
                    "events_per_second": summary["events_per_second"],
                    "cpu_us_per_event": used / more * 1e6,
                    "rss_mb_waiting": parts.memory_mb(gate.process, "VmRSS"),
                    "p99_ms": summary["latency_ms"]["p99"],
                }
                before, started = parts.cpu_seconds(gate.process), time.monotonic()
                with parts.counter(binaries, port=port):
                    gate.wait_for_delivery(waiting + more)
                    took = time.monotonic() - started
                figures["delivered_per_second"] = (waiting + more) / took
                used = parts.cpu_seconds(gate.process) - before
                figures["delivery_cpu_us_per_event"] = used / (waiting + more) * 1e6
                figures["peak_rss_mb"] = parts.memory_mb(gate.process)
                result[f"{waiting:,}"] = figures
    return result
