"""Pictures: seen by the models that see, refused by name for those that don't."""

import pytest
from conftest import PLATFORMS
from openai import BadRequestError, OpenAI

from harness import Demo, Simulated
from harness.words import look_at, picture

SEES = {
    "openai": "gpt-5.4-mini",
    "qwen": "qwen3-vl-plus",
    "glm": "glm-4.6v",
    "ernie": "ernie-4.5-vl-28b-a3b",
    "claude": "claude-haiku-4-5",
}
# Every model of OpenAI's and of Claude's sees, and of Spark's one, over its WebSocket alone.
BLIND = {"qwen": "qwen-plus", "glm": "glm-4.7", "ernie": "ernie-5.1", "spark": "4.0Ultra"}


def test_every_platform_is_asked_about_a_picture() -> None:
    assert SEES.keys() | BLIND.keys() == set(PLATFORMS)


@pytest.mark.parametrize("platform", SEES, indirect=True)
def test_a_model_that_sees_answers_about_a_picture(client: OpenAI, platform: Simulated) -> None:
    answer = client.chat.completions.create(model=SEES[platform.name], messages=look_at(picture(48, 32)))

    assert "image/png 48x32" in (answer.choices[0].message.content or "")


@pytest.mark.parametrize("name", BLIND)
def test_a_picture_for_a_model_that_does_not_see_is_refused_by_name(client: OpenAI, gateway: Demo, name: str) -> None:
    platform = gateway.platforms[name]
    before = platform.total()

    for stream in (False, True):
        with pytest.raises(BadRequestError) as refused:
            client.chat.completions.create(model=BLIND[name], messages=look_at(picture(48, 32)), stream=stream)
        assert refused.value.param == "messages[0].content[1]"
        assert refused.value.type == "invalid_request_error"

    assert platform.total() == before, "the platform was not asked"
