"""The gateway, set up by its own commands as a user would, on SQLite or on Redis."""

import contextlib
import json
import os
import subprocess
import urllib.error
import urllib.request

from .dialects import BEARER, DIALECTS, platforms
from .processes import BenchError, Process, accepts, free_port
from .tools import find

ACCOUNTS = 3
# No account of a platform runs out of its day's tokens.
ENDLESS = 1_000_000_000_000

CONFIG = """
[server]
listen = "127.0.0.1:{port}"

[operator]
listen = "127.0.0.1:{operator_port}"

[store]
url = "{store}"
"""

PLATFORM = """
[platforms.{name}]
dialect = "openai_chat"
base_url = "{base_url}"
models = [{models}]
windows = [{{ period = "day", limit = {limit}, zone = "UTC" }}]
"""


class Gateway:
    """One build of the gateway with one environment on one store."""

    def __init__(self, bench, label, binary, env, kind, serve_args):
        self.bench, self.binary, self.kind, self.serve_args = bench, binary, kind, serve_args
        self.name = f"{label}-{kind}"
        store = {"embedded": "embedded (SQLite)", "redis": "on Redis"}[kind]
        self.title = f"{label}, {store}"
        self.folder = bench.folder(self.name)
        self.config = os.path.join(self.folder, "gateway.toml")
        self.port, self.operator_port = free_port(), free_port()
        self.env = dict(env)
        self.metrics = ("whole", "saturated", "paced", "tls")
        # An event does not meet the store: one store is enough.
        if kind == "embedded":
            self.metrics += ("dialects", "dialect-memory")
        self.accounts = {}

    def prepare(self, stack):
        """Writes the configuration, makes keys, a user, accounts and a token."""
        bench = self.bench
        if bench.tls_authority:
            self.env["SSL_CERT_FILE"] = bench.tls_authority
        self._write_config(self._store(stack))
        keys = self._run("keys", "generate").split()
        if not keys:
            raise BenchError("`keys generate` printed nothing")
        self.env["TRIBUTARY_MASTER_KEYS"] = keys[-1].removeprefix("TRIBUTARY_MASTER_KEYS=").strip("'\"")
        self._run("user", "add", "bench")
        for platform in ("bench", "benchtls")[: 2 if bench.tls_port else 1]:
            for number in range(ACCOUNTS):
                self._add_account(platform, f"{platform}-{number}", BEARER)
        if bench.wants_dialects and "dialects" in self.metrics:
            for each in DIALECTS:
                self.accounts[each.name] = self._add_account(
                    each.platform, each.name, each.credential, "--dialect", each.dialect,
                    "--limit", str(ENDLESS))
        token = _last_json(self._run("token", "create", "--user", "bench", "--json"))["token"]
        self.headers = (f"authorization: Bearer {token}",)

    @contextlib.contextmanager
    def running(self):
        """Runs for one round; gives the pid and a URL for each metric."""
        argv = [self.binary, "serve", "--config", self.config, *self.serve_args]
        with Process(argv, self.bench.subject, self.bench.log(self.name), env=self.env) as process:
            process.wait_until(self._ready, 20, "/readyz did not answer 200")
            url = f"http://127.0.0.1:{self.port}/v1/chat/completions"
            yield process.pid, dict.fromkeys(self.metrics, url)

    def _add_account(self, platform, name, credential, *options):
        """Binds an account; gives its id."""
        key_file = os.path.join(self.folder, "key")
        with open(key_file, "w") as file:
            file.write(credential)
        said = self._run("account", "add", "--user", "bench", "--platform", platform,
                         "--name", name, "--key-file", key_file, "--json", *options)
        return _last_json(said)["id"]

    def _store(self, stack):
        if self.kind == "embedded":
            return f"sqlite:{self.folder}/gateway.db"
        bench, port = self.bench, free_port()
        argv = [find("redis-server"), "--bind", "127.0.0.1", "--port", str(port),
                "--save", "", "--appendonly", "no", "--dir", self.folder]
        redis = stack.enter_context(Process(argv, bench.rest, bench.log(f"{self.name}-server")))
        redis.wait_until(lambda: accepts(port), 10, "it did not listen")
        return f"redis://127.0.0.1:{port}"

    def _write_config(self, store):
        bench = self.bench
        models = dict(bench.plan.models)
        secure = models.pop("tls")
        text = CONFIG.format(port=self.port, operator_port=self.operator_port, store=store)
        text += PLATFORM.format(name="bench", base_url=f"http://{bench.upstream}/v1",
                                models=_models(models.values()), limit=ENDLESS)
        if bench.tls_port:
            base_url = f"https://127.0.0.1:{bench.tls_port}/v1"
            text += PLATFORM.format(name="benchtls", base_url=base_url, models=_models([secure]),
                                    limit=ENDLESS)
        if bench.wants_dialects:
            text += platforms(bench.upstream)
        with open(self.config, "w") as file:
            file.write(text)

    def _run(self, *arguments):
        argv = ["taskset", "-c", str(self.bench.rest), self.binary, *arguments]
        argv += ["--config", self.config]
        done = subprocess.run(argv, env={**os.environ, **self.env}, capture_output=True,
                              text=True, timeout=60)
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip())[-1000:]
            raise BenchError(f"`{' '.join(arguments)}` failed: {said}")
        return done.stdout

    def _ready(self):
        try:
            url = f"http://127.0.0.1:{self.operator_port}/readyz"
            return urllib.request.urlopen(url, timeout=2).status == 200
        except (urllib.error.URLError, OSError):
            return False


def parse_gateway(text):
    """`name=path[,ENV=VAL…]` as (name, path, environment)."""
    name, _, rest = text.partition("=")
    path, *pairs = rest.split(",")
    if not name or not os.access(path, os.X_OK):
        raise BenchError(f"--gateway {text}: wanted NAME=PATH[,ENV=VALUE…] with a program at PATH")
    return name, os.path.abspath(path), dict(pair.partition("=")[::2] for pair in pairs)


def _models(names):
    return ", ".join(
        f'{{ name = "{name}", context = 128000, max_output = 8192 }}' for name in names
    )


def _last_json(text):
    try:
        return json.loads(text[text.index("{"):])
    except ValueError:
        raise BenchError(f"wanted JSON, got {text.strip()[:500]!r}") from None
