"""Waiting for a thing to be so, rather than for time to pass."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(look: Callable[[], T], what: str, seconds: float = 15) -> T:
    """Looks until it sees something true, and answers that.

    Raises AssertionError, with what was seen last, when `seconds` have passed.
    """
    deadline = time.monotonic() + seconds
    pause = 0.005
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}; last seen: {seen!r}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
