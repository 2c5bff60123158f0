"""LiteLLM's proxy from PyPI: a peer, measured when it is asked for.

It is set up as its page on production says: one worker for the core, a master key, no debug
logs. It has no database, so it keeps no books behind an answer.
"""

import contextlib
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request

from .processes import BenchError, Process, free_port
from .tools import ROOT, say

REQUIREMENT = "litellm[proxy]==1.105.6"
KEY = "sk-bench-0123456789abcdef0123456789abcdef"
ENVIRONMENT = {
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
    # Prices come with the package; without this it would fetch them anew.
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
}


class Litellm:
    kind = "litellm"
    name = kind
    metrics = ("whole", "saturated", "paced")
    headers = (f"authorization: Bearer {KEY}",)

    def __init__(self, bench):
        self.bench = bench
        self.program = _installed()
        self.plan = bench.plan.for_a_slow_subject()
        self.title = f"{REQUIREMENT.replace('[proxy]==', ' ')}, {self.plan.streams} paced streams"
        self.config = os.path.join(bench.folder(self.name), "config.yaml")
        with open(self.config, "w") as file:
            json.dump(self._settings(), file)  # JSON is YAML too

    @contextlib.contextmanager
    def running(self):
        """Runs for one round; gives the pid and a URL for each metric."""
        port = free_port()
        argv = [self.program, "--config", self.config, "--host", "127.0.0.1",
                "--port", str(port), "--num_workers", "1"]
        log = self.bench.log(self.name)
        with Process(argv, self.bench.subject, log, env=ENVIRONMENT) as process:
            process.wait_until(lambda: _answers(port), 180, "/health/readiness did not answer 200")
            url = f"http://127.0.0.1:{port}/v1/chat/completions"
            yield process.pid, dict.fromkeys(self.metrics, url)

    def _settings(self):
        models = self.plan.models
        return {
            "model_list": [
                {"model_name": models[metric],
                 "litellm_params": {"model": f"openai/{models[metric]}", "api_key": KEY,
                                    "api_base": f"http://{self.bench.upstream}/v1"}}
                for metric in self.metrics
            ],
            "litellm_settings": {"set_verbose": False, "json_logs": True, "request_timeout": 600,
                                 "telemetry": False},
            "general_settings": {"master_key": KEY},
        }


def _installed():
    """The program, in an environment of its own; installed there if it is missing."""
    folder = os.path.join(ROOT, "tests", ".env", "litellm")
    stamp, program = os.path.join(folder, "made-from"), os.path.join(folder, "bin", "litellm")
    with contextlib.suppress(FileNotFoundError), open(stamp) as file:
        if file.read() == REQUIREMENT and os.access(program, os.X_OK):
            return program
    say(f"installing {REQUIREMENT} into tests/.env/litellm")
    for argv in ([sys.executable, "-m", "venv", folder],
                 [os.path.join(folder, "bin", "pip"), "install", "-q", REQUIREMENT]):
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode:
            raise BenchError(f"`{' '.join(argv[-3:])}` failed: {done.stderr.strip()[-500:]}")
    with open(stamp, "w") as file:
        file.write(REQUIREMENT)
    return program


def _answers(port):
    try:
        url = f"http://127.0.0.1:{port}/health/readiness"
        return urllib.request.urlopen(url, timeout=2).status == 200
    except (urllib.error.URLError, OSError):
        return False
