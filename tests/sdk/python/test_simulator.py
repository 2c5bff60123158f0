"""The simulated platforms, judged by the official OpenAI SDK and by the fixtures.

Nothing of the gateway runs here: the SDK speaks to each platform's origin directly.

    pip install openai pytest jsonschema
    cargo run --example simulate > simulator.json &
    SIMULATOR=simulator.json pytest tests/sdk/python/test_simulator.py

`SIMULATOR` is the line that the example prints, or a file that holds it; without it
the test starts the example itself. `PLATFORM_FIXTURES` names the folder of fixtures
(`<platform>/<case>/platform_*`); without it that part is skipped.
"""

import datetime
import json
import os
import pathlib
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from contextlib import contextmanager
from enum import Enum
from typing import Literal, Optional

import jsonschema
import openai
import pytest
from pydantic import BaseModel, Field

ROOT = pathlib.Path(__file__).resolve().parents[3]
FIXTURES = pathlib.Path(os.environ.get("PLATFORM_FIXTURES", ROOT / "tests" / "fixtures"))
PLATFORMS = ["openai", "qwen", "glm", "ernie", "spark"]
BASES = {"openai": "/v1", "qwen": "/compatible-mode/v1", "glm": "/api/paas/v4", "ernie": "/v2",
         "spark": "/v1"}
KEYS = {
    "openai": "sk-proj-simulated-0000000000000000abc123",
    "qwen": "sk-00000000000000000000000000abc123",
    "glm": "0123456789abcdef0123456789abcdef.0123456789abc123",
    "ernie": "bce-v3/ALTAK-0123456789/0123456789abcdefabc123",
    "spark": "simulatedpassword:abc123",
}
SEES = {"openai": "gpt-5.4-mini", "qwen": "qwen3-vl-plus", "glm": "glm-4.6v",
        "ernie": "ernie-4.5-vl-28b-a3b"}
# Models that answer without thinking, or how to keep them from it.
PLAIN = {"glm": {"extra_body": {"thinking": {"type": "disabled"}}}}
PIXEL = ("data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
         "awAAAABJRU5ErkJggg==")


def tool(name, description, **properties):
    return {"type": "function", "function": {
        "name": name, "description": description,
        "parameters": {"type": "object", "properties": properties, "required": list(properties)}}}


WEATHER = tool("get_weather", "查询一个城市现在的天气 (weather)", city={"type": "string"},
               unit={"type": "string", "enum": ["celsius", "fahrenheit"]})
CLOCK = tool("get_time", "查询一个时区现在的时间 (time)", tz={"type": "string"})


