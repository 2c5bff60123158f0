"""The clients: where a gateway is, and with which token."""

import os
from typing import Any

from openai import AsyncOpenAI, OpenAI, OpenAIError

from .async_oauth import AsyncOAuth
from .oauth import OAuth
from .pools import AsyncPools, Pools
from .tokens import AsyncTokens, Tokens

LOCAL = "http://127.0.0.1:8080"


def _settings(api_key: str | None, base_url: str | None) -> tuple[str, str]:
    """The token, and the gateway's origin (a base URL of its OpenAI surface does too)."""
    key = api_key or os.environ.get("AI_CREATOR_API_KEY")
    if not key:
        raise OpenAIError("Give the gateway's token as api_key, or in AI_CREATOR_API_KEY.")
    origin = base_url or os.environ.get("AI_CREATOR_BASE_URL") or LOCAL
    return key, origin.rstrip("/").removesuffix("/v1").removesuffix("/api")


class OAuthClient:
    """A gateway's surface.

    ``base_url`` is the gateway's origin, as ``http://127.0.0.1:8080`` (else
    ``AI_CREATOR_BASE_URL``, else that). Further options are those of :class:`openai.OpenAI`:
    ``timeout``, ``max_retries``, ``http_client`` and so on.
    """

    oauth: OAuth
    """Accounts, and calls on one of them."""

    pools: Pools
    """Pools, and who shares them."""
    tokens: Tokens
    """The gateway's tokens."""

    openai: OpenAI
    """The gateway's OpenAI surface: ``chat.completions``, ``models``."""

    def __init__(self, api_key: str | None = None, *, base_url: str | None = None, **options: Any) -> None:
        key, origin = _settings(api_key, base_url)
        self.openai = OpenAI(api_key=key, base_url=f"{origin}/v1", **options)
        surface = self.openai.with_options(base_url=f"{origin}/api/v1")
        self.oauth = OAuth(surface)
        self.pools = Pools(surface)
        self.tokens = Tokens(surface)

    def close(self) -> None:
        """Closes the connections."""
        self.openai.close()

    def __enter__(self) -> "OAuthClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncOAuthClient:
    """As :class:`OAuthClient`, to be awaited."""

    oauth: AsyncOAuth
    pools: AsyncPools
    tokens: AsyncTokens
    openai: AsyncOpenAI

    def __init__(self, api_key: str | None = None, *, base_url: str | None = None, **options: Any) -> None:
        key, origin = _settings(api_key, base_url)
        self.openai = AsyncOpenAI(api_key=key, base_url=f"{origin}/v1", **options)
        surface = self.openai.with_options(base_url=f"{origin}/api/v1")
        self.oauth = AsyncOAuth(surface)
        self.pools = AsyncPools(surface)
        self.tokens = AsyncTokens(surface)

    async def close(self) -> None:
        """Closes the connections."""
        await self.openai.close()

    async def __aenter__(self) -> "AsyncOAuthClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
