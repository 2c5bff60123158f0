"""Every name that the product's guide mentions leads to a model that answers."""

import pytest

from harness import Demo
from harness.words import user

# Several of these are retired upstream: the catalogue's successor answers in their place.
GUIDE = {
    "qwen-turbo": "qwen",
    "qwen-plus": "qwen",
    "qwen-max": "qwen",
    "gpt-3.5-turbo": "openai",
    "gpt-4": "openai",
    "ernie-bot-turbo": "ernie",
    "ernie-bot": "ernie",
    "glm-3-turbo": "glm",
    "glm-4": "glm",
    "spark-lite": "spark",
    "spark-pro": "spark",
    "claude-3-haiku": "claude",
    "claude-3-sonnet": "claude",
}


@pytest.mark.parametrize("name", GUIDE)
def test_a_name_of_the_guide_is_answered_by_its_platform(gateway: Demo, name: str) -> None:
    platform = gateway.platforms[GUIDE[name]]
    before = platform.total()

    with gateway.client() as client:
        raw = client.chat.completions.with_raw_response.create(model=name, messages=user("Hello."))
        listed = [model.id for model in client.models.list() if model.owned_by == platform.name]

    answer = raw.parse()
    assert answer.choices[0].message.content
    assert raw.headers["x-tributary-platform"] == platform.name
    assert raw.headers["x-tributary-model"] in listed, "a retired name has a successor that is served"
    assert answer.model.startswith(raw.headers["x-tributary-model"]), "the answer names the model that made it"
    assert (platform.total() - before).requests == 1


@pytest.mark.parametrize("name", GUIDE)
def test_a_name_of_the_guide_is_streamed(gateway: Demo, name: str) -> None:
    with gateway.client() as client:
        chunks = list(client.chat.completions.create(model=name, messages=user("Hello."), stream=True))

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def test_a_model_can_be_named_with_its_platform(gateway: Demo) -> None:
    for platform in gateway.platforms.values():
        with gateway.client() as client:
            raw = client.chat.completions.with_raw_response.create(
                model=f"{platform.name}/{platform.model}", messages=user("Hello.")
            )
        assert raw.headers["x-tributary-platform"] == platform.name
        assert raw.headers["x-tributary-model"] == platform.model
