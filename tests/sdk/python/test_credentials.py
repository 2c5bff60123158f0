"""The gateway over every kind of key that a platform documents, by the official SDK and by LangChain.

Each kind is an account of its own, bound as an operator binds it, and asked for by its id.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from conftest import PLATFORMS, STORES
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI
from openai import APIStatusError, OpenAI, RateLimitError

from harness import RedisServer, Served, Simulated, bare_simulator
from harness.secrets import traces
from harness.words import WEATHER, user

# By platform and kind: one account of each, for both languages' tests.
KINDS: dict[tuple[str, str], dict[str, Any]] = {
    (kind["platform"], kind["kind"]): kind
    for kind in json.loads((Path(__file__).parents[1] / "kinds.json").read_text())
}
# Those that cost the platform a request of the account's own to check are not checked.
UNCHECKED = {"spark"}
CLIENT = "openai (Python)"


def file_of(kind: dict[str, Any]) -> str:
    """What its key file holds."""
    key = kind["key"]
    return key if isinstance(key, str) else json.dumps(key)


def name_of(kind: tuple[str, str]) -> str:
    return "-".join(kind).replace(", ", "-").lower()


@dataclass
class Bench:
    """A gateway with an account of every kind."""

    served: Served
    platforms: dict[str, Simulated]
    token: str
    accounts: dict[tuple[str, str], int]
    folder: Path
    redis: RedisServer | None

    def client(self, kind: tuple[str, str]) -> OpenAI:
        return self.served.client(self.token, default_headers={"X-Account-Id": str(self.accounts[kind])})

    def model(self, kind: tuple[str, str]) -> str:
        return self.platforms[kind[0]].model

    def stored(self) -> dict[str, bytes]:
        if self.redis:
            return self.redis.written()
        return {path.name: path.read_bytes() for path in self.folder.glob("tributary.db*")}


@pytest.fixture(scope="module", params=STORES)
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("credentials")
    (folder / "redis").mkdir()
    redis = RedisServer(folder / "redis") if request.param == "redis" else None
    try:
        with bare_simulator() as found:
            platforms = {name: Simulated(name, found[name]["url"], found[name]["model"]) for name in PLATFORMS}
            store = redis.url if redis else f"sqlite:{folder / 'tributary.db'}"
            served = Served(store, folder, list(platforms.values()), RUST_LOG="trace")
            served.command("user", "add", "owner")
            accounts = {
                kind: served.bind("owner", kind[0], name_of(kind), file_of(held), held.get("dialect"))["id"]
                for kind, held in KINDS.items()
            }
            token = served.command("token", "create", "--user", "owner")["token"]
            served.start()
            try:
                yield Bench(served, platforms, token, accounts, folder, redis)
            finally:
                assert served.stop() == 0
    finally:
        if redis:
            redis.stop()


@pytest.fixture(params=KINDS, ids=name_of)
def kind(request: pytest.FixtureRequest) -> tuple[str, str]:
    found: tuple[str, str] = request.param
    return found


@pytest.mark.proves(CLIENT, "whole", "streamed")
def test_an_answer_is_whole_and_streamed(bench: Bench, kind: tuple[str, str]) -> None:
    with bench.client(kind) as client:
        asked = {"model": bench.model(kind), "messages": user("repeat: 长城, 🙂 wall")}
        raw = client.chat.completions.with_raw_response.create(**asked)
        chunks = list(client.chat.completions.create(**asked, stream=True))

    assert raw.headers["x-tributary-account"] == str(bench.accounts[kind])
    answer = raw.parse()
    assert answer.choices[0].message.content == "长城, 🙂 wall"
    assert answer.usage and answer.usage.completion_tokens > 0
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == "长城, 🙂 wall" and chunks[-1].choices[0].finish_reason == "stop"


@pytest.mark.proves(CLIENT, "tools")
def test_a_tool_is_called_and_its_result_used(bench: Bench, kind: tuple[str, str]) -> None:
    question = user("What is the weather in Paris, in celsius?")
    with bench.client(kind) as client:
        asked = {"model": bench.model(kind), "tools": [WEATHER]}
        first = client.chat.completions.create(messages=question, tool_choice="required", **asked)
        [call] = first.choices[0].message.tool_calls or []
        assert call.type == "function" and call.function.name == "get_weather"
        result = {"role": "tool", "tool_call_id": call.id, "content": "19 degrees"}
        history = [*question, first.choices[0].message.model_dump(exclude_none=True), result]
        second = client.chat.completions.create(messages=history, **asked)

    assert "19 degrees" in (second.choices[0].message.content or "")


@pytest.mark.proves("langchain-openai", "whole", "streamed", "tools", "errors")
def test_langchain_speaks_through_the_gateway(bench: Bench, kind: tuple[str, str]) -> None:
    chat = ChatOpenAI(
        model=bench.model(kind),
        base_url=bench.served.base_url,
        api_key=bench.token,
        max_retries=0,
        default_headers={"X-Account-Id": str(bench.accounts[kind])},
        stream_usage=True,
    )
    whole = chat.invoke([HumanMessage("repeat: 长城, 🙂 wall")])
    assert whole.content == "长城, 🙂 wall"
    assert whole.usage_metadata and whole.usage_metadata["output_tokens"] > 0

    pieces = list(chat.stream([HumanMessage("repeat: one two 三 🙂")]))
    assert "".join(str(piece.content) for piece in pieces) == "one two 三 🙂"

    called = chat.bind_tools([WEATHER]).invoke([HumanMessage("What is the weather in Paris, in celsius?")])
    [call] = called.tool_calls
    assert call["name"] == "get_weather" and call["args"]["city"]

    platform = bench.platforms[kind[0]]
    platform.fail("overloaded", times=1)
    try:
        with pytest.raises(APIStatusError) as raised:
            chat.invoke([HumanMessage("hello")])
    finally:
        platform.mend()
    assert (raised.value.status_code, raised.value.code) == (502, "upstream_error")


@pytest.mark.proves(CLIENT, "errors")
def test_an_error_is_the_platforms(bench: Bench, kind: tuple[str, str]) -> None:
    platform = bench.platforms[kind[0]]
    platform.fail("overloaded", times=1)
    try:
        with bench.client(kind) as client, pytest.raises(APIStatusError) as raised:
            client.chat.completions.create(model=platform.model, messages=user("hello"))
    finally:
        platform.mend()
    assert (raised.value.status_code, raised.value.code) == (502, "upstream_error")
    platform.fail("quota_exhausted", times=1)
    try:
        with bench.client(kind) as client, pytest.raises(RateLimitError) as limited:
            client.chat.completions.create(model=platform.model, messages=user("hello"))
    finally:
        platform.mend()
    assert limited.value.code == "insufficient_quota"
    # A check that the platform takes ends a pause; one model's block ends by itself.
    checked = bench.served.command("account", "check", "--user", "owner", name_of(kind))
    assert checked["verdict"] == "valid" or kind[0] in UNCHECKED, checked


def test_no_key_nor_what_is_made_of_it_is_logged_or_stored_in_clear(bench: Bench) -> None:
    places = {
        "standard output": bench.served.child.out.read_bytes(),
        "standard error": bench.served.child.err.read_bytes(),
        "metrics": httpx2.get(f"{bench.served.operator_url}/metrics").content,
        "account list": json.dumps(bench.served.command("account", "list")).encode(),
    } | bench.stored()
    hits = [trace for kind in KINDS.values() for trace in traces(kind["secret"], places)]
    assert not hits, "\n".join(hits)
    # What the simulated issuer makes, and what signs or is signed for one call.
    made = re.compile(rb"ALTAK-[0-9a-f]{21}/[0-9a-f]{40}|bce-auth-v1/ALTAK|eyJ[\w-]{20,}\.eyJ")
    shown = {place: made.findall(held)[:3] for place, held in places.items() if made.search(held)}
    assert not shown, shown
    # There was something to find, and it is what is looked for.
    issuer = bench.platforms["ernie"].url
    assert httpx2.get(f"{issuer}/_sim/keys").json()["made"] >= 2
    long_lived = {"Authorization": "Bearer bce-v3/ALTAK-another/00000ernie07"}
    issued = httpx2.get(f"{issuer}/v1/BCE-BEARER/token", headers=long_lived).json()["token"]
    assert made.search(issued.encode()), issued
