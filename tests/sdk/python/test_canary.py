"""No credential, no token and no prompt ever gets to where it has no business.

A gateway is set up with secrets that are easy to find, logs all that it can, and goes through
successes, refusals, platforms that repeat the credential in their errors, and callers that hang up.
Then every place is searched, in every dress that text may wear.
"""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from conftest import PLATFORMS, STORES, running_demo
from harness import Demo, RedisServer, Served, Simulated, until
from harness.secrets import dresses, traces
from harness.words import user

PROMPT = "CANARY-PROMPT-白鸽/7f+Q"
STRANGE_TOKEN = "CANARY-STRANGE-TOKEN-91+/aaBB"

# T-CANARY
# What each account's key file holds, and the part of it that is secret: GLM and ERNIE begin a key with its id.
KEYS = {
    "openai": ("", "sk-proj-CANARY_o1+/Zq==xK7"),
    "qwen": ("", "sk-CANARY_q2+/Wm==hT4dfe1"),
    "glm": ("c0ffee00c0ffee00c0ffee00c0ffee00.", "CANARYglmS3cr3tX"),
    "ernie": ("bce-v3/ALTAK-CANARYernieAk0001/", "CANARYernieSk9f8e7d"),
    "spark": ("", "CANARY-spark+/passw0rd==9"),
    "claude": ("sk-ant-", "CANARY_c3+/Np==yR8kd2"),
}
PAIR = "ALTAKCANARYpair0Ak7Qx"
TRIPLE = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
TRIPLE_SECRET = base64.b64encode(TRIPLE[::-1].encode()).decode()
JWT = "c0ffee11canary9d"
# The other kinds of key that platforms document: platform, dialect, key file, what of it is secret. The simulated
# platforms know the secret of an access key, a Zhipu key and a Spark app by their ids.
KINDS: dict[str, tuple[str, str | None, str, str]] = {
    "pair": ("ernie", None, json.dumps({"access_key": PAIR, "secret_key": PAIR[::-1]}), PAIR[::-1]),
    "long": (
        "ernie",
        None,
        json.dumps({"scheme": "baidu_key", "key": "bce-v3/ALTAK-long/CANARYlong0f3e2d1c"}),
        "CANARYlong0f3e2d1c",
    ),
    "jwt": (
        "glm",
        None,
        json.dumps({"scheme": "zhipu_jwt", "key": f"c0ffee22c0ffee22{JWT}.{JWT}"}),
        f".{JWT}",
    ),
    "triple": (
        "spark",
        "spark_ws",
        json.dumps({"app_id": TRIPLE[:8], "api_key": TRIPLE, "api_secret": TRIPLE_SECRET}),
        TRIPLE_SECRET,
    ),
}
# Of these a platform that repeats what it knows repeats all of the key.
WHOLE = {name: json.loads(KINDS[name][2])["key"] for name in ("long", "jwt")}
# What a platform makes of a key for a short time, and what is signed with one.
MADE = re.compile(rb"ALTAK-[0-9a-f]{21}/[0-9a-f]{40}|bce-auth-v1/ALTAK|eyJ[\w-]{20,}\.eyJ")

SECRETS = [secret for _, secret in KEYS.values()] + [secret for *_, secret in KINDS.values()]


class Trial:
    """All that happened: what was answered, what was logged, what was stored."""

    def __init__(self) -> None:
        self.token = ""
        self.keeping = ""  # a token that keeps requests and answers
        self.kept = b""
        self.rest = ""  # a token that was made over REST
        self.team = 0  # the pool of a team of the token's user
        self.answers: dict[str, bytes] = {}
        self.errors: dict[str, bytes] = {}
        self.logs: dict[str, bytes] = {}
        self.stored: dict[str, bytes] = {}

    def ask(self, http: httpx2.Client, what: str, **request: Any) -> httpx2.Response:
        return self.see(what, http.post("/chat/completions", **request))

    def see(self, what: str, answer: httpx2.Response) -> httpx2.Response:
        """Keeps what was answered, for the search."""
        seen = f"{answer.status_code} {dict(answer.headers)}\n".encode() + answer.content
        (self.errors if answer.status_code >= 400 or b'"error"' in answer.content else self.answers)[what] = seen
        return answer


