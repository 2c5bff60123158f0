"""What an answer's headers tell: who answered, after how many attempts, who pays."""

from openai import OpenAI

from harness import Simulated
from harness.words import user


def test_a_whole_answer_tells_who_made_it(client: OpenAI, platform: Simulated) -> None:
    raw = client.chat.completions.with_raw_response.create(model=platform.model, messages=user("Hello."))

    check(raw.headers, platform)
    assert raw.headers["content-type"].startswith("application/json")


def test_a_streamed_answer_tells_who_makes_it(client: OpenAI, platform: Simulated) -> None:
    raw = client.chat.completions.with_raw_response.create(model=platform.model, messages=user("Hello."), stream=True)

    check(raw.headers, platform)
    assert raw.headers["content-type"].startswith("text/event-stream")
    assert list(raw.parse())


def test_each_request_has_an_id_of_its_own(client: OpenAI, platform: Simulated) -> None:
    create = client.chat.completions.create

    ids = {create(model=platform.model, messages=user("Hello."))._request_id for _ in range(3)}

    assert len(ids) == 3 and all(ids)


def check(headers: dict[str, str], platform: Simulated) -> None:
    assert headers["x-request-id"]
    assert int(headers["x-tributary-account"]) > 0
    assert headers["x-tributary-platform"] == platform.name
    assert headers["x-tributary-model"] == platform.model
    assert headers["x-tributary-attempts"] == "1"
    assert headers["x-tributary-billing"] == "quota"
