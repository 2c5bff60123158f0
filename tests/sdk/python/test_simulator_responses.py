"""The simulated OpenAI's Responses, judged by OpenAI's own SDK.

Nothing of the gateway runs here: the SDK speaks to the platform's origin directly.
"""

import json
import os
import pathlib
import subprocess
from collections.abc import Iterator
from typing import Any, Literal

import httpx2
import openai
import pytest
from openai import OpenAI, pydantic_function_tool
from openai.types.responses import (
    Response,
    ResponseFunctionToolCall,
    ResponseReasoningItem,
    ResponseStreamEvent,
)
from pydantic import BaseModel, TypeAdapter

ROOT = pathlib.Path(__file__).resolve().parents[3]
KEY = "sk-proj-simulated-0000000000000000abc123"
PERSON = "eyJhbGciOiJSUzI1NiJ9.simulated.0000000000abc123"
MODEL, ONLY_HERE, THINKER = "gpt-5.4-mini", "gpt-5.1-codex-max", "gpt-5.5-pro"
ODD = 'Grüße, 长城, 🙂👩‍👩‍👧 "quoted" \\ \u2028 data: [DONE]'


def function(name: str, description: str, **more: Any) -> Any:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
                  "additionalProperties": False}  # fmt: skip
    return {"type": "function", "name": name, "description": description, "parameters": parameters,
            "strict": True} | more  # fmt: skip


WEATHER = function("get_weather", "The weather in a city now.")
CLOCK = function("get_time", "The local time in a city now.")
QUESTION = "What is the weather in Paris, and what time is it there?"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    if given := os.environ.get("SIMULATOR"):
        text = given if given.lstrip().startswith("{") else pathlib.Path(given).read_text()
        yield json.loads(text)["openai"]["url"]
        return
    run = ["cargo", "run", "--quiet", "--example", "simulate"]
    with subprocess.Popen(run, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield json.loads(process.stdout.readline())["openai"]["url"]
        process.terminate()


@pytest.fixture
def client(url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture
def person(url: str) -> Iterator[OpenAI]:
    """A client of somebody who signed in with ChatGPT."""
    with OpenAI(base_url=f"{url}/v1", api_key=PERSON, max_retries=0, timeout=20) as client:
        yield client


def ask(client: OpenAI, content: Any, streamed: bool = False, **more: Any) -> Response:
    options: Any = {"model": MODEL, "input": content, "store": False} | more
    if not streamed:
        return client.responses.create(**options)
    with client.responses.stream(**options) as stream:
        return stream.get_final_response()


def last_row(url: str) -> dict[str, Any]:
    return httpx2.get(f"{url}/_sim/ledger?last=1").json()["requests"][-1]


@pytest.mark.proves("openai (Python)", "whole", "streamed", of="openai, Responses")
@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_adds_up_and_is_in_the_books(client: OpenAI, url: str, streamed: bool) -> None:
    answer = ask(client, f"repeat: {ODD}", streamed, instructions="Be brief.")

    assert (answer.output_text, answer.status, answer.model) == (ODD, "completed", "gpt-5.4-mini-2026-03-17")
    assert answer.id.startswith("resp_") and answer.usage and not answer.store
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    row = last_row(url)
    assert (row["prompt_tokens"], row["completion_tokens"]) == (answer.usage.input_tokens, answer.usage.output_tokens)
    assert (row["credential"], row["stream"], row["done"]) == ("…abc123", streamed, True)


def test_events_are_of_their_types_and_numbered(client: OpenAI) -> None:
    question: Any = {"input": QUESTION, "tools": [WEATHER, CLOCK], "reasoning": {"effort": "low", "summary": "auto"}}
    with client.responses.with_streaming_response.create(model=MODEL, stream=True, **question) as raw:
        told = list(raw.iter_lines())
    names = [line.removeprefix("event: ") for line in told if line.startswith("event: ")]
    events = [json.loads(line.removeprefix("data: ")) for line in told if line.startswith("data: ")]

    assert names == [event["type"] for event in events]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    for event in events:
        TypeAdapter(ResponseStreamEvent).validate_python(event)
    assert (names[0], names[1], names[-1]) == ("response.created", "response.in_progress", "response.completed")
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert events[-1]["response"]["output"] == done and len(done) == 3


def test_the_limit_cuts(client: OpenAI) -> None:
    options: Any = {"model": MODEL, "input": "say 50 words", "max_output_tokens": 16}
    *_, last = client.responses.create(**options, stream=True)
    assert last.type == "response.incomplete"
    for answer in (client.responses.create(**options), last.response):
        assert answer.status == "incomplete" and answer.incomplete_details
        assert answer.incomplete_details.reason == "max_output_tokens"
        assert answer.usage and answer.usage.output_tokens == 16 and len(answer.output_text.split()) == 16


@pytest.mark.proves("openai (Python)", "tools", of="openai, Responses")
@pytest.mark.parametrize("streamed", [False, True])
def test_tools_are_called_and_their_results_quoted(client: OpenAI, streamed: bool) -> None:
    answer = ask(client, QUESTION, streamed, tools=[WEATHER, CLOCK])

    calls = [item for item in answer.output if isinstance(item, ResponseFunctionToolCall)]
    assert [(call.name, json.loads(call.arguments)) for call in calls] == [
        ("get_weather", {"city": "Paris"}), ("get_time", {"city": "Paris"})]  # fmt: skip
    results = [{"type": "function_call_output", "call_id": call.call_id, "output": f"{call.name}: 18"} for call in calls]
    history: Any = [{"role": "user", "content": QUESTION}, *answer.output, *results]
    told = ask(client, history, streamed, tools=[WEATHER, CLOCK])
    assert "get_weather: 18" in told.output_text and "get_time: 18" in told.output_text


def test_the_choice_of_tools_is_kept(client: OpenAI) -> None:
    def called(choice: Any, **more: Any) -> list[str]:
        answer = ask(client, "Weather and time in Paris?", tools=[WEATHER, CLOCK], tool_choice=choice, **more)
        return [item.name for item in answer.output if isinstance(item, ResponseFunctionToolCall)]

    assert called("none") == []
    assert called({"type": "function", "name": "get_time"}) == ["get_time"]
    assert called("auto", parallel_tool_calls=False) == ["get_weather"]
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "get_time"}]}
    assert called(allowed, parallel_tool_calls=False) == ["get_time"]


