"""What a caller may name, and what the gateway tells about it."""

import pytest
from openai import NotFoundError, OpenAI
from openai.types import Model

from harness import Simulated


def test_the_list_has_each_platform_s_model(client: OpenAI, platform: Simulated) -> None:
    [model] = [model for model in client.models.list() if model.id == platform.model]

    assert model.object == "model"
    assert model.owned_by == platform.name
    assert extra(model, "max_output_tokens") > 0
    if platform.name != "spark":  # whose pages don't tell
        assert extra(model, "context_length") > 0


def test_the_list_has_each_account_s_models(client: OpenAI, platform: Simulated) -> None:
    bound = [model for model in client.models.list() if is_of_account(model, platform)]

    assert len(bound) >= 2, "the demo binds several accounts a platform"
    assert {model.owned_by for model in bound} == {"OAuth accounts"}
    assert all(extra(model, "max_output_tokens") > 0 for model in bound)


def test_no_model_is_listed_twice(client: OpenAI) -> None:
    names = [model.id for model in client.models.list()]

    assert len(names) == len(set(names))


def test_each_listed_model_can_be_looked_up(client: OpenAI, platform: Simulated) -> None:
    listed = [model for model in client.models.list() if model.id == platform.model or is_of_account(model, platform)]

    for model in listed:
        assert client.models.retrieve(model.id) == model


def test_an_unknown_model_is_not_found(client: OpenAI) -> None:
    with pytest.raises(NotFoundError) as missed:
        client.models.retrieve("no-such-model")

    assert missed.value.code == "model_not_found"


def is_of_account(model: Model, platform: Simulated) -> bool:
    return model.id.startswith("account:") and model.id.split("/", 1)[1] == platform.model


def extra(model: Model, name: str) -> int:
    """A field that OpenAI's own models don't have."""
    return (model.model_extra or {})[name]