@pytest.fixture(scope="module", params=STORES)
def trial(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    folder = tmp_path_factory.mktemp("canary")
    for name in ("demo", "redis"):
        (folder / name).mkdir()
    redis = RedisServer(folder / "redis") if request.param == "redis" else None
    try:
        with running_demo("sqlite", folder / "demo") as demo:
            store = redis.url if redis else f"sqlite:{folder / 'tributary.db'}"
            yield run(demo, store, folder, redis)
    finally:
        if redis:
            redis.stop()


def run(demo: Demo, store: str, folder: Path, redis: RedisServer | None) -> Trial:
    """Goes through all of it, and gathers what there is to search."""
    trial = Trial()
    platforms = [demo.platforms[name] for name in PLATFORMS]
    served = Served(store, folder, platforms, RUST_LOG="trace")
    served.command("user", "add", "canary-owner")
    for name, (public, secret) in KEYS.items():
        served.bind("canary-owner", name, f"canary-{name}", public + secret)
    trial.team = served.command("pool", "add", "canary-team", "--owner", "canary-owner")["id"]
    scopes = "chat,accounts:read,accounts:write"
    trial.token = served.command("token", "create", "--user", "canary-owner", "--scopes", scopes)["token"]
    keeping = ("token", "create", "--user", "canary-owner", "--keep-bodies", "--scopes", scopes)
    trial.keeping = served.command(*keeping)["token"]
    served.start()
    try:
        headers = {"Authorization": f"Bearer {trial.token}"}
        with httpx2.Client(base_url=served.base_url, headers=headers, timeout=30) as http:
            strangers(trial, http)
            for platform in platforms:
                successes(trial, http, platform)
                troubles(trial, http, platform, served)
                hang_up(trial, http, platform)
                surface(trial, http, platform, served)
            for name, (platform_name, dialect, file, _) in KINDS.items():
                account = served.bind("canary-owner", platform_name, f"canary-{name}", file, dialect)["id"]
                every_kind(trial, http, demo.platforms[platform_name], name, account)
            keeps(trial, http, platforms[0], served)
            tokens(trial, http, platforms[0], served)
        trial.logs["metrics"] = httpx2.get(f"{served.operator_url}/metrics").content
        trial.logs["account list"] = json.dumps(served.command("account", "list")).encode()
        trial.logs["usage"] = json.dumps(served.command("usage")).encode()
        trial.logs |= served.printed
        in_wal = wal_of(folder)  # read while it is open: closing folds it into the database
    finally:
        served.stop()
    trial.logs["standard output"] = served.child.out.read_bytes()
    trial.logs["standard error"] = served.child.err.read_bytes()
    trial.stored = redis.written() if redis else in_wal | database_of(folder)
    return trial


def wal_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("tributary.db-*")}


def database_of(folder: Path) -> dict[str, bytes]:
    return {"tributary.db": (folder / "tributary.db").read_bytes()}


def strangers(trial: Trial, http: httpx2.Client) -> None:
    """Calls with tokens that nobody has, in both headers and where no token belongs."""
    body = {"model": "qwen-plus", "messages": user(PROMPT)}
    trial.ask(http, "unknown token", json=body, headers={"Authorization": f"Bearer {STRANGE_TOKEN}"})
    trial.ask(http, "unknown key", json=body, headers={"Authorization": "", "x-api-key": STRANGE_TOKEN})
    trial.ask(http, "basic", json=body, headers={"Authorization": f"Basic {STRANGE_TOKEN}"})
    trial.ask(http, "token in the query", json=body, params={"api_key": trial.token, "prompt": PROMPT})
    trial.ask(http, "token as account", json=body, headers={"X-Account-Id": trial.token})


def successes(trial: Trial, http: httpx2.Client, platform: Simulated) -> None:
    body = {"model": platform.model, "messages": user(PROMPT)}
    assert trial.ask(http, f"{platform.name} whole", json=body).status_code == 200
    assert trial.ask(http, f"{platform.name} streamed", json=body | {"stream": True}).status_code == 200


def troubles(trial: Trial, http: httpx2.Client, platform: Simulated, served: Served) -> None:
    """The caller's mistakes, then the platform's, the worst for the account last."""
    name, body = platform.name, {"model": platform.model, "messages": user(PROMPT)}
    trial.ask(http, f"{name} cut JSON", content=json.dumps(body).encode()[:-2])
    trial.ask(http, f"{name} bad role", json=body | {"messages": [{"role": "wizard", "content": PROMPT}]})
    trial.ask(http, f"{name} bad type", json=body | {"temperature": "hot"})
    trial.ask(http, f"{name} too long", json=body | {"messages": user(PROMPT * 20_000)})

    platform.break_streams()
    trial.ask(http, f"{name} broken stream", json=body | {"messages": long(), "stream": True})
    platform.mend()
    platform.cut_streams()
    trial.ask(http, f"{name} cut stream", json=body | {"messages": long(), "stream": True})
    platform.mend()

    for status in (400, 500, 429, 401):
        platform.repeat_credential(status, "".join(KEYS[name]))
        for stream in (False, True):
            trial.ask(http, f"{name} repeats its key in a {status}, stream {stream}", json=body | {"stream": stream})
        platform.mend()
        served.command("account", "check", "--user", "canary-owner", f"canary-{name}")  # back to work


