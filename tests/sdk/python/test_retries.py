"""When no account can answer: what the SDK is told, and what it then does by itself."""

import time

import pytest
from openai import APIStatusError, InternalServerError, RateLimitError

from conftest import PLATFORMS
from harness import Demo
from harness.words import user


def test_the_sdk_comes_back_when_it_was_told_to(fresh: Demo, subtests: pytest.Subtests) -> None:
    for platform in (fresh.platforms[name] for name in PLATFORMS):
        with subtests.test(platform=platform.name), fresh.client(max_retries=3) as client:
            accounts = len(fresh.accounts(platform))
            platform.fail("rate_limited", times=accounts)
            began = time.monotonic()

            answer = client.chat.completions.create(model=platform.model, messages=user("repeat: late"))

            assert answer.choices[0].message.content == "late"
            assert time.monotonic() - began >= 0.9, "it waited for as long as Retry-After said"
            assert platform.total().requests == accounts + 1, "no account was asked twice in vain"


def test_a_rate_limit_tells_when_the_first_account_is_back(fresh: Demo, subtests: pytest.Subtests) -> None:
    for platform in (fresh.platforms[name] for name in PLATFORMS):
        with subtests.test(platform=platform.name), fresh.client() as client:
            platform.fail("rate_limited")

            with pytest.raises(RateLimitError) as refused:
                client.chat.completions.create(model=platform.model, messages=user("Hello."))

            assert refused.value.code == "rate_limit_exceeded"
            assert refused.value.type == "rate_limit_error"
            assert int(refused.value.response.headers["retry-after"]) >= 1
            assert refused.value.response.headers.get("x-should-retry") != "false"


def test_used_up_quota_is_not_retried(fresh: Demo, subtests: pytest.Subtests) -> None:
    for platform in (fresh.platforms[name] for name in PLATFORMS):
        with subtests.test(platform=platform.name), fresh.client(max_retries=3) as client:
            platform.fail("quota_exhausted")

            with pytest.raises(RateLimitError) as refused:
                client.chat.completions.create(model=platform.model, messages=user("Hello."))

            assert refused.value.code == refused.value.type == "insufficient_quota"
            assert refused.value.response.headers["x-should-retry"] == "false"
            assert platform.total().requests == len(fresh.accounts(platform)), "each account was asked once"


def test_a_dead_login_is_not_the_caller_s_and_not_retried(fresh: Demo, subtests: pytest.Subtests) -> None:
    for platform in (fresh.platforms[name] for name in PLATFORMS):
        with subtests.test(platform=platform.name), fresh.client(max_retries=3) as client:
            platform.fail("auth_expired")

            with pytest.raises(InternalServerError, match="needs authorization") as refused:
                client.chat.completions.create(model=platform.model, messages=user("Hello."))

            assert refused.value.status_code == 502
            assert refused.value.code == "account_unauthorized"
            assert refused.value.response.headers["x-should-retry"] == "false"
            asked = platform.total().requests

            with pytest.raises(APIStatusError):
                client.chat.completions.create(model=platform.model, messages=user("Hello."))
            assert platform.total().requests == asked, "an account that needs authorization is not asked again"


def test_a_platform_that_fails_is_the_gateway_s_error(fresh: Demo, subtests: pytest.Subtests) -> None:
    for platform in (fresh.platforms[name] for name in PLATFORMS):
        with subtests.test(platform=platform.name), fresh.client() as client:
            platform.fail("upstream_fault")

            with pytest.raises(InternalServerError) as refused:
                client.chat.completions.create(model=platform.model, messages=user("Hello."))

            assert refused.value.status_code == 502
            assert refused.value.code == "upstream_error"
            assert refused.value.type == "server_error"
