"""Starting and ending processes: each on its core, each ended by its own pid."""

import contextlib
import json
import os
import random
import select
import signal
import socket
import subprocess
import time


class BenchError(Exception):
    """Something that the user of the bench has to know or mend."""


class Process:
    """A child on one core, whose stdout can be read line by line."""

    def __init__(self, argv, core, log, env=None, stdin=None):
        self.name = os.path.basename(argv[0])
        self.log = log
        with open(log, "ab") as errors:
            self.child = subprocess.Popen(
                ["taskset", "-c", str(core), *argv],
                stdin=stdin or subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **(env or {})},
            )
        self.pid = self.child.pid
        self.pending = b""

    def line(self, timeout):
        """The next line of stdout."""
        until = time.monotonic() + timeout
        descriptor = self.child.stdout.fileno()
        while b"\n" not in self.pending:
            left = until - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise BenchError(f"{self.name} said nothing within {timeout} s; {self.last_words()}")
            piece = os.read(descriptor, 65536)
            if not piece:
                raise BenchError(f"{self.name} ended early; {self.last_words()}")
            self.pending += piece
        line, self.pending = self.pending.split(b"\n", 1)
        return line.decode(errors="replace")

    def json_line(self, timeout=10):
        line = self.line(timeout)
        try:
            return json.loads(line)
        except ValueError:
            raise BenchError(f"{self.name} said {line!r}, which is no JSON") from None

    def ended(self):
        return self.child.poll() is not None

    def wait_until(self, ready, timeout, what):
        """Asks `ready` again and again until it is true."""
        until = time.monotonic() + timeout
        while not ready():
            if self.ended():
                raise BenchError(f"{self.name} ended early; {self.last_words()}")
            if time.monotonic() > until:
                raise BenchError(f"{self.name}: {what} within {timeout} s; {self.last_words()}")
            time.sleep(0.02)

    def stop(self, how=signal.SIGTERM):
        if not self.ended():
            self.child.send_signal(how)
            try:
                self.child.wait(15)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self.child.stdout.close()
        if self.child.stdin:
            with contextlib.suppress(OSError):
                self.child.stdin.close()

    def last_words(self):
        with open(self.log, errors="replace") as log:
            tail = log.read()[-2000:].strip()
        return f"its log ends: {tail}" if tail else "its log is empty"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def family(pid):
    """A process and all that it started: nginx works in a child."""
    found = [pid]
    for task in os.listdir(f"/proc/{pid}/task"):
        # A thread may have ended meanwhile.
        with contextlib.suppress(FileNotFoundError):
            with open(f"/proc/{pid}/task/{task}/children") as children:
                for child in children.read().split():
                    found += family(int(child))
    return found


_given = set()


def free_port():
    """A port that nobody else gets while nobody listens there, as between rounds.

    The system gives connections theirs from a range of its own; it is chosen below that, and
    once in a run.
    """
    with open("/proc/sys/net/ipv4/ip_local_port_range") as ephemeral:
        end = max(4096, int(ephemeral.read().split()[0]))
    for port in random.sample(sorted(set(range(end // 2, end)) - _given), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _given.add(port)
            return port
    raise BenchError(f"a hundred ports from {end // 2} to {end} are all taken")


def accepts(port):
    """Whether someone listens on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
