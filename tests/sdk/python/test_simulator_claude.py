"""The simulated Claude, judged by Anthropic's own SDK.

Nothing of the gateway runs here: the SDK speaks to the platform's origin directly.
"""

import base64
import json
import os
import pathlib
import subprocess
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic.types import Message, TextBlock, ThinkingBlock, ToolUseBlock

ROOT = pathlib.Path(__file__).resolve().parents[3]
FIXTURES = ROOT / "tests" / "fixtures" / "claude"
KEY = "sk-ant-simulated-000000abc123"
OLD, NEW = "claude-haiku-4-5", "claude-opus-5-5"
WEATHER: Any = {
    "name": "get_weather",
    "description": "The weather in a city now.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CLOCK: Any = {
    "name": "get_time",
    "description": "The local time in a city now.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
BUDGET: Any = {"type": "enabled", "budget_tokens": 1024}
ADAPTIVE: Any = {"type": "adaptive", "display": "summarized"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    if given := os.environ.get("SIMULATOR"):
        text = given if given.lstrip().startswith("{") else pathlib.Path(given).read_text()
        yield json.loads(text)["claude"]["url"]
        return
    run = ["cargo", "run", "--quiet", "--example", "simulate"]
    with subprocess.Popen(run, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield json.loads(process.stdout.readline())["claude"]["url"]
        process.terminate()


# The SDK sends the newest version, which refuses sampling; the gateway sends the first.
@pytest.fixture(params=["2023-06-01", "2026-10-21"])
def client(url: str, request: pytest.FixtureRequest) -> Iterator[anthropic.Anthropic]:
    headers = {"anthropic-version": request.param}
    with anthropic.Anthropic(base_url=url, api_key=KEY, max_retries=0, default_headers=headers) as client:
        yield client


@pytest.fixture
def first(url: str) -> Iterator[anthropic.Anthropic]:
    """A client of the first version."""
    headers = {"anthropic-version": "2023-06-01"}
    with anthropic.Anthropic(base_url=url, api_key=KEY, max_retries=0, default_headers=headers) as client:
        yield client


def ask(client: anthropic.Anthropic, content: Any, **more: Any) -> Message:
    messages = content if isinstance(content, list) else [{"role": "user", "content": content}]
    return client.messages.create(**{"model": OLD, "max_tokens": 4096, "messages": messages} | more)


def said(message: Message) -> str:
    return "".join(block.text for block in message.content if isinstance(block, TextBlock))


def last_row(url: str) -> dict[str, Any]:
    return httpx2.get(f"{url}/_sim/ledger?last=1").json()["requests"][-1]


@pytest.mark.proves("anthropic", "whole", of="claude")
def test_a_whole_answer_adds_up_and_is_in_the_books(client: anthropic.Anthropic, url: str) -> None:
    answer = ask(client, "repeat: 长城, 🙂 wall", system="Be brief.")

    assert said(answer) == "长城, 🙂 wall"
    assert (answer.stop_reason, answer.model) == ("end_turn", "claude-haiku-4-5-20251001")
    assert answer.id.startswith("msg_01") and answer._request_id and answer._request_id.startswith("req_011")
    row = last_row(url)
    assert (row["prompt_tokens"], row["completion_tokens"]) == (answer.usage.input_tokens, answer.usage.output_tokens)
    assert row["credential"] == "…abc123"


@pytest.mark.proves("anthropic", "streamed", of="claude")
def test_a_stream_is_the_whole_answer_in_pieces(client: anthropic.Anthropic, url: str) -> None:
    question: Any = [{"role": "user", "content": "repeat: one two 三四 🙂 five"}]
    with client.messages.stream(model=OLD, max_tokens=64, messages=question) as stream:
        pieces = list(stream.text_stream)
        answer = stream.get_final_message()

    assert len(pieces) > 1 and "".join(pieces) == said(answer) == "one two 三四 🙂 five"
    assert answer.stop_reason == "end_turn"
    assert last_row(url)["completion_tokens"] == answer.usage.output_tokens


def test_limits_and_stops_cut(client: anthropic.Anthropic) -> None:
    answer = ask(client, "say 50 words", max_tokens=3)
    assert (answer.stop_reason, answer.usage.output_tokens) == ("max_tokens", 3)
    answer = ask(client, "repeat: a b STOP c", stop_sequences=["STOP"])
    assert (answer.stop_reason, answer.stop_sequence, said(answer)) == ("stop_sequence", "STOP", "a b ")


@pytest.mark.proves("anthropic", "tools", of="claude")
@pytest.mark.parametrize("streamed", [False, True])
def test_tools_are_called_and_their_results_quoted(client: anthropic.Anthropic, streamed: bool) -> None:
    question = "What is the weather in Paris, and what time is it there?"
    options: Any = {"model": OLD, "max_tokens": 512, "tools": [WEATHER, CLOCK]}
    messages: Any = [{"role": "user", "content": question}]
    if streamed:
        with client.messages.stream(**options, messages=messages) as stream:
            answer = stream.get_final_message()
    else:
        answer = client.messages.create(**options, messages=messages)

    calls = [block for block in answer.content if isinstance(block, ToolUseBlock)]
    assert answer.stop_reason == "tool_use"
    assert [(call.name, call.input) for call in calls] == [
        ("get_weather", {"city": "Paris"}), ("get_time", {"city": "Paris"})]
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": f"{call.name}: 18"} for call in calls]
    messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
    told = client.messages.create(**options, messages=messages)
    assert "get_weather: 18" in said(told) and "get_time: 18" in said(told)


def test_the_choice_of_tools_is_kept(client: anthropic.Anthropic) -> None:
    def called(choice: Any) -> list[str]:
        answer = ask(client, "Weather and time in Paris?", tools=[WEATHER, CLOCK], tool_choice=choice)
        return [block.name for block in answer.content if isinstance(block, ToolUseBlock)]

    assert called({"type": "none"}) == []
    assert called({"type": "tool", "name": "get_time"}) == ["get_time"]
    assert called({"type": "auto", "disable_parallel_tool_use": True}) == ["get_weather"]


@pytest.mark.parametrize("model, thinking", [(OLD, BUDGET), (NEW, ADAPTIVE)])
@pytest.mark.parametrize("streamed", [False, True])
def test_thinking_is_signed_and_comes_back(
    client: anthropic.Anthropic, model: str, thinking: Any, streamed: bool
) -> None:
    options: Any = {"model": model, "max_tokens": 2048, "tools": [WEATHER], "thinking": thinking}
    messages: Any = [{"role": "user", "content": "What is the weather in Paris?"}]
    if streamed:
        with client.messages.stream(**options, messages=messages) as stream:
            answer = stream.get_final_message()
    else:
        answer = client.messages.create(**options, messages=messages)
    thought, call = answer.content
    assert isinstance(thought, ThinkingBlock) and isinstance(call, ToolUseBlock)
    assert "get_weather" in thought.thinking and thought.signature
    assert answer.usage.output_tokens_details and answer.usage.output_tokens_details.thinking_tokens > 0

    def told(blocks: Any) -> Message:
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "18"}
        history = [*messages, {"role": "assistant", "content": blocks}, {"role": "user", "content": [result]}]
        return client.messages.create(**options, messages=history)

    assert "18" in said(told(answer.content))
    forged = thought.model_dump() | {"thinking": "Something else."}
    with pytest.raises(anthropic.BadRequestError, match="Invalid `signature`"):
        told([forged, call])
    if model == OLD:
        with pytest.raises(anthropic.BadRequestError, match="must start with a thinking block"):
            told([call])


def test_thinking_that_is_not_shown_comes_empty(client: anthropic.Anthropic) -> None:
    thought, text = ask(client, "repeat: x", model=NEW).content
    assert isinstance(thought, ThinkingBlock) and thought.thinking == "" and thought.signature
    assert isinstance(text, TextBlock)


def test_a_schema_is_obeyed(client: anthropic.Anthropic) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    answer = ask(client, "Where is the Louvre? Paris.", output_config={"format": {"type": "json_schema", "schema": schema}})
    assert set(json.loads(said(answer))) == {"city"}


def test_images_are_seen(client: anthropic.Anthropic) -> None:
    pixel = ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
             "rkJggg==")
    base64.b64decode(pixel, validate=True)
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": pixel}}
    answer = ask(client, [{"role": "user", "content": [image, {"type": "text", "text": "What is it?"}]}])
    assert "image/png 1x1" in said(answer)


def test_a_prompt_that_was_seen_before_is_cached(client: anthropic.Anthropic) -> None:
    system = f"{os.urandom(8).hex()} " + "word " * 3000
    before, after = ask(client, "Hi", system=system).usage, ask(client, "Hi", system=system).usage
    assert (before.cache_read_input_tokens, before.input_tokens > 3000) == (0, True)
    assert (after.cache_read_input_tokens or 0) >= 1024
    assert after.input_tokens + (after.cache_read_input_tokens or 0) == before.input_tokens


def test_models_are_listed(client: anthropic.Anthropic) -> None:
    models = {model.id: model for model in client.models.list()}
    assert models[OLD].max_tokens == 64_000 and models[NEW].max_input_tokens == 1_000_000
    assert client.models.retrieve(NEW).lifecycle == "active"


TOOL_USE = {"type": "tool_use", "id": "t", "name": "get_weather", "input": {}}
USER = {"role": "user", "content": "Hi"}


@pytest.mark.parametrize("wrong, words", [
    ({"max_tokens": 64_001, "timeout": 20}, "maximum allowed number of output tokens"),
    ({"messages": []}, "at least one message"),
    ({"messages": [{"role": "system", "content": "x"}]}, "Unexpected role"),
    ({"messages": [{"role": "user", "content": ""}]}, "non-empty"),
    ({"messages": [USER, {"role": "assistant", "content": [TOOL_USE]}]}, "without `tool_result`"),
    ({"messages": [USER, {"role": "assistant", "content": [TOOL_USE]}, USER]}, "without `tool_result`"),
    ({"messages": [USER, {"role": "assistant", "content": [TOOL_USE | {"id": "a:b"}]}]}, "pattern"),
    ({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]}]}, "unexpected `tool_use_id`"),
    ({"model": NEW, "messages": [USER, {"role": "assistant", "content": "So"}]}, "prefill"),
    ({"stop_sequences": ["\n"]}, "non-whitespace"),
    ({"tool_choice": {"type": "auto"}}, "while providing tools"),
    ({"tools": [WEATHER | {"name": "a b"}]}, "pattern"),
    ({"tools": [WEATHER | {"input_schema": {}}]}, "Input should be 'object'"),
    ({"tools": [WEATHER], "tool_choice": {"type": "any"}, "thinking": BUDGET}, "forces tool use"),
    ({"model": NEW, "tools": [WEATHER], "tool_choice": {"type": "any"}}, "not supported on this model"),
    ({"thinking": {"type": "enabled", "budget_tokens": 5000}}, "must be greater than"),
    ({"thinking": {"type": "enabled", "budget_tokens": 5}}, "greater than or equal to 1024"),
    ({"thinking": ADAPTIVE}, "not supported on this model"),
    ({"model": NEW, "thinking": BUDGET}, "not supported on this model"),
    ({"model": NEW, "thinking": {"type": "disabled"}}, "not supported on this model"),
    ({"output_config": {"effort": "high"}}, "not supported on this model"),
    ({"extra_body": {"seed": 7}}, "Extra inputs are not permitted"),
])  # fmt: skip
def test_what_breaks_a_rule_is_refused(client: anthropic.Anthropic, wrong: Any, words: str) -> None:
    with pytest.raises(anthropic.BadRequestError, match=words):
        ask(client, "Hi", **wrong)