def surface(trial: Trial, http: httpx2.Client, platform: Simulated, served: Served) -> None:
    """Accounts over REST: a key that is bound, keys that are not, and all that is shown of them."""
    name, (public, secret) = platform.name, KEYS[platform.name]
    root = served.base_url.removesuffix("/v1") + "/api/v1"
    accounts, key = f"{root}/oauth/accounts", public + secret

    def call(what: str, method: str, url: str, **request: Any) -> httpx2.Response:
        return trial.see(f"{name} {what}", http.request(method, url, **request))

    wish = {"platform": name, "account_name": f"canary-rest-{name}"}
    bound = call("bound", "POST", accounts, json=wish | {"key": key})
    assert bound.status_code == 201, bound.text
    account = f"{accounts}/{bound.json()['id']}"
    for what, body in {
        "bound twice": wish | {"credentials": {"key": key}},
        "unknown field": wish | {"secret_key": key},
        "unknown credential": wish | {"credentials": {"key": key, "password": key}},
        "two lines": wish | {"key": f"{key}\n{key}"},
        "a list": wish | {"key": [key]},
        "a number's place": wish | {"key": key, "limit": key},
        "a dialect's place": wish | {"key": key, "dialect": "x", "priority": key},
        "a scheme's place": wish | {"credentials": {"key": key, "scheme": f"{secret}"}},
    }.items():
        assert call(what, "POST", accounts, json=body).status_code >= 400, what
    call("cut JSON", "POST", accounts, content=json.dumps(wish | {"key": key}).encode()[:-2])
    call("login with a key", "POST", f"{accounts}/authorize", json=wish | {"credentials": {"key": key}})
    platform.repeat_credential(401, key)
    call("checked, the platform repeats the key", "POST", f"{account}/check")
    platform.mend()
    call("checked", "POST", f"{account}/check")
    call("changed", "PATCH", account, json={"limit": 5, "enabled": False})
    call("changed wrongly", "PATCH", account, json={"limit": key})
    call("moved wrongly", "PATCH", account, json={"pool": key})
    moved = call("moved", "PATCH", account, json={"pool": trial.team})
    assert moved.status_code == 200 and moved.json()["pool"] == trial.team, "its credential is sealed anew"
    call("called while it is off", "POST", f"{root}/oauth/chat/completions", json={
        "account_id": bound.json()["id"], "messages": user(PROMPT)})
    for path in ("/oauth/accounts", "/oauth/platforms", "/me", "/usage", "/usage?format=csv", "/points",
                 "/audit", "/notices"):
        assert call(f"GET {path}", "GET", root + path).status_code == 200
    first = http.get(accounts, params={"platform": name}).json()["data"][0]["id"]
    assert call("records", "GET", f"{accounts}/{first}/usage").json()["data"], "calls are recorded"
    assert call("deleted", "DELETE", account).status_code == 204


def every_kind(trial: Trial, http: httpx2.Client, platform: Simulated, name: str, account: int) -> None:
    """An account of another kind of key: it answers, and its platform repeats its secret."""
    body = {"model": platform.model, "messages": user(PROMPT)}
    pin = {"headers": {"X-Account-Id": str(account)}}
    for stream in (False, True):
        asked = trial.ask(http, f"{name}, stream {stream}", json=body | {"stream": stream}, **pin)
        assert asked.status_code == 200, asked.text
    for status in (500, 401):
        platform.repeat_credential(status, WHOLE.get(name, KINDS[name][3]))
        trial.ask(http, f"{name} is told its secret in a {status}", json=body, **pin)
        platform.mend()


def keeps(trial: Trial, http: httpx2.Client, platform: Simulated, served: Served) -> None:
    """Requests and answers that are kept: the store has them sealed, and their owner gets them."""
    body = {"model": platform.model, "messages": user(PROMPT)}
    owner = {"headers": {"Authorization": f"Bearer {trial.keeping}"}}
    answer = trial.ask(http, "kept", json=body, **owner)
    assert answer.status_code == 200, answer.text
    account = answer.headers["x-tributary-account"]
    records = served.base_url.removesuffix("/v1") + f"/api/v1/oauth/accounts/{account}/usage"

    def is_there() -> bool:
        trial.kept = http.get(records, **owner).content
        return b"CANARY-PROMPT" in trial.kept

    until(is_there, "the kept request to be shown to its owner")
    trial.answers["kept, for its owner"] = trial.kept


