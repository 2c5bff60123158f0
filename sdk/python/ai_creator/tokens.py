"""The gateway's tokens: what callers send as their API key."""

import builtins
from collections.abc import Sequence
from typing import Any, Literal

from openai import AsyncOpenAI, OpenAI

from . import types
from .calls import NOTHING, given

Scope = Literal["chat", "accounts:read", "accounts:write"]
Spending = Literal["fallback", "never"]


def _path(token_id: int) -> str:
    return f"/tokens/{token_id}"


def _wish(
    name: str | None,
    scopes: Sequence[Scope] | None,
    models: Sequence[str] | None,
    platforms: Sequence[str] | None,
    pools: Sequence[int] | None,
    expires_at: str | None,
    points: Spending | None,
    requests_per_minute: int | None,
    tokens_per_day: int | None,
    keep_bodies: bool | None,
) -> dict[str, Any]:
    return given(
        name=name,
        scopes=scopes,
        models=models,
        platforms=platforms,
        pools=pools,
        expires_at=expires_at,
        points=points,
        requests_per_minute=requests_per_minute,
        tokens_per_day=tokens_per_day,
        keep_bodies=keep_bodies,
    )


class Tokens:
    """What ``client.tokens`` does. Every failure is an :class:`openai.APIError`."""

    def __init__(self, client: OpenAI) -> None:
        self._client = client

    def list(self) -> builtins.list[types.GatewayToken]:
        """The tokens of the caller's user, but revoked ones."""
        return self._client.get("/tokens", cast_to=types.GatewayTokens).data

    def get(self, token_id: int) -> types.GatewayToken:
        """One token."""
        return self._client.get(_path(token_id), cast_to=types.GatewayToken)

    def create(
        self,
        *,
        name: str | None = None,
        scopes: Sequence[Scope] | None = None,
        models: Sequence[str] | None = None,
        platforms: Sequence[str] | None = None,
        pools: Sequence[int] | None = None,
        expires_at: str | None = None,
        points: Spending | None = None,
        requests_per_minute: int | None = None,
        tokens_per_day: int | None = None,
        keep_bodies: bool | None = None,
    ) -> types.MintedToken:
        """Makes a token; its secret is in ``token``, this once. What is left out is as of the
        client's own token, and nothing may be more."""
        body = _wish(
            name, scopes, models, platforms, pools, expires_at, points, requests_per_minute, tokens_per_day, keep_bodies
        )
        return self._client.post("/tokens", body=body, cast_to=types.MintedToken)

    def update(
        self,
        token_id: int,
        *,
        name: str | None = None,
        scopes: Sequence[Scope] | None = None,
        models: Sequence[str] | None = None,
        platforms: Sequence[str] | None = None,
        pools: Sequence[int] | None = None,
        expires_at: str | None = None,
        points: Spending | None = None,
        requests_per_minute: int | None = None,
        tokens_per_day: int | None = None,
        keep_bodies: bool | None = None,
    ) -> types.GatewayToken:
        """Renames a token, or tightens its limits."""
        body = _wish(
            name, scopes, models, platforms, pools, expires_at, points, requests_per_minute, tokens_per_day, keep_bodies
        )
        return self._client.patch(_path(token_id), body=body, cast_to=types.GatewayToken)

    def revoke(self, token_id: int) -> None:
        """Revokes a token."""
        self._client.delete(_path(token_id), cast_to=NOTHING)


class AsyncTokens:
    """What ``client.tokens`` does, awaited. Every failure is an :class:`openai.APIError`."""

    def __init__(self, client: AsyncOpenAI) -> None:
        self._client = client

    async def list(self) -> builtins.list[types.GatewayToken]:
        """The tokens of the caller's user, but revoked ones."""
        return (await self._client.get("/tokens", cast_to=types.GatewayTokens)).data

    async def get(self, token_id: int) -> types.GatewayToken:
        """One token."""
        return await self._client.get(_path(token_id), cast_to=types.GatewayToken)

    async def create(
        self,
        *,
        name: str | None = None,
        scopes: Sequence[Scope] | None = None,
        models: Sequence[str] | None = None,
        platforms: Sequence[str] | None = None,
        pools: Sequence[int] | None = None,
        expires_at: str | None = None,
        points: Spending | None = None,
        requests_per_minute: int | None = None,
        tokens_per_day: int | None = None,
        keep_bodies: bool | None = None,
    ) -> types.MintedToken:
        """Makes a token; its secret is in ``token``, this once. What is left out is as of the
        client's own token, and nothing may be more."""
        body = _wish(
            name, scopes, models, platforms, pools, expires_at, points, requests_per_minute, tokens_per_day, keep_bodies
        )
        return await self._client.post("/tokens", body=body, cast_to=types.MintedToken)

    async def update(
        self,
        token_id: int,
        *,
        name: str | None = None,
        scopes: Sequence[Scope] | None = None,
        models: Sequence[str] | None = None,
        platforms: Sequence[str] | None = None,
        pools: Sequence[int] | None = None,
        expires_at: str | None = None,
        points: Spending | None = None,
        requests_per_minute: int | None = None,
        tokens_per_day: int | None = None,
        keep_bodies: bool | None = None,
    ) -> types.GatewayToken:
        """Renames a token, or tightens its limits."""
        body = _wish(
            name, scopes, models, platforms, pools, expires_at, points, requests_per_minute, tokens_per_day, keep_bodies
        )
        return await self._client.patch(_path(token_id), body=body, cast_to=types.GatewayToken)

    async def revoke(self, token_id: int) -> None:
        """Revokes a token."""
        await self._client.delete(_path(token_id), cast_to=NOTHING)
