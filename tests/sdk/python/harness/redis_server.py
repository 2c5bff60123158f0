"""A Redis of the test's own, on a free port."""

import os
import socket
from pathlib import Path

from .child import Child
from .wait import until


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RedisServer:
    """redis-server with an append-only file: every value that was ever written, in plain bytes."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        settings = {
            "port": port,
            "bind": "127.0.0.1",
            "dir": folder,
            "save": "",
            "appendonly": "yes",
            "appendfsync": "no",
            "aof-use-rdb-preamble": "no",
            "auto-aof-rewrite-percentage": 0,
        }
        command = ["redis-server"] + [word for name, value in settings.items() for word in (f"--{name}", str(value))]
        self._folder = folder
        self._child = Child("redis", command, folder, dict(os.environ))
        self._address = ("127.0.0.1", port)
        self.url = f"redis://127.0.0.1:{port}"
        until(self._answers, "redis-server to answer")

    def written(self) -> dict[str, bytes]:
        """All that was ever written, by file."""
        files = [path for path in self._folder.rglob("*") if path.is_file() and ".aof" in path.suffixes]
        return {path.name: path.read_bytes() for path in files}

    def stop(self) -> None:
        self._child.stop()

    def _answers(self) -> bool:
        self._child.ensure_running()
        try:
            with socket.create_connection(self._address, timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False