@pytest.mark.parametrize("streamed", [False, True])
def test_reasoning_is_sealed_and_comes_back(client: OpenAI, streamed: bool) -> None:
    options: Any = {"tools": [WEATHER], "reasoning": {"effort": "low", "summary": "auto"}}
    question = {"role": "user", "content": "What is the weather in Paris?"}
    answer = ask(client, [question], streamed, **options)
    thought, call = answer.output
    assert isinstance(thought, ResponseReasoningItem) and isinstance(call, ResponseFunctionToolCall)
    assert "get_weather" in thought.summary[0].text and thought.encrypted_content
    assert answer.usage and answer.usage.output_tokens_details.reasoning_tokens > 0

    def told(item: dict[str, Any]) -> Response:
        result = {"type": "function_call_output", "call_id": call.call_id, "output": "18"}
        return ask(client, [question, item, call.model_dump(exclude_none=True, exclude={"parsed_arguments"}), result], streamed, **options)

    kept = thought.model_dump(exclude_none=True)
    assert "18" in told(kept).output_text
    with pytest.raises(openai.BadRequestError, match="could not be verified"):
        told(kept | {"encrypted_content": "gAAAAforged"})
    with pytest.raises(openai.BadRequestError, match="not persisted"):
        told({name: value for name, value in kept.items() if name != "encrypted_content"})


def test_reasoning_without_a_summary_is_billed_and_not_shown(client: OpenAI) -> None:
    for streamed in (False, True):
        answer = ask(client, "repeat: x", streamed, model=THINKER)
        thought = answer.output[0]
        assert isinstance(thought, ResponseReasoningItem) and thought.summary == []
        assert answer.output_text == "x" and answer.usage
        assert answer.usage.output_tokens_details.reasoning_tokens > 0


