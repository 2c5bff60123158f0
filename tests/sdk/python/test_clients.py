"""The package `ai_creator` against a running gateway: every method, sync and awaited."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from openai import Stream
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

from ai_creator import AsyncOAuthClient, OAuthClient
from harness import Demo

REPOSITORY = Path(__file__).parents[3]
KEY = "0123456789abcdef0123456789abcd01.0123456789demo01"  # one that the simulated GLM takes
QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "你好"}]


@pytest.fixture
def token(fresh: Demo) -> str:
    scopes = "chat,accounts:read,accounts:write"
    return str(fresh.command("token", "create", "--user", "demo", "--scopes", scopes)["token"])


@pytest.fixture
def client(fresh: Demo, token: str) -> Iterator[OAuthClient]:
    origin = fresh.base_url.removesuffix("/v1")
    with OAuthClient(api_key=token, base_url=origin, max_retries=0) as client:
        yield client


def test_the_guides_snippet(fresh: Demo, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_CREATOR_BASE_URL", fresh.base_url.removesuffix("/v1"))
    client = OAuthClient(api_key=token)
    accounts = client.oauth.list_accounts()
    assert [account.id for account in accounts][0] == 1
    response = client.oauth.chat_completion(
        account_id=1, messages=[{"role": "user", "content": "Hello"}], model="qwen-plus"
    )
    assert response.choices[0].message.content
    client.close()


def test_whole_and_streamed_are_openais_own(client: OAuthClient) -> None:
    account = client.oauth.list_accounts("ernie")[0]
    whole = client.oauth.chat_completion(account_id=account.id, messages=QUESTION, temperature=0.5)
    assert type(whole) is ChatCompletion and whole.usage
    with client.oauth.chat_completion(account_id=account.id, messages=QUESTION, stream=True) as stream:
        assert isinstance(stream, Stream)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert text == whole.choices[0].message.content
    assert client.openai.chat.completions.create(model="qwen-plus", messages=QUESTION).choices


def test_an_account_from_its_key_to_its_end(client: OAuthClient) -> None:
    oauth = client.oauth
    platform = next(platform for platform in oauth.list_platforms() if platform.id == "glm")
    assert platform.methods[0].fields == ["key"] and platform.default_model

    account = oauth.add_account(platform="glm", account_name="mine", key=KEY, limit=5000)
    assert (account.status, account.quota_total) == ("active", 5000)
    assert oauth.check_account(account.id).verdict == "valid"
    changed = oauth.update_account(account.id, account_name="yours", enabled=False, priority=3)
    assert (changed.account_name, changed.status, changed.priority) == ("yours", "disabled", 3)
    assert oauth.update_account(account.id, enabled=True).status == "active"

    answers = [oauth.chat_completion(account_id=account.id, messages=QUESTION) for _ in range(3)]
    used = sum(answer.usage.total_tokens for answer in answers if answer.usage)
    while (shown := oauth.get_account(account.id)).quota_used < used:
        pass
    assert (shown.quota_used, shown.remaining) == (used, 5000 - used)
    while len(records := list(oauth.iter_account_usage(account.id))) < 3:
        pass
    assert sum(record.total_tokens for record in records) == used
    first = oauth.account_usage(account.id, limit=2)
    assert [record.id for record in first.data] == [record.id for record in records[:2]] and first.has_more
    rest = oauth.account_usage(account.id, before=first.next)
    assert [record.id for record in rest.data] == [records[2].id] and not rest.has_more
    by_account = oauth.usage(by=["account", "model"])
    assert next(row.calls for row in by_account.data if row.account == account.id) == 3

    oauth.delete_account(account.id)
    with pytest.raises(openai.NotFoundError) as missing:
        oauth.get_account(account.id)
    assert missing.value.code == "account_not_found"


def test_the_token_tells_of_itself(client: OAuthClient, token: str) -> None:
    me = client.oauth.me()
    assert me.token.last_four == token[-4:] and "accounts:write" in me.token.scopes
    assert client.oauth.points().points.balance == me.points.balance


def test_a_token_from_its_making_to_its_end(fresh: Demo, client: OAuthClient) -> None:
    made = client.tokens.create(name="ci", scopes=["chat"], models=["qwen-plus"], requests_per_minute=60)
    assert (made.name, made.scopes, made.requests_per_minute) == ("ci", ["chat"], 60)
    with OAuthClient(api_key=made.token, base_url=fresh.base_url, max_retries=0) as holder:
        assert holder.openai.chat.completions.create(model="qwen-plus", messages=QUESTION).choices
        with pytest.raises(openai.PermissionDeniedError):
            holder.tokens.create()
        while (shown := client.tokens.get(made.id)).last_used_at is None:
            pass
        assert shown in client.tokens.list() and "token" not in shown.model_fields_set
        tighter = client.tokens.update(made.id, name="build", tokens_per_day=1000)
        assert (tighter.name, tighter.tokens_per_day) == ("build", 1000)
        with pytest.raises(openai.PermissionDeniedError) as refused:
            client.tokens.update(made.id, requests_per_minute=61)
        assert (refused.value.code, refused.value.param) == ("stronger_token", "requests_per_minute")
        client.tokens.revoke(made.id)
        with pytest.raises(openai.AuthenticationError):
            holder.oauth.me()
    with pytest.raises(openai.NotFoundError) as missing:
        client.tokens.get(made.id)
    assert missing.value.code == "token_not_found"


def test_notices_and_the_audit_log(client: OAuthClient) -> None:
    oauth = client.oauth
    account = oauth.add_account(platform="glm", account_name="small", key=KEY, limit=1)
    oauth.chat_completion(account_id=account.id, messages=QUESTION)
    while not (unread := oauth.notices(unread=True).data):
        pass
    assert (unread[0].kind, unread[0].percent, unread[0].account_id) == ("quota", 100, account.id)
    oauth.read_notice(unread[0].id)
    assert not oauth.notices(unread=True).data and oauth.notices(limit=5).data[0].read
    with pytest.raises(openai.NotFoundError) as missing:
        oauth.read_notice(999)
    assert missing.value.code == "notice_not_found"
    bound = oauth.audit(limit=1)
    assert (bound.data[0].action, bound.data[0].target.id) == ("account.bind", str(account.id))
    assert oauth.audit(before=bound.next).data[0].seq < bound.data[0].seq


def test_refusals_are_openais_errors(fresh: Demo, client: OAuthClient) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.oauth.authorize(platform="qwen", account_name="mine")
    assert refused.value.code == "method_not_offered"
    with pytest.raises(ValueError, match="either key or credentials"):
        client.oauth.add_account(platform="glm", account_name="none")
    reader = OAuthClient(api_key=fresh.token, base_url=fresh.base_url)
    with pytest.raises(openai.PermissionDeniedError):
        reader.oauth.delete_account(1)
    stranger = OAuthClient(api_key="tb_unknown", base_url=fresh.base_url)
    with pytest.raises(openai.AuthenticationError):
        stranger.oauth.me()
    reader.close()
    stranger.close()


def test_a_team_and_its_members(fresh: Demo, client: OAuthClient) -> None:
    fresh.command("user", "add", "ann/b")
    pools = client.pools
    lab = pools.create(name="lab", policy="sticky")
    assert (lab.kind, lab.role, lab.policy) == ("team", "owner", "sticky")
    assert [pool.id for pool in pools.list()][-1] == lab.id == pools.get(lab.id).id
    assert pools.set_member(lab.id, "ann/b").role == "member"
    assert pools.set_member(lab.id, "ann/b", role="owner").role == "owner"
    assert [member.user for member in pools.members(lab.id)] == ["demo", "ann/b"]
    account = client.oauth.add_account(platform="glm", account_name="shared", key=KEY, pool=lab.id)
    assert account.pool == lab.id and account.is_own
    assert client.oauth.usage(pool=lab.id, by=["member"]).data == []
    with pytest.raises(openai.ConflictError) as refused:
        pools.delete(lab.id)
    assert refused.value.code == "pool_not_empty"
    own = client.oauth.me().limits.pools[0]
    moved = client.oauth.update_account(account.id, pool=own, priority=7)
    assert (moved.pool, moved.priority, moved.status) == (own, 7, "active")
    answer = client.oauth.chat_completion(account_id=account.id, messages=QUESTION)
    assert answer.choices[0].message.content
    with pytest.raises(openai.NotFoundError) as foreign:
        client.oauth.update_account(account.id, pool=999)
    assert foreign.value.code == "pool_not_found"
    client.oauth.delete_account(account.id)
    pools.remove_member(lab.id, "ann/b")
    assert pools.update(lab.id, name="studio").name == "studio"
    pools.delete(lab.id)
    with pytest.raises(openai.NotFoundError):
        pools.get(lab.id)


async def test_the_same_is_awaited(fresh: Demo, token: str) -> None:
    async with AsyncOAuthClient(api_key=token, base_url=fresh.base_url, max_retries=0) as client:
        oauth = client.oauth
        account = await oauth.add_account(platform="glm", account_name="mine", credentials={"key": KEY})
        assert account in [*await oauth.list_accounts(), account] and await oauth.list_platforms()
        whole = await oauth.chat_completion(account_id=account.id, messages=QUESTION)
        stream = await oauth.chat_completion(account_id=account.id, messages=QUESTION, stream=True)
        text = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        assert "".join(text) == whole.choices[0].message.content
        while len([record.id async for record in oauth.iter_account_usage(account.id)]) < 2:
            pass
        assert (await oauth.account_usage(account.id)).data and (await oauth.usage()).data
        assert (await oauth.check_account(account.id)).verdict == "valid"
        assert (await oauth.update_account(account.id, priority=1)).priority == 1
        assert (await oauth.me()).user and (await oauth.points()).points
        pools = client.pools
        lab = await pools.create(name="lab")
        assert lab in await pools.list() and (await pools.update(lab.id, policy="priority")).policy == "priority"
        assert (await pools.set_member(lab.id, "demo", role="owner")).role == "owner"
        moved = await oauth.update_account(account.id, pool=lab.id)
        assert moved.pool == lab.id
        assert (await oauth.update_account(account.id, pool=account.pool)).pool == account.pool
        assert len(await pools.members(lab.id)) == 1 and (await pools.get(lab.id)).name == "lab"
        with pytest.raises(openai.ConflictError):
            await pools.remove_member(lab.id, "demo")
        await pools.delete(lab.id)
        minted = await client.tokens.create(scopes=["chat"])
        assert (await client.tokens.update(minted.id, points="never")).points == "never"
        assert (await client.tokens.get(minted.id)) in await client.tokens.list()
        await client.tokens.revoke(minted.id)
        assert (await oauth.audit()).data and not (await oauth.notices(unread=True)).data
        with pytest.raises(openai.NotFoundError):
            await oauth.read_notice(999)
        with pytest.raises(openai.BadRequestError):
            await oauth.authorize(platform="qwen", account_name="mine")
        await oauth.delete_account(account.id)
        with pytest.raises(openai.NotFoundError):
            await oauth.get_account(account.id)


def test_a_client_needs_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AI_CREATOR_API_KEY", raising=False)
    with pytest.raises(openai.OpenAIError, match="AI_CREATOR_API_KEY"):
        OAuthClient()


def test_types_are_strict(tmp_path: Path) -> None:
    user = tmp_path / "user.py"
    user.write_text(
        "from ai_creator import OAuthClient\n"
        "client = OAuthClient(api_key='k')\n"
        "whole = client.oauth.chat_completion(account_id=1, messages=[])\n"
        "reveal_type(whole)\n"
        "reveal_type(client.oauth.chat_completion(account_id=1, messages=[], stream=True))\n"
        "reveal_type(client.oauth.list_accounts()[0].quota_total)\n"
        "reveal_type(client.tokens.create(scopes=['chat']).token)\n"
    )
    package = REPOSITORY / "sdk/python/ai_creator"
    mypy = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run([*mypy, str(package), str(user)], capture_output=True, text=True, cwd=package.parent)
    assert done.returncode == 0, done.stdout
    told = [line.partition('"')[2].rstrip('"') for line in done.stdout.splitlines() if "Revealed" in line]
    assert [words.replace("builtins.", "").rsplit(".", 1)[-1] for words in told[:1]] == ["ChatCompletion"]
    assert "Stream[" in told[1] and told[2:] == ["int | None", "str"], told


def test_pip_installs_it_from_its_folder(tmp_path: Path) -> None:
    source = shutil.copytree(REPOSITORY / "sdk/python", tmp_path / "source")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path / "there")]
    done = subprocess.run([*pip, str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "there/ai_creator/py.typed").is_file()
