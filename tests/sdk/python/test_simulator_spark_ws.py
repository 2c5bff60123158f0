"""Spark's simulated WebSocket, judged by iFlytek's own SDK and by the fixtures.

Nothing of the gateway runs here: the SDK speaks to the platform's origin directly.
"""

import base64
import gc
import json
import os
import pathlib
import subprocess
import time
import warnings
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import websocket
from sparkai.core.messages import ChatMessage
from sparkai.errors import SparkAIConnectionError
from sparkai.llm.llm import ChatSparkLLM, _SparkLLMClient

# The SDK leaves its sockets to the collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

ROOT = pathlib.Path(__file__).resolve().parents[3]
FIXTURES = ROOT / "tests" / "fixtures" / "spark"
KEY = "0123456789abcdef0123456789abc123"
SECRET = base64.b64encode(KEY[::-1].encode()).decode()
PATHS = {"lite": "/v1.1/chat", "generalv3.5": "/v3.5/chat", "4.0Ultra": "/v4.0/chat", "spark-x": "/v1/x1"}
ODD = "Grüße, 世界！🙂👩‍👩‍👧 \"quoted\" \\ 长城"
WEATHER: Any = {
    "name": "get_weather",
    "description": "查询一个城市现在的天气 (weather)",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture(scope="module", autouse=True)
def left_over() -> Iterator[None]:
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    if given := os.environ.get("SIMULATOR"):
        text = given if given.lstrip().startswith("{") else pathlib.Path(given).read_text()
        yield json.loads(text)["spark"]["url"]
        return
    run = ["cargo", "run", "--quiet", "--example", "simulate"]
    with subprocess.Popen(run, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield json.loads(process.stdout.readline())["spark"]["url"]
        process.terminate()


def address(url: str, model: str) -> str:
    return url.replace("http://", "ws://") + PATHS[model]


def spark(url: str, model: str = "generalv3.5", **more: Any) -> ChatSparkLLM:
    options = {
        "spark_api_url": address(url, model),
        "spark_app_id": KEY[:8],
        "spark_api_key": KEY,
        "spark_api_secret": SECRET,
        "spark_llm_domain": model,
        "request_timeout": 10,
    }
    return ChatSparkLLM(**(options | more))


def user(text: str) -> list[ChatMessage]:
    return [ChatMessage(role="user", content=text)]


def ask(llm: ChatSparkLLM, messages: list[ChatMessage], **more: Any) -> tuple[Any, dict[str, int]]:
    """The answer's message, and its usage."""
    result = llm.generate([messages], **more)
    return result.generations[0][0].message, result.llm_output["token_usage"]


def refused(llm: ChatSparkLLM, text: str = "你好") -> SparkAIConnectionError:
    with pytest.raises(SparkAIConnectionError) as caught:
        ask(llm, user(text))
    return caught.value


def frame(model: str, text: str, **chat: Any) -> dict[str, Any]:
    """A request frame as the SDK writes it."""
    return {
        "header": {"app_id": KEY[:8], "uid": "tester"},
        "parameter": {"chat": {"domain": model, **chat}},
        "payload": {"message": {"text": [{"role": "user", "content": text}]}},
    }


def signed(url: str, model: str) -> str:
    return str(_SparkLLMClient._create_url(address(url, model), KEY, SECRET))


def frames(url: str, model: str, request: Any) -> list[dict[str, Any]]:
    """What comes back to a request on the wire."""
    socket = websocket.create_connection(signed(url, model), timeout=10)
    socket.send(request if isinstance(request, str) else json.dumps(request))
    found = []
    while text := socket.recv():
        found.append(json.loads(text))
    socket.close()
    return found


def code(found: list[dict[str, Any]]) -> int:
    assert len(found) == 1 and found[0]["header"]["status"] == 2, found
    return int(found[0]["header"]["code"])


def last_row(url: str) -> dict[str, Any]:
    return httpx2.get(f"{url}/_sim/ledger?last=1").json()["requests"][-1]


@pytest.fixture
def fault(url: str) -> Iterator[Any]:
    def add(**fault: Any) -> None:
        httpx2.post(f"{url}/_sim/faults", json=fault).raise_for_status()

    yield add
    httpx2.delete(f"{url}/_sim/faults").raise_for_status()


@pytest.mark.proves("spark_ai_python", "whole", of="spark, WebSocket")
def test_a_whole_answer_adds_up_and_is_in_the_books(url: str) -> None:
    message, usage = ask(spark(url), user(f"repeat: {ODD}"))
    assert message.content == ODD
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    row = last_row(url)
    assert (row["credential"], row["model"], row["status"], row["done"]) == ("…abc123", "generalv3.5", 200, True)
    assert (row["prompt_tokens"], row["completion_tokens"]) == (usage["prompt_tokens"], usage["completion_tokens"])
    assert row["id"].startswith("cht")


@pytest.mark.proves("spark_ai_python", "streamed", of="spark, WebSocket")
def test_a_streamed_answer_comes_in_pieces(url: str, fault: Any) -> None:
    # In fragments of three bytes, so inside of letters too.
    fault(kind="split", bytes=3)
    chunks = list(spark(url, streaming=True).stream(user(f"repeat: {ODD} and on and on and on and on")))
    assert "".join(chunk.content for chunk in chunks) == f"{ODD} and on and on and on and on"
    assert len(chunks) > 5
    assert chunks[-1].additional_kwargs["token_usage"]["completion_tokens"] > 10


@pytest.mark.proves("spark_ai_python", "tools", of="spark, WebSocket")
@pytest.mark.parametrize("streaming", [False, True])
def test_a_function_is_called_with_arguments_that_fit(url: str, streaming: bool) -> None:
    message, _ = ask(spark(url, streaming=streaming), user("合肥的天气怎么样?"), function_definition=[WEATHER])
    assert message.function_call["name"] == "get_weather"
    assert json.loads(message.function_call["arguments"]) == {"city": "合肥"}


def test_a_result_in_words_is_answered_without_another_call(url: str) -> None:
    history = user("合肥的天气怎么样?") + [
        ChatMessage(role="assistant", content='[调用 get_weather] {"city":"合肥"}'),
        ChatMessage(role="user", content='[get_weather 的结果] {"temp":26,"sky":"多云"}'),
    ]
    message, _ = ask(spark(url), history, function_definition=[WEATHER])
    assert "26" in message.content and not hasattr(message, "function_call")


def test_instructions_stand_first_and_the_sdk_makes_later_ones_the_users(url: str) -> None:
    history = [ChatMessage(role="system", content="Answer with one JSON object."), *user("Hello")]
    message, _ = ask(spark(url), history)
    assert isinstance(json.loads(message.content), dict)
    late = [*user("Hello"), ChatMessage(role="system", content="repeat: later")]
    assert ask(spark(url), late)[0].content == "later"
    request = frame("lite", "Hello")
    request["payload"]["message"]["text"].append({"role": "system", "content": "later"})
    assert code(frames(url, "lite", request)) == 10005


def test_thinking_comes_before_the_answer_and_can_be_left_out(url: str) -> None:
    def texts(**chat: Any) -> list[dict[str, Any]]:
        found = frames(url, "spark-x", frame("spark-x", "17×3+9 等于多少?", **chat))
        return [text for one in found for text in one["payload"]["choices"]["text"]]

    thought = [text.get("reasoning_content") for text in texts()]
    assert any(thought) and not thought[-1]
    assert not any(text.get("reasoning_content") for text in texts(thinking={"type": "disabled"}))


def test_frames_are_numbered_and_the_last_one_counts(url: str) -> None:
    found = frames(url, "lite", frame("lite", "say 20 words"))
    statuses = [one["header"]["status"] for one in found]
    assert statuses == [0, *[1] * (len(found) - 2), 2]
    assert [one["payload"]["choices"]["seq"] for one in found] == list(range(len(found)))
    assert [one["payload"]["choices"]["status"] for one in found] == statuses
    assert ["usage" in one["payload"] for one in found] == [False] * (len(found) - 1) + [True]


def shape(value: Any) -> Any:
    """The keys of a value, without its content."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value[:1]]
    return "text" if isinstance(value, str) else "number"


def frames_of(case: pathlib.Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (case / "platform_frames.jsonl").read_text().splitlines()]


def answers() -> list[pathlib.Path]:
    """The cases whose every frame is of an answer."""
    found = sorted(file.parent for file in FIXTURES.glob("*/platform_frames.jsonl"))
    return [case for case in found if not any(one["header"]["code"] for one in frames_of(case))]


@pytest.mark.parametrize("case", answers(), ids=lambda case: case.name)
def test_frames_have_the_shape_of_the_fixtures(url: str, case: pathlib.Path) -> None:
    wanted = frames_of(case)
    request = json.loads((case / "platform_request.json").read_text())
    request["header"]["app_id"] = KEY[:8]
    found = frames(url, request["parameter"]["chat"]["domain"], request)
    assert {json.dumps(shape(one), sort_keys=True) for one in found} <= {
        json.dumps(shape(one), sort_keys=True) for one in wanted
    }
    assert shape(found[-1]) == shape(wanted[-1])


CLASSES = {
    "error_content_filter": "content_filtered",
    "error_context_length": "context_length",
    "error_overloaded": "overloaded",
    "error_permission": "not_found",
    "error_quota": "quota_exhausted",
    "error_rate_limit": "rate_limited",
}


@pytest.mark.proves("spark_ai_python", "errors", of="spark, WebSocket")
@pytest.mark.parametrize("case, kind", CLASSES.items())
def test_failures_are_the_fixtures(url: str, fault: Any, case: str, kind: str) -> None:
    (wanted,) = frames_of(FIXTURES / case)
    fault(kind="class", **{"class": kind})
    (found,) = frames(url, "generalv3.5", frame("generalv3.5", "你好"))
    assert shape(found) == shape(wanted)
    assert found["header"]["code"] == wanted["header"]["code"]
    words = [one["header"]["message"].split(")")[-1] for one in (found, wanted)]
    assert words[0] == words[1]
    row = last_row(url)
    assert (row["prompt_tokens"], row["completion_tokens"]) == (0, 0)


@pytest.mark.parametrize("case", ["error_auth_expired", "error_auth_unknown_key", "error_clock_skew"])
def test_a_handshake_is_refused_as_the_fixtures_say(url: str, fault: Any, case: str) -> None:
    wanted = json.loads((FIXTURES / case / "platform_response.json").read_text())
    options = {}
    if case == "error_auth_expired":
        options["spark_api_secret"] = base64.b64encode(KEY.encode()).decode()
    elif case == "error_auth_unknown_key":
        options["spark_api_key"] = "nobodys"
    else:
        fault(kind="clock", ahead_s=330, times=0)
    said = str(refused(spark(url, **options)))
    assert f"Handshake status {wanted['status']} " in said
    assert wanted["body"]["message"] in said


@pytest.mark.parametrize("ahead", [-290, 290])
def test_a_clock_that_differs_by_less_than_five_minutes_is_taken(url: str, fault: Any, ahead: int) -> None:
    fault(kind="clock", ahead_s=ahead, times=0)
    assert ask(spark(url), user("repeat: on time"))[0].content == "on time"


def test_what_is_signed_is_what_is_asked_for(url: str) -> None:
    good = signed(url, "lite")
    for bad in (
        good.replace("/v1.1/", "/v3.1/"),
        good.replace("&host=127", "&host=128"),
        good.replace("&date=", "&date=+"),
    ):
        with pytest.raises(websocket.WebSocketBadStatusException) as caught:
            websocket.create_connection(bad, timeout=10)
        assert caught.value.status_code in (401, 403), bad
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        websocket.create_connection(address(url, "lite"), timeout=10)
    assert caught.value.status_code == 401


@pytest.mark.parametrize(
    "more, found",
    [
        ({"temperature": 1.5}, 10163),
        ({"temperature": 0}, 10163),
        ({"top_k": 7}, 10163),
        ({"max_tokens": 10**9}, 10163),
        ({"domain": "generalv3"}, 11200),
    ],
)
def test_what_the_vendor_refuses_is_refused(url: str, more: dict[str, Any], found: int) -> None:
    request = frame("generalv3.5", "你好")
    request["parameter"]["chat"] |= more
    assert code(frames(url, "generalv3.5", request)) == found


def test_a_frame_that_is_none_is_refused(url: str) -> None:
    assert code(frames(url, "lite", "no JSON")) == 10003
    other = frame("lite", "你好")
    other["header"]["app_id"] = "00000000"
    assert code(frames(url, "lite", other)) == 10005
    empty = frame("lite", "你好")
    empty["payload"]["message"]["text"] = []
    assert code(frames(url, "lite", empty)) == 10004
    foreign = frame("lite", "你好") | {"messages": []}
    assert code(frames(url, "lite", foreign)) == 10004
    tools = frame("lite", "你好")
    tools["payload"]["functions"] = {"text": [WEATHER]}
    assert code(frames(url, "lite", tools)) == 10005
    assert code(frames(url, "lite", frame("lite", "长" * 9000))) == 10907


def test_an_error_in_the_middle_and_a_cut_are_told_apart(url: str, fault: Any) -> None:
    fault(kind="error_mid_stream", after_events=2)
    found = frames(url, "lite", frame("lite", "say 50 words"))
    assert [one["header"]["code"] for one in found] == [0, 0, 10012]
    fault(kind="cut", after_bytes=600)
    with pytest.raises((websocket.WebSocketConnectionClosedException, ConnectionError)):
        frames(url, "lite", frame("lite", "say 50 words"))


def test_who_hangs_up_is_billed_what_was_made(url: str) -> None:
    socket = websocket.create_connection(signed(url, "lite"), timeout=10)
    socket.send(json.dumps(frame("lite", "pace 10 ms, say 5000 words")))
    socket.recv()
    socket.shutdown()
    end = time.monotonic() + 5
    while not last_row(url)["cancelled"]:
        assert time.monotonic() < end, last_row(url)
        time.sleep(0.01)
    assert 0 < last_row(url)["completion_tokens"] < 2000
