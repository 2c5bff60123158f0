"""The bare hyper proxy of examples/bare_proxy.rs: forwarding and nothing else."""

import contextlib

from .processes import Process


class Bare:
    name, title, kind = "bare", "a bare hyper proxy", "bare"
    metrics = ("whole", "saturated", "paced")
    headers = ()

    def __init__(self, bench):
        self.bench = bench

    @contextlib.contextmanager
    def running(self):
        """Runs for one round; gives the pid and a URL for each metric."""
        bench = self.bench
        argv = [bench.programs["bare_proxy"], "--upstream", bench.upstream]
        with Process(argv, bench.subject, bench.log(self.name)) as process:
            url = f"http://{process.json_line()['listen']}/v1/chat/completions"
            yield process.pid, dict.fromkeys(self.metrics, url)
