"""How fast is the whole way, beside ceilings that are measured in the same round?

Each round runs every case once, in turn, so that a machine that is slow for a while is slow for
all of them. Figures are medians of the rounds; what carries over to another machine are ratios to
a ceiling of the same round.
"""

import contextlib
import os
import re
import subprocess
import time

from . import parts

CASES = {
    "floor": "*ceiling*: bare server that counts lines",
    "parse": "*ceiling*: bare server that parses into rows",
    "disk": "*ceiling*: 800 events a write, each with its `fdatasync`",
    "memory": "NDJSON → blackhole, `memory`",
    "fsync": "NDJSON → blackhole, `fsync`",
    "otlp-grpc-memory": "OTLP/gRPC → blackhole, `memory`",
    "otlp-grpc": "OTLP/gRPC → blackhole, `fsync`",
    "otlp-http-memory": "OTLP/HTTP → blackhole, `memory`",
    "otlp-http": "OTLP/HTTP → blackhole, `fsync`",
    "http": "NDJSON → HTTP (NDJSON), `fsync`, at least once",
    "sqlite-loop": "*ceiling*: hand-tuned SQLite, 5,000 rows a transaction, same table",
    "sqlite": "NDJSON → SQLite, `fsync`, exactly once",
    "copy-text": "*ceiling*: hand-tuned COPY into text columns without an index",
    "copy": "*ceiling*: hand-tuned COPY into the same table",
    "postgres": "NDJSON → PostgreSQL, `fsync`, exactly once",
}
# What a case is held against.
OF = {
    "memory": "parse",
    "fsync": "disk",
    "otlp-grpc-memory": "parse",
    "otlp-grpc": "disk",
    "otlp-http-memory": "parse",
    "otlp-http": "disk",
    "http": "floor",
    "sqlite": "sqlite-loop",
    "postgres": "copy",
    "copy": "copy-text",
}
# The loops by hand: their program, and what it is told after events and rounds.
LOOPS = {
    "sqlite-loop": ("sqlite_rate", []),
    "copy-text": ("postgres_rate", ["2", "plain"]),
    "copy": ("postgres_rate", ["2"]),
}
# What an event of the load is as a row, and what a commit of eight requests writes.
ROW_BYTES = 232
COMMIT_EVENTS = 800


@contextlib.contextmanager
def backend(case, binaries):
    """The sink of a case, and the process behind it if it has one."""
    if case == "postgres":
        with parts.postgres(binaries) as (server, url):
            yield f"{{ type: postgres, url: '{url}' }}", server
    elif case == "http":
        with parts.counter(binaries) as (server, port):
            yield f"{{ type: http, url: 'http://127.0.0.1:{port}/' }}", server
    else:
        yield f"{{ type: {'sqlite' if case == 'sqlite' else 'blackhole'} }}", None


def measure(case, binaries, args):
    if case in LOOPS:
        return by_hand(case, binaries, args)
    with parts.directory(args) as place:
        if case in ("floor", "parse"):
            return bare(case, binaries, args)
        if case == "disk":
            return {"delivered_per_second": COMMIT_EVENTS / sync_seconds(place)}
        durability = "memory" if case.endswith("memory") else "fsync"
        with (
            backend(case, binaries) as (sink, server),
            parts.gate(binaries, place, durability, sink) as gate,
        ):
            url, more = gate.url, []
            if case.startswith("otlp"):
                protocol = case.removesuffix("-memory")
                url, more = gate.otlp[protocol.removeprefix("otlp-")], ["--protocol", protocol]
            before = parts.family_cpu_seconds(server) if server else 0
            started = time.monotonic()
            summary = parts.load(binaries, url, args.events, args.connections, args.batch, *more)
            gate.wait_for_delivery(args.events)
            delivered = args.events / (time.monotonic() - started)
            figures = {
                **of_load(summary),
                "delivered_per_second": delivered,
                **of_server(gate.process, args.events),
            }
            if server:
                used = parts.family_cpu_seconds(server) - before
                figures["backend_cpu_seconds_per_million"] = used / args.events * 1e6
            return figures


def bare(case, binaries, args):
    options = ["--parse"] if case == "parse" else []
    with parts.counter(binaries, *options) as (server, port):
        url = f"http://127.0.0.1:{port}/"
        summary = parts.load(binaries, url, args.events, args.connections, args.batch)
        return {**of_load(summary), **of_server(server, args.events)}


def of_load(summary):
    return {
        "acknowledged_per_second": summary["events_per_second"],
        "load_cpu_seconds_per_million": summary["cpu_seconds"]
        / summary["events_acknowledged"]
        * 1e6,
        "p50_ms": summary["latency_ms"]["p50"],
        "p99_ms": summary["latency_ms"]["p99"],
    }


def of_server(process, events):
    return {
        "cpu_seconds_per_million": parts.cpu_seconds(process) / events * 1e6,
        "peak_rss_mb": parts.memory_mb(process),
    }


def by_hand(case, binaries, args):
    """Rows a second of a loop without a pipeline before it, and of the sink in its place."""
    name, more = LOOPS[case]
    told = subprocess.check_output([binaries[name], str(args.events), "1", *more], text=True)
    rate = re.search(r"loop (\d+)(?:, sink (\d+))? rows/s", told)
    figures = {"delivered_per_second": float(rate.group(1))}
    if rate.group(2):
        figures["sink_alone_per_second"] = float(rate.group(2))
    return figures


def sync_seconds(place, bytes_each=COMMIT_EVENTS * ROW_BYTES, seconds=1.0):
    """Mean time of a write with its fdatasync, over blocks that exist."""
    size = 64 << 20
    block = os.urandom(bytes_each)
    with open(place / "disk", "wb+", buffering=0) as file:
        file.write(bytes(size))
        os.fsync(file.fileno())
        at, count, started = 0, 0, time.monotonic()
        while time.monotonic() - started < seconds:
            os.pwrite(file.fileno(), block, at)
            os.fdatasync(file.fileno())
            count += 1
            at = (at + bytes_each) // 4096 * 4096
            at = 0 if at + bytes_each > size else at
        return (time.monotonic() - started) / count


def sequential(place):
    """Megabytes a second of writes of 256 KiB, each with its fdatasync."""
    return (256 << 10) / sync_seconds(place, 256 << 10) / 1e6
