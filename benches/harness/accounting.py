"""CPU time and memory of processes, from /proc.

CPU is the scheduler's own count in nanoseconds, summed over all threads. Threads that
have ended are missing there, so the process' count in ticks is kept beside it and wins
where the two differ by more than its grain.
"""

import os
import time

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


class Cpu:
    """The CPU time that some processes had used at one moment."""

    def __init__(self, pids):
        self.threads_ns = sum(map(_threads_ns, pids))
        self.process_ns = sum(map(_process_ns, pids))

    def since(self, before):
        """Nanoseconds between `before` and this moment."""
        threads = self.threads_ns - before.threads_ns
        process = self.process_ns - before.process_ns
        return process if process - threads > 4 * TICK_NS else threads


def settled(pids, timeout=3.0):
    """The CPU time once the processes have rested for a moment.

    A gateway keeps its books behind the answer; that work belongs to the requests.
    """
    until = time.monotonic() + timeout
    before = Cpu(pids)
    while True:
        time.sleep(0.1)
        now = Cpu(pids)
        if now.since(before) < 1_000_000 or time.monotonic() > until:
            return now
        before = now


class Core:
    """What a core had done at one moment."""

    def __init__(self, core):
        with open("/proc/stat") as stat:
            line = next(line for line in stat if line.startswith(f"cpu{core} "))
        # Without the last two, of guests of its own: those are in the first two already.
        self.ticks = list(map(int, line.split()[1:9]))

    def stolen_since(self, before):
        """Which share of the time a host gave to its other guests: proc_stat(5), `steal`."""
        spent = [now - then for now, then in zip(self.ticks, before.ticks)]
        return spent[-1] / max(1, sum(spent))


def memory_bytes(pids):
    """Proportional set size: shared pages count once, in parts."""
    return sum(map(_pss_bytes, pids))


def _threads_ns(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat") as schedstat:
                total += int(schedstat.read().split()[0])
        except FileNotFoundError:
            continue  # the thread ended meanwhile
    return total


def _process_ns(pid):
    with open(f"/proc/{pid}/stat") as stat:
        # The name in brackets may hold blanks; what follows it may not.
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * TICK_NS


def _pss_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        for line in rollup:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
