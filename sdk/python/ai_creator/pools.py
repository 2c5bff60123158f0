"""Pools: the accounts that callers draw from, and teams that share some."""

from collections.abc import Sequence

from openai import AsyncOpenAI, OpenAI

from . import types
from .calls import NOTHING, given, pool


class Pools:
    """What ``client.pools`` does: teams that share accounts."""

    def __init__(self, client: OpenAI) -> None:
        self._client = client

    def list(self) -> Sequence[types.Pool]:
        """The pools that the caller draws from, in order."""
        return self._client.get("/pools", cast_to=types.Pools).data

    def get(self, pool_id: int) -> types.Pool:
        """One pool."""
        return self._client.get(pool(pool_id), cast_to=types.Pool)

    def create(self, *, name: str, policy: str | None = None) -> types.Pool:
        """Makes a pool that a team shares, with the caller as its owner."""
        return self._client.post("/pools", body=given(name=name, policy=policy), cast_to=types.Pool)

    def update(self, pool_id: int, *, name: str | None = None, policy: str | None = None) -> types.Pool:
        """Renames a pool, says how it picks an account: for owners."""
        asked = given(name=name, policy=policy)
        return self._client.patch(pool(pool_id), body=asked, cast_to=types.Pool)

    def delete(self, pool_id: int) -> None:
        """Deletes a pool that has no account: for owners."""
        self._client.delete(pool(pool_id), cast_to=NOTHING)

    def members(self, pool_id: int) -> Sequence[types.Member]:
        """A pool's members, in the order of joining."""
        return self._client.get(pool(pool_id, "members"), cast_to=types.Members).data

    def set_member(self, pool_id: int, user: str, *, role: str = "member") -> types.Member:
        """Adds a user by name, or says what it may do (``owner``): for owners."""
        return self._client.put(
            pool(pool_id, "members", user), body={"role": role}, cast_to=types.Member
        )

    def remove_member(self, pool_id: int, user: str) -> None:
        """Ends a membership: for owners, and for oneself."""
        self._client.delete(pool(pool_id, "members", user), cast_to=NOTHING)


class AsyncPools:
    """What ``client.pools`` does: teams that share accounts."""

    def __init__(self, client: AsyncOpenAI) -> None:
        self._client = client

    async def list(self) -> Sequence[types.Pool]:
        """The pools that the caller draws from, in order."""
        return (await self._client.get("/pools", cast_to=types.Pools)).data

    async def get(self, pool_id: int) -> types.Pool:
        """One pool."""
        return await self._client.get(pool(pool_id), cast_to=types.Pool)

    async def create(self, *, name: str, policy: str | None = None) -> types.Pool:
        """Makes a pool that a team shares, with the caller as its owner."""
        return await self._client.post("/pools", body=given(name=name, policy=policy), cast_to=types.Pool)

    async def update(self, pool_id: int, *, name: str | None = None, policy: str | None = None) -> types.Pool:
        """Renames a pool, says how it picks an account: for owners."""
        asked = given(name=name, policy=policy)
        return await self._client.patch(pool(pool_id), body=asked, cast_to=types.Pool)

    async def delete(self, pool_id: int) -> None:
        """Deletes a pool that has no account: for owners."""
        await self._client.delete(pool(pool_id), cast_to=NOTHING)

    async def members(self, pool_id: int) -> Sequence[types.Member]:
        """A pool's members, in the order of joining."""
        return (await self._client.get(pool(pool_id, "members"), cast_to=types.Members)).data

    async def set_member(self, pool_id: int, user: str, *, role: str = "member") -> types.Member:
        """Adds a user by name, or says what it may do (``owner``): for owners."""
        return await self._client.put(
            pool(pool_id, "members", user), body={"role": role}, cast_to=types.Member
        )

    async def remove_member(self, pool_id: int, user: str) -> None:
        """Ends a membership: for owners, and for oneself."""
        await self._client.delete(pool(pool_id, "members", user), cast_to=NOTHING)