class Trip(BaseModel):
    title: str
    season: Literal["spring", "summer", "autumn", "winter"]


def test_a_schema_is_obeyed(client: OpenAI) -> None:
    answer = client.responses.parse(model=MODEL, input="Plan a trip to Hangzhou.", text_format=Trip)
    assert isinstance(answer.output_parsed, Trip)
    with client.responses.stream(model=MODEL, input="Plan a trip to Hangzhou.", text_format=Trip) as stream:
        assert isinstance(stream.get_final_response().output_parsed, Trip)
    some = ask(client, "An object in JSON, please.", text={"format": {"type": "json_object"}})
    assert isinstance(json.loads(some.output_text), dict)


def test_a_function_s_arguments_are_an_instance_of_a_model(client: OpenAI) -> None:
    tool: Any = pydantic_function_tool(Trip)
    answer = client.responses.parse(model=MODEL, input="Plan a trip.", tools=[tool], tool_choice="required")
    [call] = answer.output
    assert call.type == "function_call" and isinstance(call.parsed_arguments, Trip)


def test_images_are_seen(client: OpenAI) -> None:
    pixel = ("data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
             "awAAAABJRU5ErkJggg==")  # fmt: skip
    image = {"type": "input_image", "image_url": pixel, "detail": "auto"}
    answer = ask(client, [{"role": "user", "content": [image, {"type": "input_text", "text": "What is it?"}]}])
    assert "image/png 1x1" in answer.output_text


def test_a_model_may_be_here_and_not_in_chat(client: OpenAI) -> None:
    assert ask(client, "repeat: x", model=ONLY_HERE).output_text == "x"
    assert ONLY_HERE in {model.id for model in client.models.list()}
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model=ONLY_HERE, messages=[{"role": "user", "content": "x"}])