def tokens(trial: Trial, http: httpx2.Client, platform: Simulated, served: Served) -> None:
    """A token that is made over REST: its one showing is not searched, all else is."""
    url = served.base_url.removesuffix("/v1") + "/api/v1/tokens"
    made = http.post(url, json={"name": "canary-rest", "scopes": ["chat"]})
    assert made.status_code == 201, made.text
    trial.rest, one = made.json()["token"], f"{url}/{made.json()['id']}"
    body = {"model": platform.model, "messages": user(PROMPT)}
    headers = {"Authorization": f"Bearer {trial.rest}"}
    assert trial.ask(http, "with a token made over REST", json=body, headers=headers).status_code == 200
    trial.see("it makes none", http.post(url, json={"name": "other"}, headers=headers))
    for what, answer in {
        "tokens": http.get(url),
        "token": http.get(one),
        "token tightened": http.patch(one, json={"name": "canary-tight", "requests_per_minute": 5}),
        "token tightened wrongly": http.patch(one, json={"requests_per_minute": trial.rest}),
        "token made wrongly": http.post(url, json={"name": "x", "expires_at": trial.rest}),
        "token as id": http.get(f"{url}/{trial.rest}"),
        "token revoked": http.delete(one),
        "audit": http.get(url.replace("tokens", "audit")),
        "notices": http.get(url.replace("tokens", "notices")),
    }.items():
        trial.see(what, answer)
    assert trial.ask(http, "with a token that is revoked", json=body, headers=headers).status_code == 401


def hang_up(trial: Trial, http: httpx2.Client, platform: Simulated) -> None:
    platform.slow_down()
    body = {"model": platform.model, "messages": long(), "stream": True}
    with http.stream("POST", "/chat/completions", json=body) as answer:
        next(answer.iter_raw(), None)
    platform.mend()


def long() -> list[dict[str, Any]]:
    return user(f"Please say 3000 words. {PROMPT}")


def check_nothing_of(secrets: list[str], *places: dict[str, bytes]) -> None:
    hits = [f"{secret}: {trace}" for secret in secrets for held in places for trace in traces(secret, held)]
    assert not hits, f"{len(hits)} hits:\n" + "\n".join(hits)


def test_no_credential_is_anywhere(trial: Trial) -> None:
    check_nothing_of(SECRETS, trial.logs, trial.answers, trial.errors, trial.stored)


def test_no_token_is_anywhere(trial: Trial) -> None:
    check_nothing_of([trial.token, trial.keeping, trial.rest, STRANGE_TOKEN], trial.logs, trial.answers, trial.errors, trial.stored)


def test_nothing_that_is_made_of_a_key_is_anywhere(trial: Trial) -> None:
    for places in (trial.logs, trial.answers, trial.errors, trial.stored):
        shown = {place: MADE.findall(held)[:3] for place, held in places.items() if MADE.search(held)}
        assert not shown, shown


def test_no_prompt_is_in_a_log_a_metric_an_error_or_the_store(trial: Trial) -> None:
    check_nothing_of([PROMPT], trial.logs, trial.errors, trial.stored)


def test_there_was_something_to_find(trial: Trial) -> None:
    """The search would be worth nothing if nothing had been logged, stored or sent."""
    assert b"DEBUG" in trial.logs["standard error"] + trial.logs["standard output"]
    assert len(trial.answers) >= 2 * len(PLATFORMS)
    assert len(trial.errors) >= 10 * len(PLATFORMS)
    assert b"# TYPE" in trial.logs["metrics"]
    assert any(b"canary-openai" in held for held in trial.stored.values()), "the account's name is stored as it is"
    told = [name for name in trial.errors if "is told its secret" in name]
    assert len(told) == 2 * len(KINDS)
    assert trial.kept
    for status in (400, 500, 429, 401):
        repeated = [held for name, held in trial.errors.items() if f"repeats its key in a {status}" in name]
        assert len(repeated) == 2 * len(PLATFORMS)


@pytest.mark.parametrize("way", dresses("x"))
def test_the_search_finds_a_secret_in_every_dress(way: str) -> None:
    secret = 'CANARY-"x"/7f+\\é'
    assert list(traces(secret, {"place": b"before " + dresses(secret)[way] + b" after"}))


@pytest.mark.parametrize("before", [b"", b"a", b"ab", b"abc"])
def test_the_search_finds_a_secret_inside_base64(before: bytes) -> None:
    held = base64.b64encode(before + b"CANARY-7f+/" + b"zz")
    assert list(traces("CANARY-7f+/", {"place": held}))
