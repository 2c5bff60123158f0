"""Thinking that Claude wants back with the results of its calls: an extension of the front."""

from typing import Any

import pytest
from openai import BadRequestError, OpenAI

from harness import Demo
from harness.words import WEATHER, user

QUESTION = "What is the weather in Paris, in celsius?"
OLD, NEW = "claude-haiku-4-5", "claude-opus-5-5"


def first_answer(client: OpenAI, model: str, stream: bool) -> dict[str, Any]:
    """The assistant's message with its call, as a caller would keep it."""
    options: Any = {"model": model, "messages": user(QUESTION), "tools": [WEATHER], "reasoning_effort": "low"}
    if stream:
        with client.chat.completions.stream(**options) as events:
            message = events.get_final_completion().choices[0].message
    else:
        message = client.chat.completions.create(**options).choices[0].message
    kept = message.model_dump(exclude_none=True)
    kept.pop("parsed", None)
    return kept


def answer_of(client: OpenAI, model: str, message: dict[str, Any]) -> str:
    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "18 °C"}
    history: Any = [*user(QUESTION), message, result]
    answer = client.chat.completions.create(model=model, messages=history, tools=[WEATHER], reasoning_effort="low")
    return answer.choices[0].message.content or ""


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", [OLD, NEW])
def test_thinking_survives_a_round_trip_with_its_signature(
    client: OpenAI, gateway: Demo, model: str, stream: bool
) -> None:
    message = first_answer(client, model, stream)

    [block] = message["thinking_blocks"]
    assert block["type"] == "thinking" and block["signature"]
    assert block["thinking"] == message["reasoning_content"] and "get_weather" in block["thinking"]
    assert "18 °C" in answer_of(client, model, message)
    # The simulated platform checks signatures: so it was there, and was not touched.
    sent = gateway.platforms["claude"].last_request()["body"]
    assert sent["messages"][1]["content"][0] == block
    forged = message | {"thinking_blocks": [block | {"thinking": "Something else."}]}
    with pytest.raises(BadRequestError, match="Invalid `signature`"):
        answer_of(client, model, forged)


@pytest.mark.parametrize("model", [OLD, NEW])
def test_a_caller_that_knows_no_such_blocks_is_answered_too(client: OpenAI, model: str) -> None:
    message = first_answer(client, model, stream=False)
    del message["thinking_blocks"]

    assert "18 °C" in answer_of(client, model, message)


@pytest.mark.parametrize("stream", [False, True])
def test_without_a_call_nothing_is_added(client: OpenAI, stream: bool) -> None:
    options: Any = {"model": NEW, "messages": user("Hello."), "tools": [WEATHER], "tool_choice": "none"}
    answer = client.chat.completions.create(**options, reasoning_effort="low", stream=stream)

    text = "".join(chunk.to_json() for chunk in answer) if stream else answer.to_json()
    assert "reasoning_content" in text and "thinking_blocks" not in text
