"""What the tests prove, as rows of `docs/proofs.md`.

A test that proves something says so: `@pytest.mark.proves(CLIENT, ASPECT…)`, with `of=` where no
parameter names the platform. Each that passes adds a line to the file that TRIBUTARY_PROOFS names;
`tests/sdk/proofs.py` makes the page of them.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "proves(client, *aspects, of): what stands in docs/proofs.md if it passes")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report: Any = yield
    marker = item.get_closest_marker("proves")
    file = os.environ.get("TRIBUTARY_PROOFS")
    if marker and file and report.when == "call" and report.passed:
        client, *aspects = marker.args
        with open(file, "a") as proofs:
            for aspect in aspects:
                print(client, *whose(item, marker), aspect, sep="\t", file=proofs)
    return report


def whose(item: pytest.Item, marker: pytest.Mark) -> tuple[str, str]:
    """The platform or its face, and the kind of credential, nothing where none is bound."""
    params = item.callspec.params if hasattr(item, "callspec") else {}
    if of := marker.kwargs.get("of") or params.get("at"):
        return of, ""
    platform, credential = params["kind"]
    return platform, credential
