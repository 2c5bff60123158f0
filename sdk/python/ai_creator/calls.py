"""What both clients make of their arguments."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from openai import Omit
from openai._base_client import make_request_options
from openai._types import RequestOptions

NOTHING: type[None] = type(None)


def given(**fields: Any) -> dict[str, Any]:
    """The fields that were given."""
    return {name: value for name, value in fields.items() if value is not None}


def named(**fields: Any) -> dict[str, Any]:
    """The fields that were named; ``None`` is a value."""
    return {name: value for name, value in fields.items() if not isinstance(value, Omit)}


def options(more: dict[str, Any]) -> RequestOptions:
    """Takes a request's own options out of its fields, as OpenAI's methods have them."""
    names = ("extra_headers", "extra_query", "extra_body", "timeout")
    return make_request_options(**{name: more.pop(name) for name in names if name in more})


# Sent again after an answer that got lost, it would find its own name taken.
ONCE: RequestOptions = {"max_retries": 0}


def query(**fields: Any) -> RequestOptions:
    """Options of a request with these parameters."""
    params = given(**fields)
    by = params.get("by")
    if by is not None and not isinstance(by, str):
        params["by"] = ",".join(by)
    return {"params": params}


def account(id: int, *more: str) -> str:
    """An account's path."""
    return "/".join(["/oauth/accounts", str(id), *more])


def pool(id: int, *more: str) -> str:
    """A pool's path."""
    return "/".join(["/pools", str(id), *(quote(part, safe="") for part in more)])


def secret(key: str | None, credentials: Mapping[str, str] | None) -> dict[str, Any]:
    """An account's key, or the fields that its platform wants together."""
    if (key is None) == (credentials is None):
        raise ValueError("Give either key or credentials.")
    return given(key=key, credentials=credentials)
