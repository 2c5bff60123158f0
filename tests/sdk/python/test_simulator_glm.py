"""The simulated GLM, judged by Zhipu's own SDK, which signs its own tokens.

Nothing of the gateway runs here: the SDK speaks to the platform's origin directly.
"""

import time
from collections.abc import Iterator
from typing import Any

import httpx2
import jwt
import pytest
import zai
from zai import ZaiClient

from harness import bare_simulator

# Zhipu's secrets have 16 characters, which the library would have longer.
pytestmark = pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")

ID = "0123456789abcdef0123456789abc123"
SECRET = ID[16:]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city now.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
OFF: Any = {"type": "disabled"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with bare_simulator() as platforms:
        yield platforms["glm"]["url"]


def client_of(url: str, key: str, **options: Any) -> ZaiClient:
    return ZaiClient(api_key=key, base_url=f"{url}/api/paas/v4", max_retries=0, timeout=20, **options)


# The bare key, and a token that the SDK signs with it.
@pytest.fixture(params=["key", "token"])
def client(url: str, request: pytest.FixtureRequest) -> ZaiClient:
    return client_of(url, f"{ID}.{SECRET}", disable_token_cache=request.param == "key")


def ask(client: ZaiClient, words: str, **more: Any) -> Any:
    messages = [{"role": "user", "content": words}]
    return client.chat.completions.create(model="glm-4.7", messages=messages, thinking=OFF, **more)


@pytest.mark.proves("zai-sdk", "whole", of="glm")
def test_a_whole_answer_adds_up_and_is_in_the_books(client: ZaiClient, url: str) -> None:
    answer = ask(client, "repeat: 长城, 🙂 wall")

    assert answer.choices[0].message.content == "长城, 🙂 wall"
    assert answer.choices[0].finish_reason == "stop"
    row = httpx2.get(f"{url}/_sim/ledger?last=1").json()["requests"][-1]
    assert (row["prompt_tokens"], row["completion_tokens"]) == (
        answer.usage.prompt_tokens,
        answer.usage.completion_tokens,
    )
    assert row["credential"] == "…abc123"


@pytest.mark.proves("zai-sdk", "streamed", of="glm")
def test_a_stream_is_the_whole_answer_in_pieces(client: ZaiClient) -> None:
    chunks = list(ask(client, "repeat: one two 三四 🙂 five", stream=True))

    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert len(chunks) > 1 and "".join(pieces) == "one two 三四 🙂 five"
    assert chunks[-1].usage.completion_tokens > 0


@pytest.mark.proves("zai-sdk", "tools", of="glm")
@pytest.mark.parametrize("streamed", [False, True])
def test_tools_are_called(client: ZaiClient, streamed: bool) -> None:
    answer = ask(client, "What is the weather in Paris?", tools=[WEATHER], stream=streamed)

    calls = [call for chunk in answer if chunk.choices for call in chunk.choices[0].delta.tool_calls or []] if (
        streamed
    ) else answer.choices[0].message.tool_calls
    assert calls[0].function.name == "get_weather"
    assert "city" in "".join(call.function.arguments or "" for call in calls)


@pytest.mark.proves("zai-sdk", "errors", of="glm")
def test_errors_have_the_sdks_types(client: ZaiClient, url: str) -> None:
    for trouble, error in [
        ("rate_limited", zai.core.APIReachLimitError),
        ("auth_expired", zai.core.APIAuthenticationError),
        ("content_filtered", zai.core.APIRequestFailedError),
        ("upstream_fault", zai.core.APIInternalError),
    ]:
        fault = {"kind": "class", "class": trouble, "on": "chat"}
        httpx2.post(f"{url}/_sim/faults", json=fault).raise_for_status()
        with pytest.raises(error):
            ask(client, "hello")
    with pytest.raises(zai.core.APIRequestFailedError, match="1211"):
        client.chat.completions.create(model="no-such-model", messages=[{"role": "user", "content": "hello"}])


def test_a_token_of_a_wrong_secret_is_refused(url: str) -> None:
    client = client_of(url, f"{ID}.{SECRET[::-1]}", disable_token_cache=False)
    with pytest.raises(zai.core.APIAuthenticationError):
        ask(client, "hello")


@pytest.mark.parametrize(
    ("header", "claims", "status"),
    [
        ({"sign_type": "SIGN"}, {}, 200),
        ({}, {}, 401),
        ({"sign_type": "SIGN"}, {"exp": -1000}, 401),
        ({"sign_type": "SIGN"}, {"timestamp": 900_000}, 401),
    ],
)
def test_a_token_is_checked_as_documented(url: str, header: dict[str, str], claims: Any, status: int) -> None:
    now = int(time.time() * 1000)
    payload = {"api_key": ID, "exp": now + claims.get("exp", 60_000), "timestamp": now + claims.get("timestamp", 0)}
    token = jwt.encode(payload, SECRET, algorithm="HS256", headers=header)
    body = {"model": "glm-4.7", "messages": [{"role": "user", "content": "hello"}]}
    answer = httpx2.post(
        f"{url}/api/paas/v4/chat/completions", json=body, headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == status, answer.text