def test_sampling_is_refused_by_model_and_by_version(first: anthropic.Anthropic, url: str) -> None:
    assert said(ask(first, "repeat: x", extra_body={"temperature": 0.5})) == "x"
    for wrong in ({"temperature": 1.5}, {"temperature": 0.5, "top_p": 0.5}, {"model": NEW, "top_p": 0.5},
                  {"temperature": 0.5, "thinking": BUDGET}):  # fmt: skip
        with pytest.raises(anthropic.BadRequestError):
            options = {name: value for name, value in wrong.items() if name in ("model", "thinking")}
            sampling = {name: value for name, value in wrong.items() if name not in options}
            ask(first, "Hi", **options, extra_body=sampling)
    with anthropic.Anthropic(base_url=url, api_key=KEY, max_retries=0) as newest:
        with pytest.raises(anthropic.BadRequestError, match="temperature"):
            ask(newest, "Hi", extra_body={"temperature": 0.5})


def test_a_request_without_its_headers_is_refused(url: str) -> None:
    body = {"model": OLD, "max_tokens": 5, "messages": [USER]}
    sent = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
    assert httpx2.post(f"{url}/v1/messages", json=body, headers=sent).status_code == 200
    for left_out, status in (("x-api-key", 401), ("anthropic-version", 400)):
        headers = {name: value for name, value in sent.items() if name != left_out}
        answer = httpx2.post(f"{url}/v1/messages", json=body, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (status, "error")
    wrong = httpx2.post(f"{url}/v1/messages", json=body, headers=sent | {"x-api-key": "sk-other-000000000"})
    assert wrong.status_code == 401
    without = {name: value for name, value in body.items() if name != "max_tokens"}
    assert "max_tokens: Field required" in httpx2.post(f"{url}/v1/messages", json=without, headers=sent).text


@pytest.mark.proves("anthropic", "errors", of="claude")
@pytest.mark.parametrize("trouble, error, status", [
    ("rate_limited", anthropic.RateLimitError, 429),
    ("quota_exhausted", anthropic.BadRequestError, 400),
    ("auth_expired", anthropic.AuthenticationError, 401),
    ("banned", anthropic.BadRequestError, 400),
    ("overloaded", anthropic.APIStatusError, 529),
    ("upstream_fault", anthropic.InternalServerError, 500),
    ("content_filtered", anthropic.BadRequestError, 400),
    ("context_length", anthropic.BadRequestError, 400),
    ("not_found", anthropic.NotFoundError, 404),
])  # fmt: skip
def test_each_trouble_is_the_vendor_s_own_error(
    client: anthropic.Anthropic, url: str, trouble: str, error: type[anthropic.APIStatusError], status: int
) -> None:
    httpx2.post(f"{url}/_sim/faults", json={"kind": "class", "class": trouble}).raise_for_status()
    with pytest.raises(error) as raised:
        ask(client, "Hi")
    assert raised.value.status_code == status
    assert isinstance(raised.value.body, dict) and raised.value.body["type"] == "error"
    fixture = FIXTURES / {"quota_exhausted": "error_quota", "not_found": "error_not_found"}.get(trouble, f"error_{trouble}")
    if (told := fixture / "platform_response.json").exists() and trouble not in ("content_filtered", "not_found"):
        assert raised.value.body["error"]["type"] == json.loads(told.read_text())["body"]["error"]["type"]


def test_a_stream_that_breaks_ends_in_an_error(client: anthropic.Anthropic, url: str) -> None:
    httpx2.post(f"{url}/_sim/faults", json={"kind": "error_mid_stream", "after_events": 4}).raise_for_status()
    seen = ""
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        with client.messages.stream(model=OLD, max_tokens=64, messages=[USER]) as stream:  # type: ignore[list-item]
            for text in stream.text_stream:
                seen += text
    assert seen


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value[:1]]
    return "text" if isinstance(value, str) else "null" if value is None else "number"


def events(text: str) -> list[dict[str, Any]]:
    found = []
    for block in text.strip("\n").split("\n\n"):
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        found.append(event)
    return found


@pytest.mark.parametrize("case", ["text_stream", "tools_call_stream", "reasoning_stream", "usage_stream"])
def test_streams_have_the_shape_of_the_fixtures(url: str, case: str) -> None:
    body = json.loads((FIXTURES / case / "platform_request.json").read_text())
    headers = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
    answer = httpx2.post(f"{url}/v1/messages", json=body, headers=headers)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
    wanted = events((FIXTURES / case / "platform_stream.sse").read_text())

    def shapes(all_events: list[dict[str, Any]]) -> set[str]:
        # How these two begin is the models' own.
        kept = [event for event in all_events if event["type"] not in ("message_start", "content_block_start")]
        return {json.dumps(shape(event), sort_keys=True) for event in kept}

    found = shapes(events(answer.text))
    if case == "tools_call_stream":  # which says something before its calls
        assert found < shapes(wanted)
    else:
        assert found == shapes(wanted)
