"""One gateway a store for all who leave it as they found it; one of their own for those who don't."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from openai import OpenAI

from harness import Demo, RedisServer, Simulated
from harness.proofs import pytest_configure, pytest_runtest_makereport

__all__ = ["pytest_configure", "pytest_runtest_makereport"]

STORES = ["sqlite", "redis"]
PLATFORMS = ["openai", "qwen", "glm", "ernie", "spark", "claude"]
# Platforms with another face than their usual one, and its dialect.
FACES = {"openai": "openai_responses", "qwen": "dashscope", "spark": "spark_ws"}
# Each store with every platform's usual face, and then the others.
GATEWAYS = [*STORES, "faces"]


@contextmanager
def running_demo(kind: str, folder: Path) -> Iterator[Demo]:
    """The gateway on an empty store; at the end it must go down in order."""
    redis = RedisServer(folder) if kind == "redis" else None
    faces = FACES if kind == "faces" else {}
    try:
        demo = Demo(redis.url if redis else f"sqlite:{folder / 'tributary.db'}", folder, faces)
        try:
            yield demo
        finally:
            status = demo.stop()
        assert status == 0, f"the gateway ended with {status}:\n{demo.child.last_words()}"
    finally:
        if redis:
            redis.stop()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A platform without another face is not asked about it."""

    def is_one_too_many(item: pytest.Item) -> bool:
        params = getattr(getattr(item, "callspec", None), "params", {})
        platform = params.get("platform", params.get("name", "qwen"))
        kinds = (params.get("gateway"), params.get("fresh"))
        return "faces" in kinds and platform in PLATFORMS and platform not in FACES

    spare = [item for item in items if is_one_too_many(item)]
    config.hook.pytest_deselected(items=spare)
    items[:] = [item for item in items if item not in spare]


@pytest.fixture(scope="session", params=GATEWAYS)
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A gateway that all tests of its kind share: nobody sets faults on it."""
    with running_demo(request.param, tmp_path_factory.mktemp(request.param)) as demo:
        yield demo


@pytest.fixture(params=GATEWAYS)
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
