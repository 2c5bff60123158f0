"""The simulated Qwen's native face, judged by Alibaba's own SDK.

Nothing of the gateway runs here: the SDK speaks to the platform's origin directly.
"""

import base64
import json
import os
import pathlib
import subprocess
import uuid
from collections.abc import Iterator
from typing import Any

import dashscope
import httpx2
import pytest
from dashscope import AioGeneration, Generation, MultiModalConversation
from dashscope.api_entities.aio_session import close_shared_aio_session
from harness.words import CLOCK, ODD_LETTERS, WEATHER, picture, user

ROOT = pathlib.Path(__file__).resolve().parents[3]
FIXTURES = ROOT / "tests" / "fixtures" / "qwen"
KEY = "sk-00000000000000000000000000abc123"
BLIND, SEES = "qwen-plus", "qwen3-vl-plus"
TEXT, MULTIMODAL = "text-generation", "multimodal-generation"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    if given := os.environ.get("SIMULATOR"):
        text = given if given.lstrip().startswith("{") else pathlib.Path(given).read_text()
        yield json.loads(text)["qwen"]["url"]
        return
    run = ["cargo", "run", "--quiet", "--example", "simulate"]
    with subprocess.Popen(run, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield json.loads(process.stdout.readline())["qwen"]["url"]
        process.terminate()


@pytest.fixture(autouse=True)
def native(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashscope, "base_http_api_url", f"{url}/api/v1")
    monkeypatch.setattr(dashscope, "api_key", KEY)


def ask(content: Any, model: str = BLIND, **more: Any) -> Any:
    messages = content if isinstance(content, list) else user(content)
    return Generation.call(**{"model": model, "messages": messages, "result_format": "message"} | more)


def look(content: Any, model: str = SEES, **more: Any) -> Any:
    parts = [{"text": content}] if isinstance(content, str) else content
    return MultiModalConversation.call(model=model, messages=[{"role": "user", "content": parts}], **more)


def post(url: str, body: Any, task: str = TEXT, **headers: str) -> httpx2.Response:
    headers = {"authorization": f"Bearer {KEY}"} | headers
    return httpx2.post(f"{url}/api/v1/services/aigc/{task}/generation", json=body, headers=headers)


def first(answer: Any) -> Any:
    assert answer.status_code == 200, answer
    return answer.output.choices[0]


def last_row(url: str) -> dict[str, Any]:
    return httpx2.get(f"{url}/_sim/ledger?last=1").json()["requests"][-1]


def fault(url: str, **what: Any) -> None:
    httpx2.post(f"{url}/_sim/faults", json=what).raise_for_status()


@pytest.mark.proves("dashscope", "whole", of="qwen, DashScope")
def test_a_whole_answer_adds_up_and_is_in_the_books(url: str) -> None:
    answer = ask(f"repeat: {ODD_LETTERS}")

    assert first(answer).message.content == ODD_LETTERS
    assert (first(answer).finish_reason, first(answer).message.role) == ("stop", "assistant")
    usage = answer.usage
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    row = last_row(url)
    assert (row["prompt_tokens"], row["completion_tokens"]) == (usage.input_tokens, usage.output_tokens)
    assert (row["credential"], row["id"], row["stream"]) == ("…abc123", answer.request_id, False)


def test_an_answer_may_be_a_bare_text(url: str) -> None:
    answer = Generation.call(model=BLIND, prompt="repeat: 长城")
    assert (answer.output.text, answer.output.finish_reason, answer.output.choices) == ("长城", "stop", None)
    events = list(Generation.call(model=BLIND, prompt="say 9 words", stream=True))
    assert [event.output.finish_reason for event in events] == ["null"] * (len(events) - 1) + ["stop"]
    assert len(events[-1].output.text.split()) == 9 and events[1].output.text.startswith(events[0].output.text)


@pytest.mark.proves("dashscope", "streamed", of="qwen, DashScope")
def test_a_stream_comes_in_pieces_or_with_all_until_then(url: str) -> None:
    said = "one two 三四 🙂 five six seven"
    pieces = list(ask(f"repeat: {said}", stream=True, incremental_output=True))
    assert len(pieces) > 2 and "".join(first(piece).message.content for piece in pieces) == said
    assert [first(piece).finish_reason for piece in pieces] == ["null"] * (len(pieces) - 1) + ["stop"]
    counts = [piece.usage.output_tokens for piece in pieces]
    assert counts == sorted(counts) and counts[0] < counts[-1] == last_row(url)["completion_tokens"]
    assert last_row(url)["stream"] and last_row(url)["done"] and not last_row(url)["cancelled"]

    # Without a word this model says all until then; the SDK itself puts pieces together for `False`.
    for more in ({}, {"incremental_output": False}):
        growing = [first(event).message.content for event in ask(f"repeat: {said}", stream=True, **more)]
        assert growing[-1] == said and len(growing) == len(pieces)
        assert all(after.startswith(before) for before, after in zip(growing, growing[1:]))


async def test_a_stream_can_be_read_asynchronously() -> None:
    stream = await AioGeneration.call(
        model=BLIND, messages=user("repeat: 你好🙂"), result_format="message", stream=True, incremental_output=True
    )
    assert "".join([first(event).message.content async for event in stream]) == "你好🙂"
    await close_shared_aio_session()


def test_limits_stops_and_several_answers(url: str) -> None:
    cut = ask("say 50 words", max_tokens=3)
    assert (first(cut).finish_reason, cut.usage.output_tokens) == ("length", 3)
    assert first(ask("repeat: a b STOP c", stop=["STOP"])).message.content == "a b "
    several = ask("say 5 words", n=3)
    assert [choice.index for choice in several.output.choices] == [0, 1, 2]
    said: dict[int, str] = {}
    for event in ask("say 5 words", n=3, stream=True, incremental_output=True):
        for choice in event.output.choices:
            said[choice.index] = said.get(choice.index, "") + choice.message.content
    assert [said[at] for at in range(3)] == [choice.message.content for choice in several.output.choices]
    assert last_row(url)["completion_tokens"] == several.usage.output_tokens


@pytest.mark.proves("dashscope", "tools", of="qwen, DashScope")
@pytest.mark.parametrize("how", ["whole", "pieces", "growing"])
def test_tools_are_called_and_their_results_quoted(how: str) -> None:
    messages = user("What is the weather in Paris, and what time is it there?")
    options: Any = {"tools": [WEATHER, CLOCK], "parallel_tool_calls": True}
    if how == "whole":
        choice = first(ask(messages, **options))
        calls = choice.message.tool_calls
        assert choice.finish_reason == "stop"
    else:
        pieces = [first(event) for event in
                  ask(messages, **options, stream=True, incremental_output=how == "pieces")]
        assert pieces[-1].finish_reason == "tool_calls"
        calls = gathered(pieces) if how == "pieces" else pieces[-1].message.tool_calls
    assert [(call["function"]["name"], json.loads(call["function"]["arguments"])["city"]) for call in calls] == [
        ("get_weather", "Paris"), ("get_time", "Paris")]

    messages.append({"role": "assistant", "content": "", "tool_calls": calls})
    for call in calls:
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": f"{call['function']['name']}: 18"})
    told = first(ask(messages, **options)).message.content
    assert "get_weather: 18" in told and "get_time: 18" in told


def gathered(pieces: list[Any]) -> list[dict[str, Any]]:
    """The calls of a stream's pieces, as its documentation puts them together."""
    calls: list[dict[str, Any]] = []
    for piece in pieces:
        for delta in piece.message.get("tool_calls") or []:
            if len(calls) == delta["index"]:
                calls.append({"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
            call = calls[delta["index"]]
            call["id"] += delta["id"]
            for part in ("name", "arguments"):
                call["function"][part] += delta["function"].get(part) or ""
    return calls


def test_the_choice_of_tools_is_kept() -> None:
    def called(**more: Any) -> list[str]:
        message = first(ask("Weather and time in Paris?", tools=[WEATHER, CLOCK], **more)).message
        return [call["function"]["name"] for call in message.get("tool_calls") or []]

    assert called(tool_choice="none") == []
    assert called(tool_choice={"type": "function", "function": {"name": "get_time"}}) == ["get_time"]
    assert called() == ["get_weather"]  # One at a time, unless asked.


def test_thinking_is_shown_before_the_answer(url: str) -> None:
    events = [event for event in ask("say 5 words", enable_thinking=True, stream=True, incremental_output=True)]
    thought = "".join(first(event).message.reasoning_content for event in events)
    said = "".join(first(event).message.content for event in events)
    assert thought and len(said.split()) == 5
    details = events[-1].usage["output_tokens_details"]
    assert 0 < details["reasoning_tokens"] < events[-1].usage.output_tokens == last_row(url)["completion_tokens"]


def test_json_is_given_where_it_is_asked_for() -> None:
    answer = ask("Give me a JSON object about Paris.", response_format={"type": "json_object"})
    assert isinstance(json.loads(first(answer).message.content), dict)
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
              "additionalProperties": False}
    answer = ask("Which city is it?", response_format={
        "type": "json_schema", "json_schema": {"name": "city", "schema": schema, "strict": True}})
    assert set(json.loads(first(answer).message.content)) == {"city"}


def test_log_probabilities_of_a_dated_snapshot(url: str) -> None:
    answer = ask("repeat: a 你", model="qwen-plus-2025-07-28", logprobs=True, top_logprobs=2)
    told = first(answer)["logprobs"]["content"]
    assert "".join(entry["token"] for entry in told) == "a 你" and len(told[0]["top_logprobs"]) == 2
    pieces = ask("repeat: a 你", model="qwen-plus-2025-07-28", logprobs=True, stream=True, incremental_output=True)
    tokens = [entry["token"] for piece in pieces for entry in first(piece)["logprobs"]["content"]]
    assert "".join(tokens) == "a 你"


def test_pictures_are_looked_at(url: str, tmp_path: pathlib.Path) -> None:
    answer = look([{"image": "https://example.com/a.png"}, {"image": picture(3, 5)}, {"text": "Compare them."}])
    content = first(answer).message.content
    assert isinstance(content, list) and "3" in content[0]["text"]
    assert answer.usage["image_tokens"] > 0 and last_row(url)["prompt_tokens"] == answer.usage.input_tokens
    pieces = list(look("repeat: 你好🙂", stream=True, incremental_output=True))
    assert "".join(part["text"] for piece in pieces for part in first(piece).message.content) == "你好🙂"
    assert first(pieces[-1]).message.content == []


def test_refusals_are_told_in_the_platforms_words(url: str) -> None:
    def refused(answer: Any) -> tuple[int, str, str]:
        assert answer.output is None and answer.request_id
        return answer.status_code, answer.code, answer.message

    assert refused(ask("Hi", api_key="bad"))[:2] == (401, "InvalidApiKey")
    assert refused(ask("Hi", model="qwen-nothing")) == (404, "ModelNotFound", "Model can not be found.")
    invalid = (400, "InvalidParameter")
    for more, words in [
        ({"n": 5}, "Range of n should be [1, 4]"),
        ({"temperature": 2}, "Temperature should be in [0.0, 2.0)"),
        ({"top_p": 0}, "Range of top_p should be (0.0, 1.0]"),
        ({"seed": -1}, "Range of seed"),
        ({"max_tokens": 0}, "Range of max_tokens should be [1, 32768]"),
        ({"top_logprobs": 6}, "Range of top_logprobs"),
        ({"result_format": "html"}, "result_format"),
        ({"enable_thinking": True}, "must be set to false for non-streaming calls"),
        ({"tools": [WEATHER], "result_format": "text"}, "result_format"),
        ({"response_format": {"type": "json_object"}}, "must contain the word 'json'"),
        ({"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}, "valid string"),
        ({"messages": [{"role": "developer", "content": "Hi"}]}, "developer is not one of"),
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": "1"}]}, "tool_calls"),
        ({"model": SEES}, "url error"),
    ]:
        status, code, said = refused(ask("Hi", **more))
        assert (status, code) == invalid and words in said, (more, said)
    status, code, said = refused(ask("Hi", model="qwen3-max", enable_thinking=True))
    assert (status, code) == (400, "InvalidParameter.NotSupportEnableThinking")
    assert "url error" in refused(look("Hi", model=BLIND))[2]
    assert "this part" in refused(look([{"text": "Hi", "image": "https://example.com/a.png"}]))[2]
    assert "valid list" in post(url, body(SEES, "Hi"), MULTIMODAL).json()["message"]
    assert post(url, body(BLIND, "Hi"), **{"x-dashscope-async": "enable"}).json()["code"] == "AccessDenied"
    for lacking in ("input", "parameters"):
        rest = {key: value for key, value in body(BLIND, "Hi").items() if key != lacking}
        assert f'"{lacking}"' in post(url, rest).json()["message"]


def body(model: str, content: Any) -> dict[str, Any]:
    return {"model": model, "input": {"messages": user(content)}, "parameters": {}}


def test_a_refused_stream_is_an_event_inside_a_200(url: str) -> None:
    response = post(url, body(BLIND, "Hi") | {"parameters": {"n": 9}}, **{"x-dashscope-sse": "enable"})
    assert response.status_code == 200 and response.headers["content-type"].startswith("text/event-stream")
    assert response.text.startswith("id:1\nevent:error\n:HTTP_STATUS/400\ndata:{") and response.text.endswith("\n\n")
    (event,) = ask("Hi", n=9, stream=True)
    assert (event.status_code, event.code) == (400, "InvalidParameter") and "Range of n" in event.message
    (event,) = ask("Hi", enable_thinking=True, stream=True)
    assert "incremental_output" in event.message
    # What is refused before a model is reached has its own status.
    (event,) = ask("Hi", api_key="bad", stream=True)
    assert (event.status_code, event.code) == (401, "InvalidApiKey")


@pytest.mark.proves("dashscope", "errors", of="qwen, DashScope")
@pytest.mark.parametrize("trouble, status, code", [
    ("rate_limited", 429, "Throttling.RateQuota"),
    ("quota_exhausted", 403, "AllocationQuota.FreeTierOnly"),
    ("auth_expired", 401, "InvalidApiKey"),
    ("banned", 403, "Workspace.AccessDenied"),
    ("overloaded", 503, "ModelUnavailable"),
    ("upstream_fault", 500, "InternalError.Algo"),
    ("content_filtered", 400, "DataInspectionFailed"),
    ("context_length", 400, "InvalidParameter"),
    ("not_found", 404, "ModelNotFound"),
    ("html", 502, "Unknown"),
])
def test_it_fails_as_told(url: str, trouble: str, status: int, code: str) -> None:
    fault(url, kind="class", **{"class": trouble})
    answer = ask("Hi")
    assert (answer.status_code, answer.code) == (status, code)
    assert first(ask("Hi")).finish_reason == "stop"


def test_a_stream_breaks_as_told(url: str) -> None:
    fault(url, kind="error_mid_stream", after_events=3)
    *good, bad = ask("say 50 words", stream=True, incremental_output=True)
    assert [event.status_code for event in good] == [200] * 3
    assert bad.code == "InternalError.Algo" and bad.output is None
    assert 0 < last_row(url)["completion_tokens"] < 50

    fault(url, kind="split", bytes=1)
    events = ask("repeat: 你好🙂", stream=True, incremental_output=True)
    assert "".join(first(event).message.content for event in events) == "你好🙂"


def test_both_faces_keep_one_set_of_books(url: str) -> None:
    def requests() -> int:
        return int(httpx2.get(f"{url}/_sim/ledger").json()["credentials"]["…abc123"]["requests"])

    ask("Hi")
    before = requests()
    ask("Hi")
    headers = {"authorization": f"Bearer {KEY}"}
    chat = {"model": BLIND, "messages": user("Hi")}
    httpx2.post(f"{url}/compatible-mode/v1/chat/completions", json=chat, headers=headers).raise_for_status()
    assert requests() == before + 2
    paths = [request["path"] for request in httpx2.get(f"{url}/_sim/requests?last=2").json()]
    assert paths == ["/api/v1/services/aigc/text-generation/generation", "/compatible-mode/v1/chat/completions"]


# Fixtures: the same requests must give answers of the same shape.


def cases() -> list[pathlib.Path]:
    answered = (case for case in sorted(FIXTURES.glob("dashscope_*/")) if "error_" not in case.name)
    return [case for case in answered if "content_filter" not in case.name]


def shape(value: Any) -> Any:
    """The keys of a value, without its content."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value[:1]]
    return "text" if isinstance(value, str) else "null" if value is None else "number"


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_answers_have_the_shape_of_the_fixtures(url: str, case: pathlib.Path) -> None:
    request = json.loads((case / "platform_request.json").read_text())
    stream = case / "platform_stream.sse"
    # A key that nobody used yet has nothing in the platform's cache.
    headers = {"authorization": f"Bearer sk-{uuid.uuid4().hex}"}
    if stream.exists():
        headers["x-dashscope-sse"] = "enable"
    task = MULTIMODAL if "-vl-" in request["model"] else TEXT
    response = post(url, request, task, **headers)
    assert response.status_code == 200, response.text
    if not stream.exists():
        assert shape(response.json()) == shape(json.loads((case / "platform_response.json").read_text()))
        return
    wanted, found = shapes(stream.read_text()), shapes(response.text)
    assert not wanted - found, "missing"
    assert not found - wanted, "unheard of"


def shapes(text: str) -> set[str]:
    """The lines of each event, its data by their shape alone."""
    def shown(line: str) -> str:
        name, _, value = line.partition(":")
        return json.dumps(shape(json.loads(value)), sort_keys=True) if name == "data" else name or line

    events = text.removesuffix("\n\n").split("\n\n")
    assert [event.split("\n")[0] for event in events] == [f"id:{number + 1}" for number in range(len(events))]
    return {"\n".join(map(shown, event.split("\n"))) for event in events}


def test_a_picture_that_is_none_is_still_a_url(url: str) -> None:
    blob = base64.b64encode(b"no picture").decode()
    assert first(look([{"image": f"data:image/png;base64,{blob}"}, {"text": "What is it?"}])).finish_reason == "stop"
