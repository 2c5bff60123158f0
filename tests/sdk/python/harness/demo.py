"""`tributary demo`: the gateway on simulated platforms, accounts bound."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from openai import AsyncOpenAI, OpenAI

from .child import Child
from .simulated import Simulated
from .wait import until

REPOSITORY = Path(__file__).resolve().parents[4]


def binary() -> str:
    """The gateway's binary: the one that TRIBUTARY names, else the last debug build."""
    return os.environ.get("TRIBUTARY", str(REPOSITORY / "target/debug/tributary"))


@dataclass(frozen=True)
class Account:
    """A bound account's books, in its first window."""

    id: int
    used: int
    leased: int

    @staticmethod
    def read(row: dict[str, Any]) -> "Account":
        window = row["windows"][0]
        return Account(row["id"], window["used"], window["leased"])


class Demo:
    """A running gateway, and the platforms behind it."""

    def __init__(self, store: str, folder: Path, faces: Mapping[str, str] = {}, **environment: str) -> None:
        # A home of its own: the demo keeps its key ring in the user's configuration folder.
        home = folder / "home"
        home.mkdir()
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self._env = kept | {"HOME": str(home), "XDG_CONFIG_HOME": str(home)} | environment
        command = [binary(), "demo", "--json", "--listen", "127.0.0.1:0", "--store", store]
        if faces:
            config = folder / "gateway.toml"
            config.write_text(
                "".join(f'[platforms.{name}]\ndefault_face = "{face}"\n' for name, face in faces.items())
            )
            command += ["--config", str(config)]
        self._folder = folder
        self.child = Child("gateway", command, folder, self._env)
        facts = json.loads(until(self.child.first_line, "the demo to print its line", seconds=60))
        self.store = store
        self.base_url: str = facts["base_url"]
        self.token: str = facts["token"]
        self.operator_url: str = facts["operator_url"].rstrip("/")
        self.platforms = {
            name: Simulated(name, platform["url"].rstrip("/"), platform["model"])
            for name, platform in facts["platforms"].items()
        }
        origin = self.base_url.removesuffix("/v1")
        self.http = httpx2.Client(base_url=origin, headers={"Authorization": f"Bearer {self.token}"}, timeout=30)

    def client(self, **options: Any) -> OpenAI:
        """The official client, with its retries off unless asked for: what the gateway does must show."""
        return OpenAI(**self._options(options))

    def async_client(self, **options: Any) -> AsyncOpenAI:
        return AsyncOpenAI(**self._options(options))

    def command(self, *words: str) -> Any:
        """What another `tributary` command prints beside this gateway, as JSON."""
        done = subprocess.run(
            [binary(), *words, "--json"],
            cwd=self._folder,
            env=self._env | {"TRIBUTARY_STORE__URL": self.store, "TRIBUTARY_OPERATOR__LISTEN": self._operator()},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"tributary {' '.join(words)}: {done.stderr}"
        return json.loads(done.stdout)

    def accounts(self, platform: Simulated) -> list["Account"]:
        """The accounts bound on a platform, by the gateway's own books."""
        return [Account.read(row) for row in self.command("account", "list") if row["platform"] == platform.name]

    def records(self) -> list[dict[str, Any]]:
        """The records of all calls."""
        return list(self.command("usage"))

    def stop(self) -> int:
        self.http.close()
        return self.child.stop()

    def _options(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"base_url": self.base_url, "api_key": self.token, "max_retries": 0, "timeout": 30} | options

    def _operator(self) -> str:
        return self.operator_url.split("://", 1)[1]