@pytest.fixture(scope="session")
def platforms():
    given = os.environ.get("SIMULATOR")
    if given:
        path = pathlib.Path(given)
        yield json.loads(given if given.lstrip().startswith("{") else path.read_text())
        return
    run = ["cargo", "run", "--quiet", "--example", "simulate"]
    with subprocess.Popen(run, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        yield json.loads(process.stdout.readline())
        process.terminate()


@pytest.fixture(params=PLATFORMS)
def at(request, platforms):
    return At(request.param, platforms[request.param])


class At:
    """One platform: its SDK client and the simulator's own side."""

    def __init__(self, name, where):
        self.name, self.url, self.model = name, where["url"], where["model"]
        self.extra = PLAIN.get(name, {})
        self.client = self.of(KEYS[name])

    def of(self, key, base=None):
        base = self.url + (base or BASES[self.name])
        return openai.OpenAI(api_key=key, base_url=base, max_retries=0, timeout=20)

    def chat(self, content, **more):
        messages = content if isinstance(content, list) else [{"role": "user", "content": content}]
        more = {"model": self.model, **self.extra, **more}
        return self.client.chat.completions.create(messages=messages, **more)

    def sim(self, path, method="GET", body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_sim/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def row(self):
        return self.sim("ledger?last=1")["requests"][-1]

    @contextmanager
    def fault(self, **fault):
        self.sim("faults", "POST", fault)
        try:
            yield
        finally:
            self.sim("faults", "DELETE")

    def post(self, body, path=None, key=None):
        """A raw request: status, headers, body as text."""
        path = path or BASES[self.name] + "/chat/completions"
        headers = {"content-type": "application/json",
                   "authorization": f"Bearer {key or KEYS[self.name]}"}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()


def until(what, seconds=5):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.01)
    return False


# Text


@pytest.mark.proves("openai (Python)", "whole")
def test_a_whole_answer_adds_up_and_is_in_the_books(at):
    before = at.sim("ledger?last=0")["credentials"].get("…abc123", {"completion_tokens": 0})
    answer = at.chat("What is the capital of Anhui?")
    text = answer.choices[0].message.content
    assert "capital of Anhui" in text and answer.choices[0].message.role == "assistant"
    usage = answer.usage
    assert usage.prompt_tokens > 5 and usage.completion_tokens > 5
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    row = at.row()
    assert row["prompt_tokens"] == usage.prompt_tokens
    assert row["completion_tokens"] == usage.completion_tokens
    assert (row["status"], row["stream"], row["cancelled"], row["done"]) == (200, False, False, True)
    after = at.sim("ledger?last=0")["credentials"]["…abc123"]
    assert after["completion_tokens"] - before["completion_tokens"] == usage.completion_tokens


def test_chinese_is_answered_in_chinese_and_alike_each_time(at):
    first = at.chat("用一句话介绍长城。").choices[0].message.content
    assert "长城" in first and "您" in first
    assert first == at.chat("用一句话介绍长城。").choices[0].message.content


def test_history_and_instructions_arrive(at):
    text = at.chat([
        {"role": "system", "content": "You are a poet."},
        {"role": "user", "content": "My name is Zorro."},
        {"role": "assistant", "content": "Hello Zorro."},
        {"role": "user", "content": "What is my name?"},
    ]).choices[0].message.content
    assert "Zorro" in text and "poet" in text


@pytest.mark.proves("openai (Python)", "streamed")
def test_a_stream_says_what_the_whole_answer_says(at):
    question = "你好,请介绍一下自己 🙂"
    whole = at.chat(question)
    text, usage, finish = "", None, None
    for chunk in at.chat(question, stream=True, stream_options={"include_usage": True}):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = getattr(choice, "finish_reason", None) or finish
    assert text == whole.choices[0].message.content
    assert usage.completion_tokens == whole.usage.completion_tokens
    assert usage.prompt_tokens == whole.usage.prompt_tokens
    assert finish == (None if at.name == "spark" else "stop")
    assert at.row()["completion_tokens"] == usage.completion_tokens


def test_words_on_request(at):
    assert len(at.chat("say 50 words").choices[0].message.content.split()) == 50
    assert at.chat("repeat: a\n  b 你好🙂 ").choices[0].message.content == "a\n  b 你好🙂 "


def test_limits_cut(at):
    limit = "max_completion_tokens" if at.name == "openai" else "max_tokens"
    answer = at.chat("say 100 words", **{limit: 7})
    assert answer.usage.completion_tokens == 7
    assert len(answer.choices[0].message.content.split()) == 7
    if at.name != "spark":  # there is no finish_reason
        assert answer.choices[0].finish_reason == "length"


def test_stops_cut(at):
    if at.name == "spark":
        pytest.skip("not documented")
    answer = at.chat("repeat: one, two, STOP three", stop=["STOP"])
    assert answer.choices[0].message.content == "one, two, "


# Tools


@pytest.mark.proves("openai (Python)", "tools")
def test_a_tool_is_called_and_its_result_told(at):
    messages = [{"role": "user", "content": "What's the weather in Paris, in fahrenheit?"}]
    answer = at.chat(messages, tools=[WEATHER, CLOCK], **spark_list(at))
    calls = answer.choices[0].message.tool_calls
    assert [call.function.name for call in calls] == ["get_weather"]
    assert json.loads(calls[0].function.arguments) == {"city": "Paris", "unit": "fahrenheit"}
    if at.name != "spark":
        assert answer.choices[0].finish_reason == "tool_calls"
    call = {"id": calls[0].id, "type": "function", "function": {
        "name": "get_weather", "arguments": calls[0].function.arguments}}
    messages += [{"role": "assistant", "content": "", "tool_calls": [call]},
                 {"role": "tool", "tool_call_id": call["id"], "content": "72 and sunny"}]
    told = at.chat(messages, tools=[WEATHER, CLOCK]).choices[0].message
    assert "72 and sunny" in told.content and not told.tool_calls


def spark_list(at):
    return {"extra_body": {"tool_calls_switch": True}} if at.name == "spark" else {}


def test_tools_stream(at):
    if at.name == "spark":
        pytest.skip("one object, without index: the SDK can't read it (see the raw test)")
    extra = {"extra_body": {**at.extra.get("extra_body", {}), "tool_stream": True}} \
        if at.name == "glm" else {}
    parallel = {"parallel_tool_calls": True} if at.name == "qwen" else {}
    stream = at.chat("合肥的天气和现在的时间?", tools=[WEATHER, CLOCK], stream=True, **parallel, **extra)
    calls, finish, current = {}, None, None
    for chunk in stream:
        for choice in chunk.choices:
            finish = choice.finish_reason or finish
            for delta in choice.delta.tool_calls or []:
                # ERNIE sends no index: a new id opens the next call.
                current = delta.index if at.name != "ernie" else (delta.id or current)
                name, arguments = calls.get(current, ("", ""))
                name = name or delta.function.name or ""
                calls[current] = (name, arguments + (delta.function.arguments or ""))
    called = {name: json.loads(arguments) for name, arguments in calls.values()}
    assert called == {"get_weather": {"city": "合肥", "unit": "celsius"},
                      "get_time": {"tz": "Asia/Shanghai"}}
    assert finish == "tool_calls"


def test_one_tool_is_called_for_each_of_a_list(at):
    more = {"parallel_tool_calls": True} if at.name == "qwen" else {}
    answer = at.chat("Weather in San Francisco, Tokyo, and Paris?", tools=[WEATHER], **more,
                     **spark_list(at))
    cities = [json.loads(call.function.arguments)["city"]
              for call in answer.choices[0].message.tool_calls]
    assert cities == (["San Francisco"] if at.name == "spark" else ["San Francisco", "Tokyo", "Paris"])


def test_qwen_calls_one_tool_unless_told_otherwise(platforms):
    at = At("qwen", platforms["qwen"])
    answer = at.chat("合肥的天气和现在的时间?", tools=[WEATHER, CLOCK])
    assert len(answer.choices[0].message.tool_calls) == 1


def test_a_named_tool_is_called(at):
    named = {"type": "function", "function": {"name": "get_time"}}
    if at.name == "glm":
        with pytest.raises(openai.BadRequestError, match="tool_choice"):
            at.chat("Hello", tools=[WEATHER, CLOCK], tool_choice=named)
        return
    answer = at.chat("Hello", tools=[WEATHER, CLOCK], tool_choice=named, **spark_list(at))
    assert [c.function.name for c in answer.choices[0].message.tool_calls] == ["get_time"]
    if at.name == "qwen":
        assert answer.choices[0].finish_reason == "stop"


def test_tool_choice_none_gives_text(at):
    if at.name == "glm":
        pytest.skip("only auto")
    answer = at.chat("Weather in Paris?", tools=[WEATHER], tool_choice="none")
    assert answer.choices[0].message.content and not answer.choices[0].message.tool_calls


# Structure


class Colour(str, Enum):
    red = "red"
    green = "green"


class Step(BaseModel):
    explanation: str
    output: str


class Thing(BaseModel):
    name: str
    colour: Colour
    steps: list[Step]
    price: float | None
    tags: list[str]


def test_a_pydantic_schema_is_obeyed(at):
    if at.name not in ("openai", "qwen", "ernie"):
        pytest.skip("no json_schema")
    answer = at.client.chat.completions.parse(
        model=at.model, response_format=Thing,
        messages=[{"role": "user", "content": "Something green that costs 12.5, as JSON"}])
    thing = answer.choices[0].message.parsed
    assert thing.colour is Colour.green and thing.price == 12.5 and thing.steps


def test_a_schema_in_the_instructions_is_obeyed(at):
    if at.name not in ("glm", "spark", "qwen"):
        pytest.skip("json_schema is spoken")
    more = {} if at.name == "spark" else {"response_format": {"type": "json_object"}}
    schema = json.dumps(Thing.model_json_schema())
    answer = at.chat([
        {"role": "system", "content":
            f"Answer with one JSON object that conforms to this JSON Schema:\n{schema}"},
        {"role": "user", "content": "Something green"}], **more)
    thing = Thing.model_validate_json(answer.choices[0].message.content)
    assert thing.colour is Colour.green


def test_a_json_object(at):
    if at.name == "spark":
        pytest.skip("no response_format")
    answer = at.chat("Name a city as JSON with keys city, country.",
                     response_format={"type": "json_object"})
    assert set(json.loads(answer.choices[0].message.content)) == {"city", "country"}


def schemas():
    """Schemas as pydantic and zod write them, with every construct that they use."""
    class Node(BaseModel):
        value: int
        next: Optional["Node"]
        children: list["Node"]

    class Cat(BaseModel):
        kind: Literal["cat"]
        lives: int = Field(ge=1, le=9)

    class Dog(BaseModel):
        kind: Literal["dog"]
        breed: str = Field(min_length=3, max_length=5)

    class Everything(BaseModel):
        id: uuid.UUID
        at: datetime.datetime
        on: datetime.date
        code: str = Field(pattern=r"^[A-Z]{3}-\d{2,4}$")
        mail: str = Field(json_schema_extra={"format": "email"})
        pet: Cat | Dog = Field(discriminator="kind")
        scores: dict[str, float]
        pair: tuple[int, bool]
        ratio: float = Field(gt=0, lt=1)
        step: int = Field(multiple_of=7, gt=20)
        few: list[int] = Field(min_length=2, max_length=3)
        tags: set[str]
        either: int | str | None
        nested: list[list[Step]]

    zod = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "user": {"$ref": "#/$defs/__schema0"},
            "role": {"anyOf": [{"type": "string", "const": "admin"}, {"type": "string", "const": "user"}]},
            "both": {"allOf": [{"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]},
                               {"type": "object", "properties": {"b": {"type": "string"}}, "required": ["b"]}]},
            "map": {"type": "object", "propertyNames": {"type": "string"},
                    "additionalProperties": {"type": "boolean"}},
            "again": {"$ref": "#/properties/role"},
            "maybe": {"type": ["string", "null"]},
        },
        "required": ["user", "role", "both", "map", "again", "maybe"],
        "additionalProperties": False,
        "$defs": {"__schema0": {"type": "object", "properties": {
            "name": {"type": "string"}, "friends": {"type": "array", "items": {"$ref": "#/$defs/__schema0"}}},
            "required": ["name", "friends"], "additionalProperties": False}},
    }
    return [Thing.model_json_schema(), Node.model_json_schema(), Everything.model_json_schema(), zod]


