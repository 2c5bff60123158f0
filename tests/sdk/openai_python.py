"""openai-python's own tests of chat completions and models, run against the gateway.

    openai_python.py FOLDER     where FOLDER holds the SDK's unpacked source distribution

The gateway stands in front of the simulated OpenAI. Only the key and the base URL are ours; the
requests are as OpenAI's developers wrote them. All must pass but those in
`openai_python_expected.txt`, and these must fail as their reason says: one that passes, or fails in
another way, fails the run. So the list can only shrink.

The SDK's tests in `tests/lib/chat` are left out: they answer their requests themselves and never
reach a server.
"""

import os
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import openai
import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "python"))

from harness import Demo  # noqa: E402

TESTS = ["tests/api_resources/chat/test_completions.py", "tests/api_resources/test_models.py"]

# What a reason stands for: the statuses by which a test may fail for it.
REASONS = {"no such route": {404, 405}, "OpenAI refuses it": {400}}


class Expected:
    """The tests that must fail, each with its reason."""

    def __init__(self, file: Path) -> None:
        self.reasons: dict[str, str] = {}
        for line in file.read_text().splitlines():
            if not line or line.startswith("#"):
                continue
            reason, _, test = line.partition(": ")
            if reason not in REASONS or not test:
                raise SystemExit(f"{file.name}: not a reason and a test: {line}")
            self.reasons[test.strip()] = reason

    def reason(self, item: pytest.Item) -> str | None:
        """Why a test must fail, whatever its parameters; None if it must pass."""
        return self.reasons.get(name_of(item))


def name_of(item: pytest.Item) -> str:
    return item.nodeid.rsplit("/", 1)[1].partition("[")[0]


class Plugin:
    """Gives the SDK's tests our token, and holds them to the list."""

    def __init__(self, token: str, expected: Expected) -> None:
        self.token = token
        self.expected = expected

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        # The conftest's fixtures read this when they make the client.
        sys.modules["tests.conftest"].api_key = self.token  # type: ignore[attr-defined]
        unknown = self.expected.reasons.keys() - {name_of(item) for item in session.items}
        if unknown:
            raise pytest.UsageError(f"on the list, but no test of this SDK: {', '.join(sorted(unknown))}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: Any) -> Generator[None, Any, Any]:
        report = yield
        reason = self.expected.reason(item)
        if reason and call.when == "call":
            if report.passed:
                report.outcome = "failed"
                report.longrepr = f"It passes now: strike it from the list ({reason})."
            elif fails_so(call.excinfo.value, reason):
                report.outcome = "skipped"
                report.wasxfail = reason
        return report


def fails_so(error: BaseException, reason: str) -> bool:
    return isinstance(error, openai.APIStatusError) and error.status_code in REASONS[reason]


def main() -> int:
    [source] = Path(sys.argv[1]).resolve().glob("openai-*/")
    assert source.name == f"openai-{openai.__version__}", f"{source.name} is not the installed version"
    expected = Expected(HERE / "openai_python_expected.txt")
    with tempfile.TemporaryDirectory() as folder:
        demo = Demo(f"sqlite:{folder}/tributary.db", Path(folder))
        try:
            os.environ["TEST_API_BASE_URL"] = demo.base_url
            os.chdir(source)
            # The last option: its settings make an error of what we, too, have imported already.
            options = ["-o", "addopts=", "-p", "no:cacheprovider", "--tb=short", "-q", "-rfE"]
            options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
            return pytest.main([*options, *TESTS], plugins=[Plugin(demo.token, expected)])
        finally:
            demo.stop()


if __name__ == "__main__":
    sys.exit(main())
