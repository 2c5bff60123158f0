"""The gateway over every kind of key that a platform documents, by the official SDK and by LangChain.

Each kind is an account of its own, bound as an operator binds it, and asked for by its id.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from conftest import PLATFORMS, STORES
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI
from openai import APIStatusError, OpenAI, RateLimitError

from harness import RedisServer, Served, Simulated, bare_simulator
from harness.secrets import traces
from harness.words import WEATHER, user

PAIR = "ALTAKcredentials0123pair01"
# By platform and kind: what the key file holds, and the part of it that is secret.
KINDS: dict[tuple[str, str], tuple[str, str]] = {
    ("openai", "key"): ("sk-credentials-0001openai01", "sk-credentials-0001openai01"),
    ("qwen", "key"): ("sk-credentials-0002qwen0002", "sk-credentials-0002qwen0002"),
    ("glm", "key"): ("11111111111111111111111111abc003.0123456789abc003", "0123456789abc003"),
    ("glm", "zhipu_jwt"): (
        json.dumps({"scheme": "zhipu_jwt", "key": "2222222222222222fedcba9876abc004.fedcba9876abc004"}),
        "fedcba9876abc004",
    ),
    ("ernie", "key"): ("bce-v3/ALTAK-credentials/00000ernie05", "00000ernie05"),
    ("ernie", "baidu_iam"): (json.dumps({"access_key": PAIR, "secret_key": PAIR[::-1]}), PAIR[::-1]),
    ("ernie", "baidu_key"): (
        json.dumps({"scheme": "baidu_key", "key": "bce-v3/ALTAK-longlived/00000ernie06"}),
        "00000ernie06",
    ),
    ("spark", "key"): ("credentials-spark-password-07", "credentials-spark-password-07"),
    ("claude", "key"): ("sk-ant-credentials-0000008claude", "sk-ant-credentials-0000008claude"),
}


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
                (platform, kind): served.bind("owner", platform, f"{platform}-{kind}", file)["id"]
                for (platform, kind), (file, _) in KINDS.items()
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


@pytest.fixture(params=KINDS, ids="-".join)
def kind(request: pytest.FixtureRequest) -> tuple[str, str]:
    found: tuple[str, str] = request.param
    return found


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
    checked = bench.served.command("account", "check", "--user", "owner", f"{kind[0]}-{kind[1]}")
    assert checked["verdict"] == "valid" or kind[0] == "spark", checked


# The platform's first kind; a block of the model that the test above left is another account's.
@pytest.mark.parametrize("name", PLATFORMS)
def test_langchain_speaks_through_the_gateway(bench: Bench, name: str) -> None:
    own = bench.served.bind("owner", name, f"{name}-langchain", langchain_key(name))["id"]
    chat = ChatOpenAI(
        model=bench.platforms[name].model,
        base_url=bench.served.base_url,
        api_key=bench.token,
        max_retries=0,
        default_headers={"X-Account-Id": str(own)},
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


def langchain_key(platform: str) -> str:
    return {
        "openai": "sk-langchain-0001openai01",
        "qwen": "sk-langchain-0002qwen0002",
        "glm": "33333333333333333333333333abc005.33333333333abc05",
        "ernie": "bce-v3/ALTAK-langchain/00000ernie05",
        "spark": "langchain-spark-password-07",
        "claude": "sk-ant-langchain-0000008claude",
    }[platform]


def test_no_key_nor_what_is_made_of_it_is_logged_or_stored_in_clear(bench: Bench) -> None:
    places = {
        "standard output": bench.served.child.out.read_bytes(),
        "standard error": bench.served.child.err.read_bytes(),
        "metrics": httpx2.get(f"{bench.served.operator_url}/metrics").content,
        "account list": json.dumps(bench.served.command("account", "list")).encode(),
    } | bench.stored()
    hits = [trace for _, secret in KINDS.values() for trace in traces(secret, places)]
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
