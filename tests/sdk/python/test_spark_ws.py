"""The gateway over Spark's WebSocket, whose accounts are triples: what holds for all platforms holds for it."""

from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from types import ModuleType

import pytest
import test_async
import test_failover
import test_headers
import test_parse
import test_retries
import test_stream
import test_streams_that_end_early
import test_tools
import test_whole
from conftest import STORES, running_demo
from openai import OpenAI

from harness import Demo, Simulated
from harness.words import user

FACE = {"TRIBUTARY_PLATFORMS__SPARK__DEFAULT_FACE": "spark_ws"}


@pytest.fixture(scope="module", params=STORES)
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(request.param, tmp_path_factory.mktemp(f"spark-ws-{request.param}"), **FACE) as demo:
        yield demo


@pytest.fixture(params=STORES)
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Demo]:
    with running_demo(request.param, tmp_path, **FACE) as demo:
        yield demo


@pytest.fixture
def platform(request: pytest.FixtureRequest, gateway: Demo) -> Simulated:
    return gateway.platforms[getattr(request, "param", "spark")]


@pytest.fixture(autouse=True)
def spark_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests that go through all platforms go to this one."""
    for module in MODULES:
        monkeypatch.setattr(module, "PLATFORMS", ["spark"], raising=False)


def all_of(module: ModuleType) -> dict[str, object]:
    """A module's tests that ask a gateway; they then run with the fixtures of this one."""
    found = {name: test for name, test in vars(module).items() if name.startswith("test_") and signature(test).parameters}
    return {f"{module.__name__}__{name.removeprefix('test_')}": test for name, test in found.items()}


MODULES = (
    test_whole, test_stream, test_async, test_tools, test_parse, test_headers,
    test_failover, test_retries, test_streams_that_end_early,
)  # fmt: skip
for _module in MODULES:
    globals().update(all_of(_module))


def test_it_was_the_websocket_that_answered(client: OpenAI, gateway: Demo, platform: Simulated) -> None:
    client.chat.completions.create(model=platform.model, messages=user("Hello."))
    request = platform.last_request()
    assert request["path"] == "/v4.0/chat"
    assert request["headers"]["upgrade"] == "websocket"
    assert set(request["body"]) == {"header", "parameter", "payload"}
