"""The simulated platforms alone, without a gateway."""

import json
import os
import pathlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from .demo import REPOSITORY


@contextmanager
def bare_simulator() -> Iterator[dict[str, dict[str, str]]]:
    """Each platform's `url` and `model`; `SIMULATOR` may name one that runs already."""
    if given := os.environ.get("SIMULATOR"):
        yield json.loads(given if given.lstrip().startswith("{") else pathlib.Path(given).read_text())
        return
    run = ["cargo", "run", "--quiet", "--example", "simulate"]
    with subprocess.Popen(run, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
