"""The programs that the bench needs: found, installed from Debian, or built."""

import json
import os
import shutil
import subprocess
import sys

from .processes import BenchError

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEBIAN = {"nginx": "nginx-light", "redis-server": "redis-server", "openssl": "openssl"}


def say(text):
    print(text, file=sys.stderr, flush=True)


def find(program):
    """The path of a program, which is installed from Debian's package if it is missing."""
    path = os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"
    found = shutil.which(program, path=path)
    if found:
        return found
    package = DEBIAN[program]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise BenchError(f"{program} is missing: install it (Debian: apt-get install {package})")
    say(f"{program} is missing; installing {package}")
    # Run level 1 keeps the package from starting a server of its own.
    env = {**os.environ, "RUNLEVEL": "1", "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update"], ["install", "-y", "--no-install-recommends", package]):
        done = subprocess.run(["apt-get", "-q", *step], env=env, stdout=subprocess.DEVNULL)
        if done.returncode:
            raise BenchError(f"apt-get {step[0]} failed; install {package} by hand")
    found = shutil.which(program, path=path)
    if not found:
        raise BenchError(f"{package} is installed, but {program} is not on the path")
    return found


def build(profile, examples=(), binary=None):
    """Builds examples or the binary; gives the path of each by its name."""
    argv = ["cargo", "build", "--profile", profile, "--message-format", "json-render-diagnostics"]
    for example in examples:
        argv += ["--example", example]
    if binary:
        argv += ["--bin", binary]
    say(f"building {', '.join([*examples, *([binary] if binary else [])])} ({profile})")
    done = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE)
    if done.returncode:
        raise BenchError("cargo build failed")
    built = {}
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable"):
            built[message["target"]["name"]] = message["executable"]
    return built


def cores():
    """One core for what is measured, another for all the rest."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise BenchError("two cores are needed: one for what is measured, one for the rest")
    if not shutil.which("taskset"):
        raise BenchError("taskset is missing: install it (Debian: apt-get install util-linux)")
    return allowed[0], allowed[1]


def machine():
    """A line that says what the figures were measured on."""
    model = "unknown CPU"
    with open("/proc/cpuinfo") as cpuinfo:
        for line in cpuinfo:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model}, Linux {os.uname().release}"
