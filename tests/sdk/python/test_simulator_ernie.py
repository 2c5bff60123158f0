"""The simulated ERNIE, judged by Baidu's own SDK, which signs for its short-lived keys itself.

Nothing of the gateway runs here: the SDK speaks to the platform's origin directly.
"""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import qianfan
from qianfan.config import get_config
from qianfan.errors import QianfanError, RequestError
from qianfan.resources.console.iam import IAM

from harness import bare_simulator

ACCESS_KEY = "ALTAKqianfan0123456abc123"
SECRET_KEY = ACCESS_KEY[::-1]
LONG_KEY = "bce-v3/ALTAK-0123456789/0123456789abcdefabc123"
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city now.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with bare_simulator() as platforms:
        origin = platforms["ernie"]["url"]
        config = get_config()
        config.CONSOLE_API_BASE_URL = config.IAM_BASE_URL = origin
        yield origin


def chat_with(key: str) -> Any:
    """A client of a bearer key, which the SDK reads from its configuration alone."""
    config = get_config()
    config.BEARER_TOKEN = key
    try:
        return qianfan.ChatCompletion(version="2")
    finally:
        config.BEARER_TOKEN = None


# A long-lived key, and an access key pair of which the SDK makes short-lived ones.
@pytest.fixture(params=["key", "pair"])
def chat(url: str, request: pytest.FixtureRequest) -> Any:
    if request.param == "key":
        return chat_with(LONG_KEY)
    return qianfan.ChatCompletion(version="2", access_key=ACCESS_KEY, secret_key=SECRET_KEY)


def ask(chat: Any, words: str, **more: Any) -> Any:
    messages = [{"role": "user", "content": words}]
    return chat.do(model="ernie-5.1", messages=messages, retry_count=1, **more)


def made(url: str) -> int:
    count: int = httpx2.get(f"{url}/_sim/keys").json()["made"]
    return count


@pytest.mark.proves("qianfan", "whole", of="ernie")
def test_a_whole_answer_adds_up_and_is_in_the_books(chat: Any, url: str) -> None:
    body = ask(chat, "repeat: 长城, 🙂 wall").body

    assert body["choices"][0]["message"]["content"] == "长城, 🙂 wall"
    row = httpx2.get(f"{url}/_sim/ledger?last=1").json()["requests"][-1]
    assert (row["prompt_tokens"], row["completion_tokens"]) == (
        body["usage"]["prompt_tokens"],
        body["usage"]["completion_tokens"],
    )
    assert row["credential"] == "…abc123"


@pytest.mark.proves("qianfan", "streamed", of="ernie")
def test_a_stream_is_the_whole_answer_in_pieces(chat: Any) -> None:
    chunks = [chunk.body for chunk in ask(chat, "repeat: one two 三四 🙂 five", stream=True)]

    pieces = [chunk["choices"][0]["delta"].get("content", "") for chunk in chunks if chunk["choices"]]
    assert len(chunks) > 1 and "".join(pieces) == "one two 三四 🙂 five"


@pytest.mark.proves("qianfan", "tools", of="ernie")
@pytest.mark.parametrize("streamed", [False, True])
def test_tools_are_called(chat: Any, streamed: bool) -> None:
    answer = ask(chat, "What is the weather in Paris?", tools=[WEATHER], stream=streamed)

    if streamed:
        deltas = [chunk.body["choices"][0]["delta"] for chunk in answer if chunk.body["choices"]]
        calls = [call for delta in deltas for call in delta.get("tool_calls", [])]
    else:
        calls = answer.body["choices"][0]["message"]["tool_calls"]
    assert calls[0]["function"]["name"] == "get_weather"
    assert "city" in "".join(call["function"]["arguments"] for call in calls)


@pytest.mark.proves("qianfan", "errors", of="ernie")
def test_errors_carry_the_vendors_codes(chat: Any, url: str) -> None:
    for trouble, code in [
        ("rate_limited", "rpm_rate_limit_exceeded"),
        ("auth_expired", "invalid_iam_token"),
        ("content_filtered", "system_unsafe"),
        ("upstream_fault", "internal_error"),
    ]:
        fault = {"kind": "class", "class": trouble, "on": "chat"}
        httpx2.post(f"{url}/_sim/faults", json=fault).raise_for_status()
        with pytest.raises(RequestError, match=f'"code":"{code}"'):
            ask(chat, "hello")


def test_a_short_lived_key_is_made_as_the_sdk_asks_and_ends(url: str) -> None:
    before = made(url)
    issued = IAM.create_bearer_token(expire_in_seconds=600, ak=ACCESS_KEY, sk=SECRET_KEY).body

    assert made(url) == before + 1
    chat = chat_with(issued["token"])
    assert ask(chat, "repeat: 好").body["choices"][0]["message"]["content"] == "好"
    httpx2.delete(f"{url}/_sim/keys").raise_for_status()
    with pytest.raises(RequestError, match="invalid_iam_token"):
        ask(chat, "hello")


@pytest.mark.parametrize(
    ("access", "secret", "life"),
    [(ACCESS_KEY, SECRET_KEY[::-1], 600), ("AKIA0123456789", "x", 600), (ACCESS_KEY, SECRET_KEY, 299)],
)
def test_a_wrong_signature_key_or_life_is_refused(url: str, access: str, secret: str, life: int) -> None:
    before = made(url)
    with pytest.raises(QianfanError):
        IAM.create_bearer_token(expire_in_seconds=life, ak=access, sk=secret, retry_count=1)
    assert made(url) == before
