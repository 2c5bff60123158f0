"""One gateway a store for all who leave it as they found it; one of their own for those who don't."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from openai import OpenAI

from harness import Demo, RedisServer, Simulated

STORES = ["sqlite", "redis"]
PLATFORMS = ["openai", "qwen", "glm", "ernie", "spark", "claude"]


@contextmanager
def running_demo(store: str, folder: Path, **environment: str) -> Iterator[Demo]:
    """The gateway on an empty store; at the end it must go down in order."""
    redis = RedisServer(folder) if store == "redis" else None
    try:
        demo = Demo(redis.url if redis else f"sqlite:{folder / 'tributary.db'}", folder, **environment)
        try:
            yield demo
        finally:
            status = demo.stop()
        assert status == 0, f"the gateway ended with {status}:\n{demo.child.last_words()}"
    finally:
        if redis:
            redis.stop()


@pytest.fixture(scope="session", params=STORES)
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A gateway that all tests on this store share: nobody sets faults on it."""
    with running_demo(request.param, tmp_path_factory.mktemp(request.param)) as demo:
        yield demo


@pytest.fixture(params=STORES)
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Demo]:
    """A gateway for one test, which may break its platforms and wear out its accounts."""
    with running_demo(request.param, tmp_path) as demo:
        yield demo


@pytest.fixture
def client(gateway: Demo) -> Iterator[OpenAI]:
    with gateway.client() as client:
        yield client


@pytest.fixture(params=PLATFORMS)
def platform(gateway: Demo, request: pytest.FixtureRequest) -> Simulated:
    return gateway.platforms[request.param]
