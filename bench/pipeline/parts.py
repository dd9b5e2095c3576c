"""What every measurement needs: programs, ports, a server under load, and the kernel's accounts.

The load generator, the server and its backend are processes of their own. CPU and memory are read
from the kernel's accounting of the server, after everything is delivered.
"""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TICK = os.sysconf("SC_CLK_TCK")
PATIENCE = 300
# As in the loop by hand: `postgres_rate`.
POSTGRES = ("shared_buffers=512MB", "max_wal_size=8GB", "checkpoint_timeout=30min")
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

BUILT = (
    ["-p", "tidegate-cli"],
    ["-p", "tidegate-load", "--example", "count_lines"],
    ["-p", "tidegate-testbed", "--example", "postgres"],
    ["-p", "tidegate-sinks", "--all-features", "--example", "postgres_rate"],
    ["-p", "tidegate-sinks", "--all-features", "--example", "sqlite_rate"],
)


def build():
    """Builds the release programs and says where they are."""
    for package in BUILT:
        subprocess.run(["cargo", "build", "--release", *package], cwd=ROOT, check=True)
    metadata = ["cargo", "metadata", "--format-version", "1", "--no-deps"]
    target = json.loads(subprocess.check_output(metadata, cwd=ROOT))["target_directory"]
    release = pathlib.Path(target) / "release"
    names = ("count_lines", "postgres", "postgres_rate", "sqlite_rate")
    examples = {name: release / "examples" / name for name in names}
    return {"tidegate": release / "tidegate", **examples}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"the server ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.01)
    sys.exit("the server does not listen")


def cpu_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory_mb(process, which="VmHWM"):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(which))
    return int(line.split()[1]) / 1024


@contextlib.contextmanager
def directory(args):
    """A directory for one measurement, on the disk that is measured."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-bench-", dir=args.dir))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def ended(process):
    """Ends a program that serves."""
    try:
        yield process
    finally:
        if process.stdin:
            process.stdin.close()
        else:
            process.send_signal(signal.SIGTERM)
        process.wait()


def family_cpu_seconds(process):
    """That of a process and of all below it, those included that have ended."""
    parents, used = {}, {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rsplit(")", 1)[1].split()
            one = int(stat.parent.name)
            parents[one], used[one] = int(fields[1]), sum(map(int, fields[11:15]))
    family = {process.pid}
    while more := {one for one, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(used.get(one, 0) for one in family) / TICK


@contextlib.contextmanager
def postgres(binaries, *settings):
    """A PostgreSQL of its own; gives the process above it and its URL."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    settings = (*POSTGRES, *settings)
    with ended(subprocess.Popen([binaries["postgres"], *settings], **pipes)) as server:
        yield server, server.stdout.readline().strip()


@contextlib.contextmanager
def counter(binaries, *options, port=None):
    """The bare server; gives its process and port."""
    port = port or free_port()
    command = [binaries["count_lines"], f"127.0.0.1:{port}", *options]
    with ended(subprocess.Popen(command, stdin=subprocess.DEVNULL, **QUIET)) as server:
        wait_for_port(port, server)
        yield server, port


class Gate:
    """A running `tidegate serve`."""

    def __init__(self, process, port, otlp):
        self.process, self.port = process, port
        self.url = f"http://127.0.0.1:{port}/v1/events"
        self.otlp = {name: f"http://127.0.0.1:{port}" for name, port in otlp.items()}

    def figures(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/metrics") as answer:
            return json.load(answer)

    def wait_for_delivery(self, events):
        """Waits until every lane has delivered its part, `events` in all."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if sum(lane["delivered"] for lane in self.figures()["lanes"]) >= events:
                return
            time.sleep(0.005)
        sys.exit("events were not delivered in time")


@contextlib.contextmanager
def gate(binaries, place, durability, sink, more=""):
    """`tidegate serve` with one sink, its data in `place`."""
    port, otlp = free_port(), {name: free_port() for name in ("grpc", "http")}
    file = place / "config.yaml"
    listen = ", ".join(f"{name}: '127.0.0.1:{port}'" for name, port in otlp.items())
    file.write_text(
        f"journal: {{ durability: {durability} }}\nsinks: {{ sink: {sink} }}\n{more}\n"
        f"otlp: {{ {listen} }}\nlog: {{ level: error }}\n"
    )
    command = [binaries["tidegate"], "serve", "--config", file, "--data-dir", place / "data"]
    command += ["--listen", f"127.0.0.1:{port}"]
    with ended(subprocess.Popen(command, stdin=subprocess.DEVNULL, **QUIET)) as process:
        wait_for_port(port, process)
        yield Gate(process, port, otlp)


def load_command(binaries, url, events, connections, batch, *more):
    command = [binaries["tidegate"], "load", "--url", url, "--format", "json", "--quiet"]
    command += ["--events", str(events), "--connections", str(connections)]
    return [*command, "--batch", str(batch), *more]


def load(binaries, url, events, connections, batch, *more):
    """Runs the load generator; gives its summary."""
    command = load_command(binaries, url, events, connections, batch, *more)
    summary = json.loads(subprocess.check_output(command))
    if summary["events_acknowledged"] != events:
        sys.exit(f"not everything was acknowledged: {summary}")
    return summary
