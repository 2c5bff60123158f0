"""OpenAI reached by Responses: what the tests of every platform don't show."""

from pathlib import Path
from typing import Any

import pytest
from openai import APIError, BadRequestError, OpenAI

from harness import Demo, Served, Simulated, until
from harness.words import WEATHER, user

MODEL = "gpt-5.1-codex-max"
QUESTION = "What is the weather in Paris, in celsius?"
LONG = user("Please say 3000 words.")


def the(gateway: Demo) -> Simulated:
    return gateway.platforms["openai"]


def first_answer(client: OpenAI, stream: bool) -> dict[str, Any]:
    """The assistant's message with its call, as a caller would keep it."""
    options: Any = {"model": MODEL, "messages": user(QUESTION), "tools": [WEATHER], "reasoning_effort": "low"}
    if stream:
        with client.chat.completions.stream(**options) as events:
            message = events.get_final_completion().choices[0].message
    else:
        message = client.chat.completions.create(**options).choices[0].message
    kept = message.model_dump(exclude_none=True)
    kept.pop("parsed", None)
    return kept


def answer_of(client: OpenAI, message: dict[str, Any], model: str = MODEL) -> str:
    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "18 °C"}
    history: Any = [*user(QUESTION), message, result]
    answer = client.chat.completions.create(model=model, messages=history, tools=[WEATHER])
    return answer.choices[0].message.content or ""


@pytest.mark.parametrize("stream", [False, True])
def test_reasoning_survives_a_round_trip_with_its_seal(client: OpenAI, gateway: Demo, stream: bool) -> None:
    message = first_answer(client, stream)

    [item] = message["thinking_blocks"]
    assert item["type"] == "reasoning" and item["encrypted_content"]
    assert item["summary"][0]["text"] == message["reasoning_content"] and "get_weather" in message["reasoning_content"]
    assert "18 °C" in answer_of(client, message)
    # The simulated platform checks seals: so it was there, and was not touched.
    sent = the(gateway).last_request()["body"]
    assert item in sent["input"] and sent["store"] is False
    forged = message | {"thinking_blocks": [item | {"encrypted_content": "gAAAAforged"}]}
    with pytest.raises(BadRequestError, match="could not be verified") as refused:
        answer_of(client, forged)
    assert refused.value.param == "messages"


@pytest.mark.parametrize("model", ["claude-haiku-4-5", "qwen-plus", "glm-4.7", "gpt-5.4-mini"])
def test_reasoning_is_no_other_platform_s(client: OpenAI, model: str) -> None:
    assert "18 °C" in answer_of(client, first_answer(client, stream=False), model)


def test_fields_are_refused_by_the_caller_s_names(client: OpenAI) -> None:
    for wrong, param in (
        ({"max_tokens": 200_000}, "max_tokens"),
        ({"max_completion_tokens": 200_000}, "max_completion_tokens"),
        ({"reasoning_effort": "utmost"}, "reasoning_effort"),
        ({"verbosity": "chatty"}, "verbosity"),
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
    ):
        with pytest.raises(BadRequestError) as refused:
            client.chat.completions.create(model=MODEL, messages=user("Hello."), **wrong)
        assert refused.value.param == param


def test_a_failure_after_output_began_is_an_error_in_the_stream(fresh: Demo) -> None:
    the(fresh).break_streams()
    said = ""
    with fresh.client() as client, pytest.raises(APIError) as broken:
        for chunk in client.chat.completions.create(model=MODEL, messages=LONG, stream=True):
            said += chunk.choices[0].delta.content or ""

    assert said, "what came before the failure was relayed"
    assert (broken.value.code, broken.value.type) == ("upstream_error", "server_error")
    assert the(fresh).total().requests == 1, "nothing is sent again once output was relayed"


def test_a_caller_that_hangs_up_cancels_the_call_upstream(fresh: Demo) -> None:
    platform = the(fresh)
    platform.slow_down()
    with fresh.client() as client:
        stream = client.chat.completions.create(model=MODEL, messages=LONG, stream=True)
        next(chunk for chunk in stream if chunk.choices and chunk.choices[0].delta.content)
        stream.close()

        spent = until(lambda: platform.total() if platform.total().cancelled else None, "the call to be cancelled")
    assert spent.cancelled == spent.requests == 1 and 0 < spent.completion < 3000


def test_an_account_may_be_bound_for_responses(gateway: Demo, tmp_path: Path) -> None:
    platform = the(gateway)
    served = Served(f"sqlite:{tmp_path / 'tributary.db'}", tmp_path, [platform])
    served.command("user", "add", "me")
    bound = served.bind("me", "openai", "first", "sk-bound-for-responses-0001", "openai_responses")
    assert bound["dialect"] == "openai_responses"
    token = served.command("token", "create", "--user", "me")["token"]
    served.start()
    try:
        with served.client(token) as client:
            answer = client.chat.completions.create(model="gpt-5.4-mini", messages=user("repeat: 你好 🙂"))
        assert answer.choices[0].message.content == "你好 🙂"
        assert platform.last_request()["path"] == "/v1/responses"
        assert served.command("account", "check", "--user", "me", "first")["verdict"] == "valid"
    finally:
        assert served.stop() == 0
