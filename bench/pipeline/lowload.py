"""What does somebody wait for when there is little to do, and what does idling cost?

How long an event takes from the client to the sink is asked of the sink: PostgreSQL keeps the time
of each commit, and in SQLite a reader looks every millisecond which positions it can see. The
beginning is the timestamp that the client wrote into the event when it sent it.
"""

import sqlite3
import statistics
import subprocess
import threading
import time

from . import parts

RATE = 2_000
SECONDS = 8
# Events of the beginning that are left out: connections and plans are new.
WARM = RATE * 2
IDLE_SECONDS = 10


def requests(binaries, args):
    """One event a request over 64 connections, and the bare server beside it."""
    events = args.events // 10
    result = {}
    with parts.counter(binaries) as (server, port):
        summary = parts.load(binaries, f"http://127.0.0.1:{port}/", events, 64, 1)
        result["floor"] = one(summary, server, events)
    for durability in ("memory", "fsync"):
        with parts.directory(args) as place:
            with parts.gate(binaries, place, durability, "{ type: blackhole }") as gate:
                summary = parts.load(binaries, gate.url, events, 64, 1)
                gate.wait_for_delivery(events)
                result[durability] = one(summary, gate.process, events)
    return result


def one(summary, process, events):
    return {
        "requests_per_second": summary["events_per_second"],
        "cpu_seconds_per_million": parts.cpu_seconds(process) / events * 1e6,
        "p99_ms": summary["latency_ms"]["p99"],
    }


def latency(binaries, args):
    """Client to sink at a rate that is far below what the machine can do, one event a request."""
    return {"sqlite": of_sqlite(binaries, args), "postgres": of_postgres(binaries, args)}


def offer(binaries, gate):
    more = ["--rate", str(RATE)]
    return parts.load(binaries, gate.url, RATE * SECONDS, 8, 1, *more)


def of_sqlite(binaries, args):
    with parts.directory(args) as place:
        with parts.gate(binaries, place, "fsync", "{ type: sqlite }") as gate:
            file = place / "data" / "events.db"
            seen, stop = [], threading.Event()
            watcher = threading.Thread(target=watch, args=(file, seen, stop))
            watcher.start()
            summary = offer(binaries, gate)
            gate.wait_for_delivery(RATE * SECONDS)
            time.sleep(0.05)
            stop.set()
            watcher.join()
            sent = dict(
                sqlite3.connect(file).execute("SELECT position, timestamp FROM events").fetchall()
            )
    waits, before = [], -1
    for at, last in seen:
        waits += [at - sent[position] for position in range(before + 1, last + 1)]
        before = last
    return told([wait / 1e6 for wait in waits], summary)


def watch(file, seen, stop):
    """Notes when which position is the last to be seen, until told to stop."""
    database = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    last = -1
    while not stop.is_set():
        (now,) = database.execute("SELECT max(position) FROM events").fetchone()
        at = time.time_ns()
        if now is not None and now > last:
            last = now
            seen.append((at, last))
        time.sleep(0.001)


def of_postgres(binaries, args):
    with parts.directory(args) as place, parts.postgres(
        binaries, "track_commit_timestamp=on"
    ) as (_, url):
        sink = f"{{ type: postgres, url: '{url}' }}"
        with parts.gate(binaries, place, "fsync", sink) as gate:
            summary = offer(binaries, gate)
            gate.wait_for_delivery(RATE * SECONDS)
        query = (
            "SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000"
            " - \"timestamp\" / 1000000.0 FROM events ORDER BY position"
        )
        rows = subprocess.check_output(["psql", url, "-Atc", query], text=True)
    return told([float(row) for row in rows.split()], summary)


def told(waits, summary):
    waits = sorted(waits[WARM:])
    return {
        "p50_ms": statistics.median(waits),
        "p99_ms": waits[int(len(waits) * 0.99)],
        "max_ms": waits[-1],
        "acknowledged_p50_ms": summary["latency_ms"]["p50"],
        "acknowledged_p99_ms": summary["latency_ms"]["p99"],
    }


def idle(binaries, args):
    """Processor time and memory of a server that has nothing to do, after it had."""
    with parts.directory(args) as place:
        with parts.gate(binaries, place, "fsync", "{ type: sqlite }") as gate:
            fresh = parts.memory_mb(gate.process, "VmRSS")
            time.sleep(2)
            before = parts.cpu_seconds(gate.process)
            time.sleep(IDLE_SECONDS)
            used = parts.cpu_seconds(gate.process) - before
            return {
                "cpu_percent": used / IDLE_SECONDS * 100,
                "rss_mb": max(fresh, parts.memory_mb(gate.process, "VmRSS")),
            }


