"""The metrics: what a running subject is asked to do, and what that cost it."""

import subprocess
import time

from .accounting import Cpu, memory_bytes, settled
from .dialects import DIALECTS
from .processes import BenchError, Process, family


class Meter:
    """Puts load on one running subject and reads its cost."""

    def __init__(self, bench, subject, pid, urls):
        self.bench, self.subject, self.urls = bench, subject, urls
        self.plan, self.pids = bench.plan, family(pid)

    def warm_up(self):
        """Little, so that what it leaves behind hides no memory of the streams."""
        self._load("whole", requests=1000, connections=4)

    def measure(self, metric):
        """The figures of one metric, by name."""
        return getattr(self, f"_{metric}")()

    def _whole(self):
        self._load("whole", requests=2000, connections=self.plan.connections)
        return {"whole_us": self._cost("whole", self.plan.whole_requests, "requests")}

    def _tls(self):
        self._load("tls", requests=1000, connections=self.plan.connections)
        return {"tls_us": self._cost("tls", self.plan.whole_requests // 2, "requests")}

    def _saturated(self):
        self._load("saturated", requests=16, connections=16)
        return {"saturated_us": self._cost("saturated", self.plan.saturated_requests, "events")}

    def _paced(self):
        event_us, stream_kb = self._open_streams()
        return {"paced_us": event_us, "stream_kb": stream_kb}

    def _dialects(self):
        return {f"{each.name}_us": self._dialect(each) for each in DIALECTS}

    def dialect_memory(self, dialect):
        """For a fresh process: what earlier streams left behind would hide the memory."""
        return {f"{dialect.name}_kb": self._open_streams(dialect)[1]}

    def _dialect(self, dialect):
        """Microseconds of CPU for an event that the platform sent, whatever goes on for it."""
        self._load("saturated", dialect, requests=16, connections=16)
        before = settled(self.pids)
        report = self._load("saturated", dialect, requests=self.plan.dialect_requests,
                            connections=self.plan.connections)
        spent = settled(self.pids).since(before)
        if report["events"] < report["requests"] * self.plan.saturated_events:
            raise BenchError(f"{self.subject.name}: {dialect.name} lost events on the way: "
                             f"{report['events']} came of {report['requests']} streams")
        return spent / (report["requests"] * self.bench.recordings.events(dialect)) / 1000

    def _open_streams(self, dialect=None):
        """Cost and memory of many open streams, in a window in which all of them are open."""
        streams, window = self.plan.streams, self.plan.window_s
        idle = memory_bytes(self.pids)
        with self._loader("paced", dialect, requests=streams, connections=streams,
                          ramp_ms=self.plan.ramp_ms) as loader:
            loader.wait_until(lambda: self._counts(loader)["open"] >= streams, 20,
                              f"{streams} streams did not open")
            events, begin = self._counts(loader)["events"], Cpu(self.pids)
            time.sleep(window)
            counts, end = self._counts(loader), Cpu(self.pids)
            memory = memory_bytes(self.pids)
            if counts["open"] < streams:
                raise BenchError(f"{self.subject.name}: streams ended within the window")
            self._finish(loader)
        event_us = end.since(begin) / (counts["events"] - events) / 1000
        return event_us, (memory - idle) / streams / 1024

    def _cost(self, metric, requests, per):
        """Microseconds of CPU, the books behind the answers included."""
        before = settled(self.pids)
        report = self._load(metric, requests=requests, connections=self.plan.connections)
        return settled(self.pids).since(before) / report[per] / 1000

    def _load(self, metric, dialect=None, **options):
        with self._loader(metric, dialect, **options) as loader:
            return self._finish(loader)

    def _loader(self, metric, dialect=None, **options):
        bench, headers, body = self.bench, self.subject.headers, self.bench.bodies[metric]
        if dialect:
            body = bench.recordings.bodies[dialect.name, metric]
            headers += (f"x-account-id: {self.subject.accounts[dialect.name]}",)
        argv = [bench.programs["bench_load"], "--url", self.urls[metric], "--body", body]
        for name, value in options.items():
            argv += [f"--{name.replace('_', '-')}", str(value)]
        for header in headers:
            argv += ["--header", header]
        if metric in ("saturated", "paced"):
            argv.append("--stream")
        return Process(argv, bench.rest, bench.log("loader"), stdin=subprocess.PIPE)

    def _counts(self, loader):
        loader.child.stdin.write(b"\n")
        loader.child.stdin.flush()
        return loader.json_line()

    def _finish(self, loader):
        report = loader.json_line(timeout=90)
        if report["errors"]:
            raise BenchError(f"{self.subject.name}: {report['errors']} of "
                             f"{report['errors'] + report['requests']} requests failed; "
                             f"the first: {report['first_error']}")
        return report
