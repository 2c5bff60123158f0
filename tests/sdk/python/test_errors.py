"""Errors as the SDK's own types, with what a program needs to act on them."""

from typing import Any

import pytest
from openai import AuthenticationError, BadRequestError, NotFoundError, OpenAI

from harness import Demo, Simulated
from harness.words import user


@pytest.mark.parametrize("token", ["no-such-token", "sk-0123456789abcdef", "é"])
def test_a_token_that_nobody_has_is_an_authentication_error(gateway: Demo, token: str) -> None:
    model = gateway.platforms["qwen"].model

    # The SDK's own header holds ASCII alone, so an odd token goes as bytes.
    header = {"Authorization": f"Bearer {token}".encode()}
    answer = gateway.http.post(
        "/v1/chat/completions", headers=header, json={"model": model, "messages": user("Hello.")}
    )

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert token not in answer.text


def test_the_sdk_knows_it_as_one(gateway: Demo) -> None:
    model = gateway.platforms["qwen"].model
    with gateway.client(api_key="no-such-token") as stranger:
        for call in (stranger.models.list, lambda: stranger.chat.completions.create(model=model, messages=user("Hi"))):
            with pytest.raises(AuthenticationError) as refused:
                call()
            assert refused.value.code == "invalid_api_key"
            assert refused.value.type == "authentication_error"


def test_a_token_that_was_cut_is_unknown(gateway: Demo) -> None:
    with gateway.client(api_key=gateway.token[:-1]) as stranger, pytest.raises(AuthenticationError):
        stranger.models.list()


def test_a_token_is_taken_from_either_header(gateway: Demo) -> None:
    bearer = gateway.http.get("/v1/models")
    # An empty Authorization, so that the client's own doesn't stand in for the other header.
    key = gateway.http.build_request("GET", "/v1/models", headers={"x-api-key": gateway.token})
    del key.headers["authorization"]

    assert bearer.status_code == gateway.http.send(key).status_code == 200


@pytest.mark.parametrize("name", ["no-such-model", "qwen/no-such-model", "nobody/qwen-plus", "account:x/qwen-plus", "模型"])
def test_a_model_that_nobody_has_is_not_found(client: OpenAI, name: str) -> None:
    with pytest.raises(NotFoundError) as missed:
        client.chat.completions.create(model=name, messages=user("Hello."))

    assert missed.value.code in ("model_not_found", "account_not_found")
    assert missed.value.type == "invalid_request_error"


def test_an_unknown_model_is_named(client: OpenAI) -> None:
    with pytest.raises(NotFoundError, match="no-such-model") as missed:
        client.chat.completions.create(model="no-such-model", messages=user("Hello."))

    assert missed.value.code == "model_not_found"
    assert missed.value.param == "model"


# What a request of any kind must have: the gateway itself refuses it, by name.
BAD: dict[str, tuple[str, dict[str, Any]]] = {
    "no messages": ("messages", {"messages": []}),
    "messages that are no list": ("messages", {"messages": "Hello."}),
    "a message without content": ("messages", {"messages": [{"role": "user"}]}),
    "tools that are no list": ("tools", {"tools": "hammer"}),
}

# What the platform refuses: OpenAI and Qwen say which field it was, the others don't.
REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "a role that nobody has": ("messages", {"messages": [{"role": "wizard", "content": "Hello."}]}),
    "a temperature that is no number": ("temperature", {"temperature": "hot"}),
}


@pytest.mark.parametrize("mistake", BAD | REFUSED)
def test_a_bad_request_is_refused_by_name(gateway: Demo, platform: Simulated, mistake: str) -> None:
    param, fields = (BAD | REFUSED)[mistake]
    body = {"model": platform.model, "messages": user("Hello.")} | fields

    with gateway.client() as client, pytest.raises(BadRequestError) as refused:
        client.post("/chat/completions", body=body, cast_to=object)

    assert refused.value.type == "invalid_request_error"
    if mistake in BAD or platform.name in ("openai", "qwen"):
        assert (refused.value.param or "").startswith(param)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"hello"', b"\xff\xfe", b'{"model": 1}'])
def test_a_body_that_is_no_request_is_refused(gateway: Demo, body: bytes) -> None:
    answer = gateway.http.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 400
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_path_that_is_not_there_is_an_error_like_all_others(gateway: Demo) -> None:
    answer = gateway.http.get("/v1/no-such-path")

    assert answer.status_code == 404
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
