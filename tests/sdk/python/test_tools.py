"""Functions: called with arguments that fit, answered, several at once."""

import json
from typing import Any

import pytest
from conftest import PLATFORMS
from openai import NOT_GIVEN, BadRequestError, OpenAI

from harness import Demo, Simulated
from harness.words import CLOCK, WEATHER, user

QUESTION = "What is the weather in Paris, in celsius?"
TWO_QUESTIONS = "What is the weather in Paris, in celsius, and what time is it there?"


def check_arguments(name: str, arguments: str) -> None:
    """The arguments fit the function's schema."""
    given: dict[str, Any] = json.loads(arguments)
    assert isinstance(given["city"], str) and given["city"]
    if name == "get_weather":
        assert set(given) == {"city", "unit"}
        assert given["unit"] in ("celsius", "fahrenheit")
    else:
        assert name == "get_time" and set(given) == {"city"}


def test_a_function_is_called_with_arguments_that_fit(client: OpenAI, platform: Simulated) -> None:
    answer = client.chat.completions.create(
        model=platform.model, messages=user(QUESTION), tools=[WEATHER], tool_choice="required"
    )

    [choice] = answer.choices
    assert choice.finish_reason == "tool_calls"
    assert not choice.message.content
    [call] = choice.message.tool_calls or []
    assert call.type == "function" and call.id
    assert call.function.name == "get_weather"
    check_arguments(call.function.name, call.function.arguments)


def test_a_named_function_is_the_one_that_is_called(client: OpenAI, platform: Simulated) -> None:
    answer = client.chat.completions.create(
        model=platform.model,
        messages=user("What time is it in Paris?"),
        tools=[WEATHER, CLOCK],
        tool_choice={"type": "function", "function": {"name": "get_time"}},
    )

    [call] = answer.choices[0].message.tool_calls or []
    assert call.function.name == "get_time"
    check_arguments(call.function.name, call.function.arguments)


def test_no_function_is_called_when_the_caller_forbids_it(client: OpenAI, platform: Simulated) -> None:
    answer = client.chat.completions.create(
        model=platform.model, messages=user(QUESTION), tools=[WEATHER], tool_choice="none"
    )

    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.tool_calls is None


@pytest.mark.parametrize("dump", [{"exclude_none": True}, {}], ids=["what is said", "all fields"])
def test_a_function_s_result_is_answered(client: OpenAI, platform: Simulated, dump: dict[str, bool]) -> None:
    first = client.chat.completions.create(
        model=platform.model, messages=user(QUESTION), tools=[WEATHER], tool_choice="required"
    )
    [call] = first.choices[0].message.tool_calls or []
    history = [
        *user(QUESTION),
        first.choices[0].message.model_dump(**dump),
        {"role": "tool", "tool_call_id": call.id, "content": "18 °C, 晴 ☀️"},
    ]

    answer = client.chat.completions.create(model=platform.model, messages=history, tools=[WEATHER])

    assert answer.choices[0].finish_reason == "stop"
    assert "18 °C, 晴 ☀️" in (answer.choices[0].message.content or "")


def test_a_function_s_call_is_streamed(client: OpenAI, platform: Simulated) -> None:
    with client.chat.completions.stream(
        model=platform.model, messages=user(QUESTION), tools=[WEATHER], tool_choice="required"
    ) as stream:
        answer = stream.get_final_completion()

    assert answer.choices[0].finish_reason == "tool_calls"
    [call] = answer.choices[0].message.tool_calls or []
    assert call.function.name == "get_weather"
    check_arguments(call.function.name, call.function.arguments)


def ask_both(client: OpenAI, platform: Simulated, parallel: Any = True, **options: Any) -> Any:
    return client.chat.completions.create(
        model=platform.model,
        messages=user(TWO_QUESTIONS),
        tools=[WEATHER, CLOCK],
        tool_choice="required",
        parallel_tool_calls=parallel,
        **options,
    )


SEVERAL_AT_ONCE = ["openai", "qwen", "glm", "ernie", "claude"]
ONE_A_TURN = ["spark"]
several_at_once = pytest.mark.parametrize("platform", SEVERAL_AT_ONCE, indirect=True)
one_a_turn = pytest.mark.parametrize("platform", ONE_A_TURN, indirect=True)


def test_every_platform_is_asked_for_several_calls() -> None:
    assert set(SEVERAL_AT_ONCE + ONE_A_TURN) == set(PLATFORMS)


@several_at_once
def test_two_functions_are_called_at_once(client: OpenAI, platform: Simulated) -> None:
    calls = ask_both(client, platform).choices[0].message.tool_calls

    assert [call.function.name for call in calls] == ["get_weather", "get_time"]
    assert calls[0].id != calls[1].id
    for call in calls:
        check_arguments(call.function.name, call.function.arguments)


@several_at_once
def test_two_calls_are_streamed_side_by_side(client: OpenAI, platform: Simulated) -> None:
    opened: dict[int, tuple[str, str]] = {}
    arguments: dict[int, str] = {}
    reasons = []

    for chunk in ask_both(client, platform, stream=True):
        [choice] = chunk.choices
        reasons.append(choice.finish_reason)
        for delta in choice.delta.tool_calls or []:
            assert delta.function
            if delta.index not in opened:
                assert delta.index == len(opened), "indexes are 0, 1, 2 … in order of appearance"
                assert delta.id and delta.type == "function" and delta.function.name
                opened[delta.index] = (delta.id, delta.function.name)
                arguments[delta.index] = ""
            else:
                assert delta.id is None and delta.function.name is None, "named once"
            arguments[delta.index] += delta.function.arguments or ""

    assert [name for _, name in opened.values()] == ["get_weather", "get_time"]
    assert len({call_id for call_id, _ in opened.values()}) == 2
    for index, (_, name) in opened.items():
        check_arguments(name, arguments[index])
    assert reasons[-1] == "tool_calls" and not any(reasons[:-1])


@one_a_turn
@pytest.mark.parametrize("stream", [False, True])
def test_several_calls_are_refused_by_name_where_one_is_made(
    client: OpenAI, platform: Simulated, stream: bool
) -> None:
    before = platform.total()

    with pytest.raises(BadRequestError) as refused:
        ask_both(client, platform, stream=stream)

    assert refused.value.param == "parallel_tool_calls"
    assert refused.value.type == "invalid_request_error"
    assert platform.total() == before, "the platform was not asked"


@one_a_turn
@pytest.mark.parametrize("parallel", [NOT_GIVEN, False])
def test_a_platform_that_makes_one_call_a_turn_makes_one(client: OpenAI, platform: Simulated, parallel: Any) -> None:
    calls = ask_both(client, platform, parallel).choices[0].message.tool_calls

    [call] = calls
    check_arguments(call.function.name, call.function.arguments)


def test_a_wish_for_one_call_is_granted_everywhere(client: OpenAI, platform: Simulated) -> None:
    answer = client.chat.completions.create(
        model=platform.model,
        messages=user(QUESTION),
        tools=[WEATHER],
        tool_choice="required",
        parallel_tool_calls=False,
    )

    [call] = answer.choices[0].message.tool_calls or []
    check_arguments(call.function.name, call.function.arguments)
