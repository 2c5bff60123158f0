"""A simulated platform, as its owner sees it: its books, and how to make it misbehave."""

from dataclasses import dataclass
from typing import Any

import httpx2


@dataclass(frozen=True)
class Spent:
    """What a platform did, by its own books."""

    requests: int = 0
    prompt: int = 0
    completion: int = 0
    cancelled: int = 0

    @property
    def tokens(self) -> int:
        return self.prompt + self.completion

    def __sub__(self, before: "Spent") -> "Spent":
        return Spent(
            self.requests - before.requests,
            self.prompt - before.prompt,
            self.completion - before.completion,
            self.cancelled - before.cancelled,
        )


class Simulated:
    """One platform that the demo simulates."""

    def __init__(self, name: str, url: str, model: str) -> None:
        self.name = name
        self.url = url
        self.model = model

    def total(self) -> Spent:
        """What it did since it was started, for all credentials together."""
        books = self._get("ledger")
        spent = books["credentials"].values()
        return Spent(
            sum(one["requests"] for one in spent),
            sum(one["prompt_tokens"] for one in spent),
            sum(one["completion_tokens"] for one in spent),
            sum(request["cancelled"] for request in books["requests"]),
        )

    def by_credential(self) -> dict[str, Spent]:
        """What it did for each credential, by the credential's last letters."""
        return {
            credential: Spent(spent["requests"], spent["prompt_tokens"], spent["completion_tokens"])
            for credential, spent in self._get("ledger")["credentials"].items()
        }

    def last_request_text(self) -> str:
        """The last request as it arrived."""
        return str(self.last_request())

    def last_request(self) -> dict[str, Any]:
        """The last request as it arrived: its path, headers and body."""
        request: dict[str, Any] = self._get("requests")[-1]
        return request

    def fail(self, trouble: str, times: int = 0) -> None:
        """Answers with its own error of a class: as many `times`, 0 for good."""
        self._misbehave(kind="class", **{"class": trouble}, times=times)

    def slow_down(self) -> None:
        """Pauses before each event of a stream from now on."""
        self._misbehave(kind="delay", where="chunk", ms=20, times=0)

    def fall_silent(self) -> None:
        """Takes requests from now on, and answers none."""
        self._misbehave(kind="hang", times=0)

    def break_streams(self) -> None:
        """Ends each stream from now on with its own error, after some output."""
        self._misbehave(kind="error_mid_stream", after_events=60, times=0)

    def cut_streams(self) -> None:
        """Drops the connection in the middle of each answer from now on."""
        self._misbehave(kind="cut", after_bytes=3000, times=0)

    def repeat_credential(self, status: int, credential: str) -> None:
        """Answers each request from now on with an error that has the credential in it."""
        said = f"Refused, and here is your key again: {credential}"
        body = {"error": {"message": said, "code": credential, "type": credential, "param": credential}}
        headers = {"x-echo": credential, "www-authenticate": f'Bearer realm="{credential}"'}
        self._misbehave(kind="status", status=status, body=body, headers=headers, times=0)

    def mend(self) -> None:
        """Misbehaves no more."""
        httpx2.delete(f"{self.url}/_sim/faults", timeout=10).raise_for_status()

    def _misbehave(self, **fault: Any) -> None:
        httpx2.post(f"{self.url}/_sim/faults", json=fault, timeout=10).raise_for_status()

    def _get(self, what: str) -> Any:
        return httpx2.get(f"{self.url}/_sim/{what}", timeout=10).raise_for_status().json()
