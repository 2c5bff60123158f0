"""Where a gateway's CPU goes: `perf record` over each metric, after the measured rounds.

The clock event is used, which virtual machines have too.
"""

import os
import shutil
import signal
import subprocess
import time

from .processes import BenchError
from .tools import say

RECORD = ["perf", "record", "-q", "-e", "cpu-clock", "-F", "1999", "-g"]


def usable(folder):
    """Whether perf can record here; says so loudly where not."""
    if not shutil.which("perf"):
        say("!! --profile: perf is missing (Debian: apt-get install linux-perf); skipped")
        return False
    probe = [*RECORD, "-o", os.path.join(folder, "probe.data"), "--", "true"]
    done = subprocess.run(probe, capture_output=True, text=True)
    if done.returncode:
        say(f"!! --profile: perf does not work here; skipped: {done.stderr.strip()[-300:]}")
    return done.returncode == 0


def profile(bench, meter, subject, metrics, folder):
    """Runs each metric once more under perf and prints the hottest functions."""
    for metric in metrics:
        data = os.path.join(folder, f"{subject.name}-{metric}.data")
        argv = ["taskset", "-c", str(bench.rest), *RECORD, "-o", data]
        recorder = subprocess.Popen([*argv, "-p", ",".join(map(str, meter.pids))],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.3)
        try:
            meter.measure(metric)
        finally:
            recorder.send_signal(signal.SIGINT)
            recorder.wait(30)
        print(f"\n### {subject.title}: {metric} ({data})\n")
        print("```")
        print("\n".join([*_report(data, "dso")[:6], "", *_hottest(data)]))
        print("```")


def _hottest(data):
    """The hottest functions: most of them ours, a few of the kernel's."""
    lines = _report(data, "dso,symbol")
    kernel = [line for line in lines if "[k]" in line]
    return [*(line for line in lines if "[k]" not in line)][:30] + ["", *kernel[:10]]


def _report(data, keys):
    done = subprocess.run(
        ["perf", "report", "--stdio", "-i", data, "--no-children", "-g", "none", "-s", keys],
        capture_output=True, text=True,
    )
    if done.returncode:
        raise BenchError(f"perf report: {done.stderr.strip()[-300:]}")
    lines = [line.rstrip(" -")[:160] for line in done.stdout.splitlines()]
    return [line for line in lines if line.strip() and not line.startswith("#")]
