"""How does a program that is in every distribution do on the same machine?

rsyslog as Debian packages it. It has no input over HTTP and no acknowledgement, so it is given the
same lines over one TCP connection as fast as it reads them, and what counts is what is in the
file. Best settings found: `imptcp` with two threads, a main queue in memory (fixed array, batches
of 2,048, two workers), and a file written by its own thread in blocks of 256 KiB; the durable run
has the queue on disk with a sync of each checkpoint instead.
"""

import os
import shutil
import socket
import subprocess
import time

from . import parts

LINES = 1_000
PACKAGES = ("rsyslog", "libestr0", "libfastjson4", "liblognorm5")
CONFIG = """
global(workDirectory="{place}" maxMessageSize="64k")
module(load="imptcp" threads="2")
input(type="imptcp" address="127.0.0.1" port="{port}" name="in" ruleset="all")
template(name="raw" type="string" string="%rawmsg%\\n")
ruleset(name="all" {queue}) {{
  action(type="omfile" file="{place}/out.log" template="raw" {file})
}}
"""
QUEUES = {
    "memory": (
        'queue.type="fixedArray" queue.size="200000" queue.dequeueBatchSize="2048" '
        'queue.workerThreads="2"',
        'asyncWriting="on" ioBufferSize="256k" flushOnTXEnd="off"',
    ),
    "disk": (
        'queue.type="disk" queue.filename="q" queue.maxDiskSpace="4g" queue.syncQueueFiles="on" '
        'queue.checkpointInterval="1000" queue.dequeueBatchSize="2048"',
        'ioBufferSize="256k" flushOnTXEnd="on"',
    ),
}


def rsyslog(args):
    """Lines a second into a file, with a queue in memory and with a synced one on disk."""
    if not (root := unpacked()):
        return {"missing": "there is no apt-get that gives Debian's package `rsyslog`"}
    libraries = ":".join(str(path) for path in root.glob("usr/lib/*-linux-gnu"))
    environment = {**os.environ, "LD_LIBRARY_PATH": libraries}
    modules = next(root.glob("usr/lib/*-linux-gnu/rsyslog"))
    program = [root / "usr/sbin/rsyslogd", "-M", modules]
    told = subprocess.check_output([program[0], "-v"], text=True, env=environment)
    result = {"version": " ".join(told.split()[:2])}
    # The durable queue is slow enough that fewer lines take as long.
    for kind, lines in (("memory", args.events), ("disk", args.events // 100)):
        with parts.directory(args) as place:
            result[kind] = run(program, environment, kind, lines, place)
    return result


def unpacked():
    """The package and what it needs, in a directory of its own: nothing is installed or started."""
    root = parts.ROOT / "target" / "peers"
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        return None
    if not (root / "usr/sbin/rsyslogd").exists():
        root.mkdir(parents=True, exist_ok=True)
        fetch = ["apt-get", "-qq", "download", *PACKAGES]
        if subprocess.run(fetch, cwd=root, **parts.QUIET).returncode:
            return None
        for package in root.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, root], check=True)
    return root


def run(program, environment, kind, lines, place):
    port = parts.free_port()
    queue, file = QUEUES[kind]
    config = place / "rsyslog.conf"
    config.write_text(CONFIG.format(place=place, port=port, queue=queue, file=file))
    command = [*program, "-n", "-f", config, "-i", place / "pid"]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment, **parts.QUIET)
    with parts.ended(server):
        parts.wait_for_port(port, server)
        line = '{"level":"INFO","service":"shop","body":"%s"}\n' % ("x" * 222)
        block = (line * LINES).encode()
        started = time.monotonic()
        with socket.create_connection(("127.0.0.1", port)) as stream:
            for _ in range(lines // LINES):
                stream.sendall(block)
        wanted, out = lines // LINES * len(block), place / "out.log"
        # What the writer still holds in its buffer is less than a block of it.
        while not out.exists() or out.stat().st_size < wanted - (256 << 10):
            if time.monotonic() - started > parts.PATIENCE:
                raise TimeoutError(f"rsyslog wrote {out.stat().st_size} of {wanted} bytes")
            time.sleep(0.01)
        took = time.monotonic() - started
        return {
            "delivered_per_second": lines / took,
            "cpu_seconds_per_million": parts.cpu_seconds(server) / lines * 1e6,
            "peak_rss_mb": parts.memory_mb(server),
        }
