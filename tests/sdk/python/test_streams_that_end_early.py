"""Streams that don't reach their end: by the caller's wish, or by the platform's fault."""

import pytest
from openai import APIError, APITimeoutError

from conftest import PLATFORMS
from harness import Demo, until
from harness.words import user

LONG = user("Please say 3000 words.")


def test_a_caller_that_hangs_up_cancels_the_call_upstream(fresh: Demo, subtests: pytest.Subtests) -> None:
    for platform in (fresh.platforms[name] for name in PLATFORMS):
        with subtests.test(platform=platform.name), fresh.client() as client:
            platform.slow_down()

            stream = client.chat.completions.create(model=platform.model, messages=LONG, stream=True)
            next(chunk for chunk in stream if chunk.choices and chunk.choices[0].delta.content)
            stream.close()

            spent = until(lambda: platform.total() if platform.total().cancelled else None, "the call to be cancelled")
            assert spent.cancelled == spent.requests == 1
            assert 0 < spent.completion < 3000, "the platform stopped where the caller hung up"


def test_a_caller_that_hangs_up_before_the_answer_cancels_the_call(fresh: Demo, subtests: pytest.Subtests) -> None:
    for platform in (fresh.platforms[name] for name in PLATFORMS):
        with subtests.test(platform=platform.name), fresh.client(timeout=1) as client:
            platform.fall_silent()

            with pytest.raises(APITimeoutError):
                client.chat.completions.create(model=platform.model, messages=LONG)

            until(lambda: platform.total().cancelled == 1, "the call to be cancelled")


def test_a_failure_after_output_began_is_an_error_in_the_stream(fresh: Demo, subtests: pytest.Subtests) -> None:
    for platform in (fresh.platforms[name] for name in PLATFORMS):
        with subtests.test(platform=platform.name), fresh.client() as client:
            platform.break_streams()
            said = ""

            with pytest.raises(APIError) as broken:
                for chunk in client.chat.completions.create(model=platform.model, messages=LONG, stream=True):
                    said += chunk.choices[0].delta.content or ""

            assert said, "what came before the failure was relayed"
            assert broken.value.code == "upstream_error"
            assert broken.value.type == "server_error"
            assert platform.total().requests == 1, "nothing is sent again once output was relayed"


def test_a_broken_stream_ends_without_done(fresh: Demo, subtests: pytest.Subtests) -> None:
    for platform in (fresh.platforms[name] for name in PLATFORMS):
        with subtests.test(platform=platform.name):
            platform.break_streams()
            body = {"model": platform.model, "messages": LONG, "stream": True}

            answer = fresh.http.post("/v1/chat/completions", json=body)

            assert answer.status_code == 200
            assert '"error"' in answer.text.strip().rsplit("\n\n", 1)[-1]
            assert "[DONE]" not in answer.text