def test_any_schema_is_obeyed_by_answers_and_arguments(platforms):
    at = At("openai", platforms["openai"])
    for schema in schemas():
        named = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
        for question in ("Alice and Bob, 3 times 0.5", "合肥有多少人口?", "x"):
            answer = at.chat(question, response_format=named).choices[0].message
            jsonschema.validate(json.loads(answer.content), schema)
            made = {"type": "function", "function": {"name": "f", "parameters": schema}}
            call = at.chat(question, tools=[made]).choices[0].message.tool_calls[0]
            jsonschema.validate(json.loads(call.function.arguments), schema)


# Images, thinking


def test_images_are_seen_where_a_model_sees(at):
    picture = [{"role": "user", "content": [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": PIXEL}}]}]
    if at.name in SEES:
        answer = at.chat(picture, model=SEES[at.name])
        assert "image/png 1x1" in answer.choices[0].message.content
        assert answer.usage.prompt_tokens > 700
    if at.name == "openai":
        return
    if at.name == "spark":
        status, _, body = at.post({"model": at.model, "messages": picture})
        assert status == 200 and json.loads(body)["code"] == 10163
        return
    with pytest.raises(openai.BadRequestError):
        at.chat(picture)


THINKERS = {
    "openai": ({"reasoning_effort": "high"}, "gpt-5.4-mini"),
    "qwen": ({"extra_body": {"enable_thinking": True}, "stream": True}, "qwen-plus"),
    "glm": ({"extra_body": {"thinking": {"type": "enabled"}}}, "glm-4.7"),
    "ernie": ({"extra_body": {"thinking": {"type": "enabled"}}}, "deepseek-v4-pro"),
    "spark": ({"extra_body": {"thinking": {"type": "enabled"}}}, "spark-x"),
}


def test_thinking_is_shown_or_billed(at):
    more, model = THINKERS[at.name]
    if at.name == "spark":
        at.client = at.of(KEYS["spark"], "/v2")
    answer = at.chat("17×3+9 等于多少?", model=model, **more)
    if at.name == "qwen":
        text = "".join(getattr(choice.delta, "reasoning_content", None) or ""
                       for chunk in answer for choice in chunk.choices)
        assert "17×3+9" in text
        with pytest.raises(openai.BadRequestError, match="non-streaming"):
            at.chat("1+1?", model=model, extra_body={"enable_thinking": True})
        return
    message = answer.choices[0].message
    thought = getattr(message, "reasoning_content", None)
    assert bool(thought) == (at.name != "openai")
    if at.name != "spark":
        assert answer.usage.completion_tokens_details.reasoning_tokens > 5


def test_several_choices_and_probabilities_of_openai(platforms):
    at = At("openai", platforms["openai"])
    answer = at.chat("Hello", n=3)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    texts = ["", ""]
    for chunk in at.chat("Hello", n=2, stream=True):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert all(texts) and texts[0] != texts[1]
    answer = at.chat("repeat: one two", model="gpt-4o", logprobs=True, top_logprobs=2)
    tokens = answer.choices[0].logprobs.content
    assert [token.token for token in tokens] == ["one", " two"]
    assert len(tokens[0].top_logprobs) == 2


# Refusals


@pytest.mark.parametrize("key", ["wrong", ""])
def test_a_bad_key_is_refused(at, key):
    with pytest.raises(openai.AuthenticationError):
        at.of(key or "-").chat.completions.create(
            model=at.model, messages=[{"role": "user", "content": "Hi"}])


def test_an_unknown_model_is_refused(at):
    wanted = {"openai": openai.NotFoundError, "qwen": openai.NotFoundError,
              "glm": openai.BadRequestError, "ernie": openai.AuthenticationError,
              "spark": openai.PermissionDeniedError}
    with pytest.raises(wanted[at.name]):
        at.chat("Hi", model="no-such-model")


BAD = {
    "openai": [({"temperature": 0.2}, "unsupported_value"), ({"max_tokens": 5}, "unsupported_parameter"),
               ({"frob": 1}, "unknown_parameter"), ({"n": 0}, "integer_below_min_value"),
               ({"messages": []}, None), ({"model": "gpt-4o", "temperature": 3}, "decimal_above_max_value"),
               ({"stop": ["a"] * 5}, None), ({"top_logprobs": 3, "model": "gpt-4o"}, None),
               ({"stream_options": {"include_usage": True}}, None), ({"tools": []}, None)],
    "qwen": [({"temperature": 2}, "invalid_parameter_error"), ({"top_p": 0}, "invalid_parameter_error"),
             ({"max_tokens": 99999999}, "invalid_parameter_error"),
             ({"n": 5}, "invalid_parameter_error"), ({"seed": 2**31}, "invalid_parameter_error"),
             ({"messages": [{"role": "developer", "content": "x"}]}, "invalid_value"),
             ({"response_format": {"type": "json_object"}}, "invalid_parameter_error"),
             ({"model": "qwen3-max", "enable_thinking": True},
              "InvalidParameter.NotSupportEnableThinking")],
    "glm": [({"temperature": 1.5}, "1214"), ({"top_p": 0}, "1214"), ({"stop": ["a", "b"]}, "1214"),
            ({"stop": "a"}, "1214"), ({"n": 2}, "1214"),
            ({"messages": [{"role": "developer", "content": "x"}]}, "1214"),
            ({"messages": [{"role": "system", "content": "x"}]}, "1214"),
            ({"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, "1214"),
            ({"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}}, "1214"),
            ({"model": "glm-5.3", "thinking": {"type": "disabled"}}, "1214")],
    "ernie": [({"temperature": 0}, "invalid_argument"), ({"top_p": 1.5}, "invalid_argument"),
              ({"stop": "a"}, "invalid_argument"), ({"stop": ["a" * 21]}, "invalid_argument"),
              ({"seed": 0}, "invalid_argument"),
              ({"messages": [{"role": "user", "content": " "}]}, "invalid_messages"),
              ({"model": "ernie-4.5-turbo-128k"}, "model_offline")],
    "spark": [({"temperature": 3}, 10163), ({"max_tokens": 10**9}, 10163),
              ({"messages": [{"role": "developer", "content": "x"}]}, 10163),
              ({"model": "lite", "tools": [WEATHER]}, 10163), ({"messages": []}, 10163)],
}


@pytest.mark.parametrize("name, bad, code", [(n, *case) for n in PLATFORMS for case in BAD[n]])
def test_what_a_platform_refuses(platforms, name, bad, code):
    at = At(name, platforms[name])
    body = {"model": at.model, "messages": [{"role": "user", "content": "Hi"}], **bad}
    status, _, text = at.post(body)
    answer = json.loads(text)
    assert status >= 400 or (name == "spark" and answer["code"] != 0), text
    found = answer["code"] if name == "spark" else answer["error"].get("code")
    assert found == code, text
    assert at.row()["prompt_tokens"] == 0


def test_tool_messages_must_answer_calls(at):
    orphan = {"role": "tool", "tool_call_id": "call_x", "content": "1"}
    call = {"id": "call_y", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    hello = {"role": "user", "content": "Hi"}
    for messages in ([hello, orphan],
                     [hello, {"role": "assistant", "content": "", "tool_calls": [call]}, hello]):
        status, _, body = at.post({"model": at.model, "messages": messages})
        assert status == 400 or json.loads(body).get("code") == 10163, body


def test_a_prompt_that_is_too_long(at):
    model = {"openai": "gpt-4o", "qwen": "qwen-max", "glm": "glm-4v-flash", "ernie": "ernie-5.1",
             "spark": "lite"}[at.name]
    status, _, body = at.post({"model": model, "messages": [
        {"role": "user", "content": "长" * 130_000}]})
    said = {"openai": "context_length_exceeded", "qwen": "Range of input length should be [1, 30720]",
            "glm": "1261", "ernie": "tokens_too_long", "spark": "10907"}
    assert said[at.name] in body, (status, body)


# The simulator's own side


def test_hanging_up_is_noticed_and_billed_until_then(at):
    stream = at.chat("pace 20 ms and say 1000 words", stream=True)
    for count, _ in enumerate(stream):
        if count == 5:
            break
    stream.close()
    assert until(lambda: at.row()["cancelled"])
    row = at.row()
    assert 0 < row["completion_tokens"] < 500 and row["stream"]
    time.sleep(0.1)
    assert at.row()["completion_tokens"] == row["completion_tokens"]


CLASSES = {
    "rate_limited": openai.RateLimitError, "quota_exhausted": openai.APIStatusError,
    "auth_expired": openai.AuthenticationError, "banned": openai.APIStatusError,
    "overloaded": openai.APIStatusError, "upstream_fault": openai.InternalServerError,
    "content_filtered": openai.APIStatusError, "context_length": openai.APIStatusError,
    "not_found": openai.APIStatusError, "html": openai.InternalServerError,
    "empty": openai.InternalServerError,
}


@pytest.mark.proves("openai (Python)", "errors")
@pytest.mark.parametrize("kind", CLASSES)
def test_faults_of_a_class_come_once(at, kind):
    with at.fault(kind="class", **{"class": kind}, credential="abc123"):
        status, _, body = at.post({"model": at.model, "messages": [
            {"role": "user", "content": "Hi"}]})
        if at.name == "spark" and status == 200:
            assert json.loads(body)["code"] != 0
        else:
            assert status >= 400
        assert at.row()["status"] == status
        assert at.chat("Hi").choices
    if at.name == "spark":
        return
    with at.fault(kind="class", **{"class": kind}), pytest.raises(CLASSES[kind]):
        at.chat("Hi")


def test_a_raw_fault(at):
    with at.fault(kind="status", status=418, body={"error": {"message": "tea"}},
                  headers={"retry-after": "7"}, model=at.model, times=0):
        for _ in range(2):
            status, headers, body = at.post({"model": at.model, "messages": []})
            assert (status, headers["retry-after"], json.loads(body)["error"]["message"]) == (
                418, "7", "tea")
    with pytest.raises(urllib.error.HTTPError) as refused:
        at.sim("faults", "POST", {"kind": "explode"})
    assert refused.value.code == 400 and b"explode" in refused.value.read()


def test_streams_break(at):
    with at.fault(kind="error_mid_stream", after_events=3):
        if at.name == "spark":  # a chunk with a code, which the SDK takes for a chunk
            chunks = list(at.chat("say 50 words", stream=True))
            assert chunks[-1].model_extra["code"] == 10012
        else:
            with pytest.raises(openai.APIError):
                list(at.chat("say 50 words", stream=True))
    assert 0 < at.row()["completion_tokens"] < 50 and not at.row()["cancelled"]
    heard = []
    with at.fault(kind="cut", after_bytes=700), pytest.raises(openai.APIConnectionError):
        for chunk in at.chat("say 500 words", stream=True):
            heard.append(chunk)
    assert heard
    assert at.row()["produced_bytes"] == 700
    with at.fault(kind="close"), pytest.raises(openai.APIConnectionError):
        at.chat("Hi")
    with at.fault(kind="hang"), pytest.raises(openai.APITimeoutError):
        at.chat("Hi", timeout=0.3)
    assert until(lambda: at.row()["cancelled"])


def test_slow_and_split_answers_are_whole(at):
    with at.fault(kind="split", bytes=1):
        text = "".join(choice.delta.content or "" for chunk in at.chat("repeat: 你好🙂", stream=True)
                       for choice in chunk.choices)
    assert text == "你好🙂"
    with at.fault(kind="delay", ms=200, where="head"):
        begun = time.monotonic()
        at.chat("Hi")
        assert time.monotonic() - begun >= 0.2


def test_what_was_sent_can_be_seen(at):
    at.chat("a peculiar question")
    last = at.sim("requests?last=1")[-1]
    assert last["body"]["messages"][0]["content"] == "a peculiar question"
    assert last["headers"]["authorization"] == "Bearer …" + KEYS[at.name][-4:]
    assert KEYS[at.name] not in json.dumps(at.sim("ledger")) + json.dumps(at.sim("requests"))


def test_models(at):
    if at.name == "spark":
        with pytest.raises(openai.NotFoundError):
            at.client.models.list()
        return
    assert at.model in [model.id for model in at.client.models.list()]
    assert at.client.models.retrieve(at.model).id == at.model
    with pytest.raises(openai.APIStatusError):
        at.client.models.retrieve("no-such-model")


def test_repeated_prompts_are_cached(platforms):
    for name in ("openai", "qwen", "glm", "ernie"):
        at = At(name, platforms[name])
        long = [{"role": "system", "content": f"{time.time()} " + "word " * 3000},
                {"role": "user", "content": "Hi"}]
        first, second = at.chat(long).usage, at.chat(long).usage
        assert second.prompt_tokens_details.cached_tokens >= 1024
        assert not first.prompt_tokens_details or not first.prompt_tokens_details.cached_tokens


# Fixtures: the same requests must give answers of the same shape.

PREFIXED = ("responses_", "siwc_", "dashscope_")


# Forms that a vendor documents beside those that the simulator speaks for this request.
OTHER_FORMS = {
    "glm/text": "no `object`, as in the reference; seen live, and spoken here",
    "glm/tools_call_named": "a thinking model that did not think",
    "glm/vision": "thinking without its count in the usage",
    "ernie/tools_call_stream": "an index, which ERNIE's reference lacks (spoken for other models)",
}


def cases():
    return list(_cases())


def _cases():
    for platform in PLATFORMS:
        for case in sorted((FIXTURES / platform).glob("*/")):
            if case.name.startswith(PREFIXED) or "error_" in case.name:
                continue
            if case.name.startswith("content_filter"):
                continue
            if platform == "spark" and not case.name.startswith("http_"):
                continue
            name = f"{platform}/{case.name}"
            marks = [pytest.mark.skip(OTHER_FORMS[name])] if name in OTHER_FORMS else []
            yield pytest.param(platform, case, id=name, marks=marks)


def shape(value):
    """The keys of a value, without its content."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value[:1]]
    return "text" if isinstance(value, str) else "null" if value is None else "number"


def events(text):
    prefix = "data:"
    lines = [line for line in text.split("\n") if line]
    assert all(line.startswith(prefix) for line in lines)
    bodies = [line[len(prefix):] for line in lines]
    padded = {body.startswith(" ") for body in bodies}
    bodies = [body.strip() for body in bodies]
    parsed = [body if body == "[DONE]" else json.loads(body) for body in bodies]
    return padded, parsed


def shapes(parsed):
    return {json.dumps(shape(event), sort_keys=True) if event != "[DONE]" else event
            for event in parsed}


@pytest.mark.parametrize("platform, case", cases())
def test_answers_have_the_shape_of_the_fixtures(platforms, platform, case):
    at = At(platform, platforms[platform])
    request = json.loads((case / "platform_request.json").read_text())
    path = "/v2/chat/completions" if request["model"] == "spark-x" else None
    stream = case / "platform_stream.sse"
    if case.name == "usage_stream" and platform == "ernie":  # has cached tokens to tell of
        request["messages"][0]["content"] = f"{time.time()} " + "word " * 2000
        at.post(request)
    status, headers, body = at.post(request, path)
    assert status == 200, body
    if not stream.exists():
        wanted = json.loads((case / "platform_response.json").read_text())
        wanted = wanted.get("body", wanted)
        assert shape(json.loads(body)) == shape(wanted)
        return
    assert headers["content-type"].startswith("text/event-stream")
    (wanted_padding, wanted), (padding, found) = events(stream.read_text()), events(body)
    assert padding == wanted_padding
    assert found[-1] == wanted[-1]
    missing, unheard = shapes(wanted) - shapes(found), shapes(found) - shapes(wanted)
    assert not missing and not unheard, f"missing {missing}\nunheard of {unheard}"


FAULT_CASES = {
    "error_auth_expired": "auth_expired", "error_content_filter": "content_filtered",
    "error_context_length": "context_length", "error_overloaded": "overloaded",
    "error_quota": "quota_exhausted", "error_rate_limit": "rate_limited", "error_not_found": "not_found",
    "error_edge_html": "html", "error_banned": "banned", "error_internal": "upstream_fault",
    "error_upstream_fault": "upstream_fault", "error_upstream": "upstream_fault",
}


def fault_cases():
    return list(_fault_cases())


def _fault_cases():
    for platform in PLATFORMS:
        for case, kind in FAULT_CASES.items():
            folder = FIXTURES / platform / (f"http_{case}" if platform == "spark" else case)
            if folder.exists():
                yield pytest.param(platform, folder, kind, id=f"{platform}/{folder.name}")


@pytest.mark.parametrize("platform, case, kind", fault_cases())
def test_errors_are_the_fixtures(platforms, platform, case, kind):
    at = At(platform, platforms[platform])
    wanted = json.loads((case / "platform_response.json").read_text())
    with at.fault(kind="class", **{"class": kind}):
        status, headers, body = at.post({"model": at.model, "messages": [
            {"role": "user", "content": "你好"}]})
    assert status == wanted["status"]
    for name in wanted["headers"]:
        assert name in headers, name
    if isinstance(wanted["body"], str):
        assert body == wanted["body"]
        return
    found = json.loads(body)
    assert shape(found) == shape(wanted["body"])
    for key in ("code", "type"):
        assert code_of(found, key) == code_of(wanted["body"], key)


def code_of(body, key):
    error = body.get("error")
    return error.get(key) if isinstance(error, dict) else body.get(key)
