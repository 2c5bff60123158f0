"""One account by name: the request runs there or nowhere."""

from typing import Any

import pytest
from openai import NotFoundError, OpenAI

from harness import Demo, Simulated
from harness.words import user

NOBODY = 999_999_999


def accounts(client: OpenAI, platform: Simulated) -> list[int]:
    """The ids of the accounts bound on a platform, from the list of models."""
    names = [model.id for model in client.models.list() if model.id.startswith("account:")]
    split = [name.removeprefix("account:").split("/", 1) for name in names]
    return [int(account) for account, model in split if model == platform.model]


def pinned_by_body(platform: Simulated, account: int) -> dict[str, Any]:
    return {"model": platform.model, "extra_body": {"account_id": account}}


def pinned_by_header(platform: Simulated, account: int) -> dict[str, Any]:
    return {"model": platform.model, "extra_headers": {"X-Account-Id": str(account)}}


def pinned_by_name(platform: Simulated, account: int) -> dict[str, Any]:
    return {"model": f"account:{account}/{platform.model}"}


every_way = pytest.mark.parametrize("pinned", [pinned_by_body, pinned_by_header, pinned_by_name])


@every_way
def test_a_pinned_account_answers(client: OpenAI, platform: Simulated, pinned: Any) -> None:
    bound = accounts(client, platform)
    assert len(bound) >= 2

    for account in bound:
        raw = client.chat.completions.with_raw_response.create(messages=user("Hello."), **pinned(platform, account))
        assert raw.headers["x-tributary-account"] == str(account)
        assert raw.parse().choices[0].message.content


@every_way
def test_an_account_that_is_not_the_caller_s_is_not_found(client: OpenAI, platform: Simulated, pinned: Any) -> None:
    with pytest.raises(NotFoundError) as missed:
        client.chat.completions.create(messages=user("Hello."), **pinned(platform, NOBODY))

    assert missed.value.code == "account_not_found"
    assert missed.value.type == "invalid_request_error"


def test_an_account_answers_with_its_platform_s_model_where_none_is_named(gateway: Demo, platform: Simulated) -> None:
    with gateway.client() as client:
        [account, *_] = accounts(client, platform)
    body = {"account_id": account, "messages": user("Hello.")}

    answer = gateway.http.post("/api/v1/oauth/chat/completions", json=body)

    assert answer.status_code == 200, answer.text
    assert answer.headers["x-tributary-account"] == str(account)
    assert answer.headers["x-tributary-platform"] == platform.name
    assert answer.json()["choices"][0]["message"]["content"]


def test_the_sdk_streams_from_an_account(gateway: Demo, platform: Simulated) -> None:
    origin = gateway.base_url.removesuffix("/v1")
    with gateway.client() as client:
        [account, *_] = accounts(client, platform)

    with gateway.client(base_url=f"{origin}/api/v1/oauth") as client:
        chunks = list(
            client.chat.completions.create(
                model=platform.model, messages=user("Hello."), stream=True, extra_body={"account_id": account}
            )
        )

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def test_a_pin_in_the_body_never_reaches_the_platform(client: OpenAI, platform: Simulated) -> None:
    [account, *_] = accounts(client, platform)

    client.chat.completions.create(messages=user("Hello."), **pinned_by_body(platform, account))

    assert "account_id" not in platform.last_request_text()
