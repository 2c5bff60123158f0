"""Trouble with one account is another account's work: the caller sees an answer."""

import pytest

from openai import BadRequestError, RateLimitError

from conftest import PLATFORMS
from harness import Demo
from harness.words import user

TROUBLES = ["rate_limited", "quota_exhausted", "auth_expired", "overloaded", "upstream_fault"]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_the_next_account_answers_whole(fresh: Demo, trouble: str, subtests: pytest.Subtests) -> None:
    for platform in (fresh.platforms[name] for name in PLATFORMS):
        with subtests.test(platform=platform.name), fresh.client() as client:
            platform.fail(trouble, times=1)

            raw = client.chat.completions.with_raw_response.create(model=platform.model, messages=user("repeat: here"))

            assert raw.headers["x-tributary-attempts"] == "2"
            assert raw.parse().choices[0].message.content == "here"
            assert platform.total().requests == 2


@pytest.mark.parametrize("trouble", TROUBLES)
def test_the_next_account_answers_in_a_stream(fresh: Demo, trouble: str, subtests: pytest.Subtests) -> None:
    for platform in (fresh.platforms[name] for name in PLATFORMS):
        with subtests.test(platform=platform.name), fresh.client() as client:
            platform.fail(trouble, times=1)

            raw = client.chat.completions.with_raw_response.create(
                model=platform.model, messages=user("repeat: here"), stream=True
            )

            assert raw.headers["x-tributary-attempts"] == "2"
            assert "".join(chunk.choices[0].delta.content or "" for chunk in raw.parse()) == "here"


@pytest.mark.parametrize(
    ("mistake", "code"), [("content_filtered", "content_filter"), ("context_length", "context_length_exceeded")]
)
def test_what_is_the_request_s_fault_is_not_tried_elsewhere(
    fresh: Demo, mistake: str, code: str, subtests: pytest.Subtests
) -> None:
    for platform in (fresh.platforms[name] for name in PLATFORMS):
        with subtests.test(platform=platform.name), fresh.client() as client:
            platform.fail(mistake, times=1)

            with pytest.raises(BadRequestError) as refused:
                client.chat.completions.create(model=platform.model, messages=user("Hello."))

            assert platform.total().requests == 1
            assert refused.value.code == code or platform.name == "openai", "OpenAI's own codes are kept"


def test_a_pinned_request_never_moves_to_another_account(fresh: Demo, subtests: pytest.Subtests) -> None:
    for platform in (fresh.platforms[name] for name in PLATFORMS):
        with subtests.test(platform=platform.name), fresh.client() as client:
            account = int(
                client.chat.completions.with_raw_response.create(
                    model=platform.model, messages=user("Hello.")
                ).headers["x-tributary-account"]
            )
            platform.fail("rate_limited", times=1)

            with pytest.raises(RateLimitError):
                client.chat.completions.create(
                    model=platform.model, messages=user("Hello."), extra_body={"account_id": account}
                )
