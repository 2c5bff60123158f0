"""The guide's calls, word for word but for the address: accounts over REST, by requests and by curl."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests

from harness import Demo

KEY = "sk-demo-qwen-0000000000000001"  # one that the simulated platform takes


@pytest.fixture
def token(fresh: Demo) -> str:
    scopes = "chat,accounts:read,accounts:write"
    return str(fresh.command("token", "create", "--user", "demo", "--scopes", scopes)["token"])


@pytest.fixture
def origin(fresh: Demo) -> str:
    return fresh.base_url.removesuffix("/v1")


def curl(token: str, url: str, *words: str) -> tuple[int, Any]:
    """What curl prints, with the token out of its command line: the status, and the JSON."""
    command = ["curl", "--silent", "--config", "-", "--write-out", "\n%{http_code}", *words, url]
    config = f'header = "Authorization: Bearer {token}"\n'
    done = subprocess.run(command, input=config, capture_output=True, text=True, timeout=30, check=True)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body) if body else None


def test_a_completion_by_requests(origin: str, token: str) -> None:
    listed = requests.get(f"{origin}/api/v1/oauth/accounts?platform=qwen", headers={"Authorization": f"Bearer {token}"})
    account_id = listed.json()["data"][0]["id"]

    response = requests.post(
        f"{origin}/api/v1/oauth/chat/completions",
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        json={
            "account_id": account_id,
            "model": "qwen-plus",
            "messages": [{"role": "user", "content": "你好"}],
        },
    )

    assert response.status_code == 200, response.text
    assert response.json()["choices"][0]["message"]["content"]
    assert response.headers["x-tributary-account"] == str(account_id)


def test_a_completion_without_a_model(origin: str, token: str, fresh: Demo) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    for name in fresh.platforms:
        listed = requests.get(f"{origin}/api/v1/oauth/accounts", params={"platform": name}, headers=headers)
        account = listed.json()["data"][0]["id"]
        body = {"account_id": account, "messages": [{"role": "user", "content": "hello"}]}
        response = requests.post(f"{origin}/api/v1/oauth/chat/completions", headers=headers, json=body)
        assert response.status_code == 200, f"{name}: {response.text}"


def test_the_four_calls_by_curl(origin: str, token: str, tmp_path: Path) -> None:
    """Begin an authorization (refused, with what binds instead), list, call, delete."""
    accounts = f"{origin}/api/v1/oauth/accounts"
    sent = ["--header", "Content-Type: application/json", "--data"]

    status, refused = curl(
        token, f"{accounts}/authorize", "-X", "POST", *sent, '{"platform": "qwen", "account_name": "mine"}'
    )
    assert (status, refused["error"]["code"]) == (400, "method_not_offered")
    assert "POST /api/v1/oauth/accounts" in refused["error"]["message"]

    # As the refusal says.
    body = tmp_path / "account.json"
    body.write_text(json.dumps({"platform": "qwen", "account_name": "mine", "key": KEY}))
    status, account = curl(token, accounts, "-X", "POST", *sent, f"@{body}")
    assert (status, account["account_name"], account["status"]) == (201, "mine", "active")

    status, listed = curl(token, f"{accounts}?platform=qwen")
    assert status == 200
    assert {"id", "account_name", "status", "quota_used", "quota_total", "last_used_at", "expires_at"} <= set(
        listed["data"][0]
    )
    assert account["id"] in [row["id"] for row in listed["data"]]

    chat = json.dumps({"account_id": account["id"], "messages": [{"role": "user", "content": "hello"}]})
    status, answer = curl(token, f"{origin}/api/v1/oauth/chat/completions", "-X", "POST", *sent, chat)
    assert status == 200 and answer["choices"][0]["message"]["content"]

    assert curl(token, f"{accounts}/{account['id']}", "-X", "DELETE") == (204, None)
    status, gone = curl(token, f"{accounts}/{account['id']}")
    assert (status, gone["error"]["code"]) == (404, "account_not_found")
