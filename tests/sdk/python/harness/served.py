"""`tributary serve`, set up command by command as an operator does it."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx2
from openai import OpenAI

from .child import Child
from .demo import binary
from .redis_server import free_port
from .simulated import Simulated
from .wait import until

# Where each platform's API stands below its origin.
BASES = {
    "openai": "/v1",
    "qwen": "/compatible-mode/v1",
    "glm": "/api/paas/v4",
    "ernie": "/v2",
    "spark": "/v1",
    "claude": "/v1",
}

# And where its other faces stand, by their dialects.
FACES = {
    "openai": {"openai_responses": "/v1"},
    "qwen": {"dashscope": "/api/v1"},
    "spark": {"spark_ws": ""},
}


class Served:
    """A gateway of its own configuration, with accounts that the test binds on simulated platforms."""

    def __init__(
        self, store: str, folder: Path, platforms: list[Simulated], settings: str = "", **environment: str
    ) -> None:
        self._folder = folder
        port, operator = free_port(), free_port()
        self.base_url = f"http://127.0.0.1:{port}/v1"
        self.operator_url = f"http://127.0.0.1:{operator}"
        self._config = folder / "gateway.toml"
        self._config.write_text(
            f'[server]\nlisten = "127.0.0.1:{port}"\n[operator]\nlisten = "127.0.0.1:{operator}"\n'
            f'[store]\nurl = "{store}"\n' + "".join(self._entry(platform) for platform in platforms) + settings
        )
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self._env = kept | {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        self._env["TRIBUTARY_MASTER_KEYS"] = self._run("keys", "generate").strip()
        self._env |= environment
        self.printed: dict[str, bytes] = {}

    def start(self) -> None:
        """Starts the gateway, and waits until it is ready."""
        command = [binary(), "serve", "--config", str(self._config)]
        self.child = Child("serve", command, self._folder, self._env)
        until(self._ready, "the gateway to be ready", seconds=60)

    def stop(self) -> int:
        return self.child.stop()

    def command(self, *words: str) -> Any:
        """What a command prints, as JSON; what it says is kept in `printed`."""
        return json.loads(self._run(*words, "--config", str(self._config), "--json"))

    def bind(self, user: str, platform: str, name: str, secret: str, dialect: str | None = None) -> Any:
        """Binds an account by a key credential, for a dialect if one is named."""
        file = self._folder / f"{platform}-{name}.key"
        file.touch(mode=0o600)
        file.write_text(secret)
        try:
            words = ["--user", user, "--platform", platform, "--name", name, "--key-file", str(file)]
            words += ["--dialect", dialect] if dialect else []
            return self.command("account", "add", *words)
        finally:
            file.unlink()

    def client(self, token: str, **options: Any) -> OpenAI:
        return OpenAI(base_url=self.base_url, api_key=token, **{"max_retries": 0, "timeout": 30} | options)

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            [binary(), *words], cwd=self._folder, env=self._env, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, f"tributary {' '.join(words)}: {done.stderr}"
        if hasattr(self, "printed"):
            self.printed[" ".join(words[:2])] = done.stderr.encode()
        return done.stdout

    def _ready(self) -> bool:
        self.child.ensure_running()
        try:
            return httpx2.get(f"{self.operator_url}/readyz", timeout=2).status_code == 200
        except httpx2.TransportError:
            return False

    def _entry(self, platform: Simulated) -> str:
        base = f'base_url = "{platform.url}{BASES[platform.name]}"\n'
        faces = (
            f'[platforms.{platform.name}.faces.{face}]\nbase_url = "{self._origin(platform, face)}{path}"\n'
            for face, path in FACES.get(platform.name, {}).items()
        )
        issuers = (
            f'[[platforms.ernie.credential.also]]\nname = "{name}"\n'
            f'issuer = {{ url = "{platform.url}/v1/BCE-BEARER/token" }}\n'
            for name in (("baidu_iam", "baidu_key") if platform.name == "ernie" else ())
        )
        return f"[platforms.{platform.name}]\n{base}" + "".join(issuers) + "".join(faces)

    def _origin(self, platform: Simulated, face: str) -> str:
        return platform.url.replace("http", "ws", 1) if face == "spark_ws" else platform.url
