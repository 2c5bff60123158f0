"""Accounts, and calls on one of them, awaited."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Literal, overload

from openai import AsyncOpenAI, AsyncStream, Omit, omit
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessageParam

from . import types
from .calls import NOTHING, ONCE, account, given, named, options, query, secret


class AsyncOAuth:
    """What ``client.oauth`` does, awaited. Every failure is an :class:`openai.APIError`."""

    def __init__(self, client: AsyncOpenAI) -> None:
        self._client = client

    # Calls.

    @overload
    async def chat_completion(
        self,
        *,
        account_id: int,
        messages: Iterable[ChatCompletionMessageParam],
        model: str | None = None,
        stream: Literal[False] = False,
        **more: Any,
    ) -> ChatCompletion: ...

    @overload
    async def chat_completion(
        self,
        *,
        account_id: int,
        messages: Iterable[ChatCompletionMessageParam],
        model: str | None = None,
        stream: Literal[True],
        **more: Any,
    ) -> AsyncStream[ChatCompletionChunk]: ...

    @overload
    async def chat_completion(
        self,
        *,
        account_id: int,
        messages: Iterable[ChatCompletionMessageParam],
        model: str | None = None,
        stream: bool,
        **more: Any,
    ) -> ChatCompletion | AsyncStream[ChatCompletionChunk]: ...

    async def chat_completion(
        self,
        *,
        account_id: int,
        messages: Iterable[ChatCompletionMessageParam],
        model: str | None = None,
        stream: bool = False,
        **more: Any,
    ) -> ChatCompletion | AsyncStream[ChatCompletionChunk]:
        """A completion on one account; without ``model``, by its platform's default.

        ``more`` is what OpenAI's chat completions take: ``tools``, ``temperature``,
        ``extra_body``, ``timeout`` and so on.
        """
        own = options(more)
        asked = given(account_id=account_id, messages=list(messages), model=model)
        return await self._client.post(
            "/oauth/chat/completions",
            body={**asked, **more, "stream": stream},
            cast_to=ChatCompletion,
            options=own,
            stream=stream,
            stream_cls=AsyncStream[ChatCompletionChunk],
        )

    # Accounts.

    async def list_platforms(self) -> list[types.Platform]:
        """Platforms, and what binds an account on them."""
        return (await self._client.get("/oauth/platforms", cast_to=types.Platforms)).data

    async def list_accounts(self, platform: str | None = None) -> list[types.Account]:
        """The caller's accounts, of one platform or of all."""
        options = query(platform=platform)
        return (await self._client.get("/oauth/accounts", cast_to=types.Accounts, options=options)).data

    async def get_account(self, account_id: int) -> types.Account:
        """One account."""
        return await self._client.get(account(account_id), cast_to=types.Account)

    async def add_account(
        self,
        *,
        platform: str,
        account_name: str,
        key: str | None = None,
        credentials: Mapping[str, str] | None = None,
        dialect: str | None = None,
        limit: int | None = None,
        priority: int | None = None,
        pool: int | None = None,
    ) -> types.Account:
        """Binds an account by a documented key, or by the fields that its platform wants."""
        asked = given(
            platform=platform,
            account_name=account_name,
            dialect=dialect,
            limit=limit,
            priority=priority,
            pool=pool,
        )
        return await self._client.post(
            "/oauth/accounts",
            body={**asked, **secret(key, credentials)},
            cast_to=types.Account,
            options=ONCE,
        )

    async def update_account(
        self,
        account_id: int,
        *,
        account_name: str | None = None,
        enabled: bool | None = None,
        limit: int | None | Omit = omit,
        priority: int | None = None,
        pool: int | None = None,
    ) -> types.Account:
        """Renames, enables, disables, limits an account; ``limit=None``: its platform's limit again.

        With ``pool`` it goes to another pool; not while requests are under way on it.
        """
        asked = given(account_name=account_name, enabled=enabled, priority=priority, pool=pool)
        asked = {**asked, **named(limit=limit)}
        return await self._client.patch(account(account_id), body=asked, cast_to=types.Account)

    async def delete_account(self, account_id: int) -> None:
        """Deletes an account with all its records."""
        await self._client.delete(account(account_id), cast_to=NOTHING)

    async def check_account(self, account_id: int) -> types.Check:
        """Tries an account's credential where that is free."""
        return await self._client.post(account(account_id, "check"), cast_to=types.Check)

    async def account_usage(
        self, account_id: int, *, before: str | None = None, limit: int | None = None
    ) -> types.Records:
        """A page of the caller's calls on an account, newest first."""
        options = query(before=before, limit=limit)
        return await self._client.get(account(account_id, "usage"), cast_to=types.Records, options=options)

    async def iter_account_usage(self, account_id: int) -> AsyncIterator[types.Record]:
        """All of the caller's calls on an account, newest first, page by page."""
        before: str | None = None
        while True:
            page = await self.account_usage(account_id, before=before)
            for record in page.data:
                yield record
            if not page.has_more or page.next is None:
                return
            before = page.next

    async def authorize(self, *, platform: str, account_name: str, **more: Any) -> dict[str, Any]:
        """Begins to bind an account by a login. Where its platform offers none, the error
        (``method_not_offered``) says which key binds one instead."""
        asked = {"platform": platform, "account_name": account_name, **more}
        return await self._client.post("/oauth/accounts/authorize", body=asked, cast_to=dict[str, Any])

    # Reports.

    async def me(self) -> types.Me:
        """The token: its limits, what it used, its resets."""
        return await self._client.get("/me", cast_to=types.Me)

    async def usage(
        self,
        *,
        first: str | None = None,
        last: str | None = None,
        by: Sequence[str] | None = None,
        pool: int | None = None,
    ) -> types.Usage:
        """What the caller's calls add up to, from a day to a day, told apart ``by`` some of
        ``day``, ``model``, ``platform``, ``account``, ``token``; with ``pool`` what all its members
        used of its accounts, for owners also by ``member``."""
        options = query(**{"from": first, "to": last, "by": by, "pool": pool})
        return await self._client.get("/usage", cast_to=types.Usage, options=options)

    async def points(self, *, before: str | None = None, limit: int | None = None) -> types.Points:
        """The caller's balance of points, and a page of its ledger."""
        return await self._client.get("/points", cast_to=types.Points, options=query(before=before, limit=limit))

    async def notices(
        self, *, unread: bool = False, before: str | None = None, limit: int | None = None
    ) -> types.Notices:
        """A page of what should be known of the caller's accounts, newest first."""
        options = query(unread="true" if unread else None, before=before, limit=limit)
        return await self._client.get("/notices", cast_to=types.Notices, options=options)

    async def read_notice(self, notice_id: int) -> None:
        """Marks a notice as read, for the caller alone."""
        await self._client.post(f"/notices/{notice_id}/read", cast_to=NOTHING)

    async def audit(self, *, before: str | None = None, limit: int | None = None) -> types.Audit:
        """A page of who did what to the caller's things, newest first."""
        return await self._client.get("/audit", cast_to=types.Audit, options=query(before=before, limit=limit))
