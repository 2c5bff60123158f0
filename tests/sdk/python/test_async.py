"""The asynchronous client: the same gateway, many calls at once."""

import asyncio

from harness import Demo, Simulated
from harness.words import ODD_LETTERS, WEATHER, user


async def test_an_answer_comes_whole(gateway: Demo, platform: Simulated) -> None:
    async with gateway.async_client() as client:
        answer = await client.chat.completions.create(
            model=platform.model, messages=user(f"repeat: {ODD_LETTERS}")
        )

    assert answer.choices[0].message.content == ODD_LETTERS


async def test_an_answer_is_streamed(gateway: Demo, platform: Simulated) -> None:
    said = ""
    async with gateway.async_client() as client:
        stream = await client.chat.completions.create(
            model=platform.model, messages=user(f"repeat: {ODD_LETTERS}"), stream=True
        )
        async for chunk in stream:
            said += chunk.choices[0].delta.content or ""

    assert said == ODD_LETTERS


async def test_a_function_is_called(gateway: Demo, platform: Simulated) -> None:
    async with gateway.async_client() as client:
        answer = await client.chat.completions.create(
            model=platform.model,
            messages=user("What is the weather in Paris, in celsius?"),
            tools=[WEATHER],
            tool_choice="required",
        )

    [call] = answer.choices[0].message.tool_calls or []
    assert call.function.name == "get_weather"


async def test_answers_to_many_calls_are_not_mixed_up(gateway: Demo) -> None:
    platforms = list(gateway.platforms.values())

    async with gateway.async_client() as client:

        async def echo(number: int) -> str | None:
            model = platforms[number % len(platforms)].model
            answer = await client.chat.completions.create(model=model, messages=user(f"repeat: call {number}"))
            return answer.choices[0].message.content

        answers = await asyncio.gather(*(echo(number) for number in range(50)))

    assert answers == [f"call {number}" for number in range(50)]
