"""Many calls at once spread over equal accounts, and the books agree with the platforms' to the token."""

import asyncio

import pytest

from conftest import PLATFORMS
from harness import Demo, until
from harness.words import user

CALLS = 64


@pytest.mark.parametrize("name", PLATFORMS)
async def test_calls_spread_and_the_books_agree(fresh: Demo, name: str) -> None:
    platform = fresh.platforms[name]

    async with fresh.async_client() as client:

        async def call(number: int) -> int:
            question = user(f"Please say {10 + number % 7} words.")
            if number % 2:
                answer = await client.chat.completions.create(model=platform.model, messages=question)
                assert answer.usage
                return answer.usage.total_tokens
            stream = await client.chat.completions.create(
                model=platform.model, messages=question, stream=True, stream_options={"include_usage": True}
            )
            used = [chunk.usage.total_tokens async for chunk in stream if chunk.usage]
            [total] = used
            return total

        answered = await asyncio.gather(*(call(number) for number in range(CALLS)))

    counted = sorted(spent.tokens for spent in platform.by_credential().values())
    until(lambda: not any(account.leased for account in fresh.accounts(platform)), "every lease to be settled")
    booked = sorted(account.used for account in fresh.accounts(platform))
    assert booked == counted, "each account's books are its platform's"
    assert sum(booked) == sum(answered), "and the sum of what the callers were told"
    requests = [spent.requests for spent in platform.by_credential().values()]
    assert sum(requests) == CALLS
    assert len(requests) == len(booked) >= 2
    assert max(requests) - min(requests) <= CALLS // len(requests), "no account did most of the work"


async def test_each_call_has_a_record(fresh: Demo) -> None:
    platforms = [fresh.platforms[name] for name in PLATFORMS]
    calls = 5 * len(platforms)

    async with fresh.async_client() as client:
        await asyncio.gather(
            *(
                client.chat.completions.create(model=platform.model, messages=user(f"Please say {n} words."))
                for platform in platforms
                for n in range(5, 10)
            )
        )

    records = until(lambda: found if len(found := fresh.records()) >= calls else None, "every call to have its record")
    assert len(records) == calls
    assert {record["outcome"] for record in records} == {"ok"}
    for platform in platforms:
        mine = [record for record in records if record["attempts"][0]["platform"] == platform.name]
        spent = platform.total()
        assert sum(record["input"] for record in mine) == spent.prompt
        assert sum(record["output"] for record in mine) == spent.completion