CALL = {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": "{}"}
USER = {"role": "user", "content": "Hi"}
NO_STRICT = {name: value for name, value in WEATHER.items() if name != "strict"}


@pytest.mark.parametrize("wrong, param", [
    ({"input": []}, "input"),
    ({"input": [{"role": "wizard", "content": "x"}]}, "input[0].role"),
    ({"input": [{"role": "user"}]}, "input[0].content"),
    ({"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, "input[0].content[0].type"),
    ({"input": [{"role": "user", "content": [{"type": "output_text", "text": "x"}]}]}, "input[0].content[0].type"),
    ({"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]}, "input[0].content[0].type"),
    ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "cat", "detail": "auto"}]}]},
     "input[0].content[0].image_url"),
    ({"input": [USER | {"thinking_blocks": []}]}, "input[0].thinking_blocks"),
    ({"input": [{"type": "telepathy"}]}, "input[0].type"),
    ({"input": [USER, CALL]}, "input"),
    ({"input": [USER, CALL, USER]}, "input"),
    ({"input": [USER, {"type": "function_call_output", "call_id": "c", "output": "x"}]}, "input"),
    ({"input": [USER, {"type": "additional_tools", "role": "developer", "tools": [WEATHER]}]}, "input[1]"),
    ({"max_output_tokens": 15}, "max_output_tokens"),
    ({"max_output_tokens": 128_001}, "max_output_tokens"),
    ({"temperature": 0.5}, "temperature"),
    ({"model": "gpt-4.1", "temperature": 2.5}, "temperature"),
    ({"model": "gpt-4.1", "reasoning": {"effort": "low"}}, "reasoning.effort"),
    ({"reasoning": {"effort": "utmost"}}, "reasoning.effort"),
    ({"reasoning": {"effort": "low", "summary": "long"}}, "reasoning.summary"),
    ({"text": {"format": {"type": "json_object"}}}, "input"),
    ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name"),
    ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
    ({"text": {"format": {"type": "json_schema", "name": "n", "strict": True, "schema": {"type": "object"}}}},
     "text.format.schema"),
    ({"text": {"verbosity": "chatty"}}, "text.verbosity"),
    ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools[0].function"),
    ({"tools": [NO_STRICT]}, "tools[0].strict"),
    ({"tools": [WEATHER | {"parameters": {"type": "object"}}]}, "tools[0].parameters"),
    ({"tools": [WEATHER], "tool_choice": {"type": "function", "name": "other"}}, "tool_choice"),
    ({"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "get_weather"}}}, "tool_choice.name"),
    ({"previous_response_id": "resp_1"}, "previous_response_id"),
    ({"stream_options": {"include_obfuscation": False}}, "stream_options"),
    ({"extra_body": {"stop": ["x"]}}, "stop"),
    ({"extra_body": {"messages": []}}, "messages"),
])  # fmt: skip
def test_what_breaks_a_rule_is_refused_by_name(client: OpenAI, wrong: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(**{"model": MODEL, "input": "Hi"} | wrong)
    assert (refused.value.param, refused.value.type) == (param, "invalid_request_error")


@pytest.mark.proves("openai (Python)", "errors", of="openai, Responses")
@pytest.mark.parametrize("trouble, error, code", [
    ("rate_limited", openai.RateLimitError, "rate_limit_exceeded"),
    ("quota_exhausted", openai.RateLimitError, "insufficient_quota"),
    ("auth_expired", openai.AuthenticationError, "invalid_api_key"),
    ("banned", openai.AuthenticationError, "account_deactivated"),
    ("overloaded", openai.InternalServerError, "server_is_overloaded"),
    ("upstream_fault", openai.InternalServerError, None),
    ("content_filtered", openai.BadRequestError, "invalid_prompt"),
    ("context_length", openai.BadRequestError, "context_length_exceeded"),
    ("not_found", openai.NotFoundError, "model_not_found"),
    ("html", openai.InternalServerError, None),
    ("empty", openai.InternalServerError, None),
])  # fmt: skip
@pytest.mark.parametrize("streamed", [False, True])
def test_each_trouble_is_the_vendor_s_own_error(
    client: OpenAI, url: str, trouble: str, error: type[openai.APIStatusError], code: str | None, streamed: bool
) -> None:
    httpx2.post(f"{url}/_sim/faults", json={"kind": "class", "class": trouble}).raise_for_status()
    with pytest.raises(error) as raised:
        ask(client, "Hi", streamed)
    assert raised.value.code == code


@pytest.mark.parametrize("after, last", [(0, "error"), (1, "response.failed"), (6, "response.failed")])
def test_a_stream_that_fails_says_so_in_its_last_event(client: OpenAI, url: str, after: int, last: str) -> None:
    fault = {"kind": "error_mid_stream", "after_events": after}
    httpx2.post(f"{url}/_sim/faults", json=fault).raise_for_status()
    events = list(client.responses.create(model=MODEL, input="say 50 words", stream=True))

    assert events[-1].type == last
    told = events[-1] if events[-1].type == "error" else events[-1].response.error
    assert told and told.code == "server_error"


def test_a_person_s_plan_takes_less_and_leaves_the_output_out(person: OpenAI) -> None:
    tools: Any = {"type": "additional_tools", "role": "developer", "tools": [WEATHER]}
    question: Any = [tools, {"role": "user", "content": "What is the weather in Paris?"}]
    events = list(person.responses.create(model=MODEL, input=question, store=False, stream=True))

    done = [event.item for event in events if event.type == "response.output_item.done"]
    assert [item.name for item in done if isinstance(item, ResponseFunctionToolCall)] == ["get_weather"]
    assert events[-1].type == "response.completed" and events[-1].response.output == []
    options: Any = {"model": MODEL, "input": "Hi", "store": False, "stream": True}
    for wrong in (
        {"temperature": 1}, {"max_output_tokens": 16}, {"user": "u"}, {"metadata": {"a": "b"}}, {"store": True},
        {"stream": False}, {"tools": [WEATHER]}, {"input": [{"role": "system", "content": "x"}]},
    ):  # fmt: skip
        with pytest.raises(openai.BadRequestError):
            person.responses.create(**options | wrong)
