"""Answers that come at once."""

import time

from openai import OpenAI

from harness import Simulated
from harness.words import ODD_LETTERS, user


def test_an_answer_is_an_openai_chat_completion(client: OpenAI, platform: Simulated) -> None:
    answer = client.chat.completions.create(model=platform.model, messages=user("Say hello in one sentence."))

    assert answer.object == "chat.completion"
    assert answer.id.startswith("chatcmpl-")
    assert abs(answer.created - time.time()) < 60
    [choice] = answer.choices
    assert choice.index == 0
    assert choice.finish_reason == "stop"
    assert choice.message.role == "assistant"
    assert choice.message.content
    assert choice.message.tool_calls is None


def test_its_usage_is_what_the_platform_counted(client: OpenAI, platform: Simulated) -> None:
    before = platform.total()

    answer = client.chat.completions.create(model=platform.model, messages=user("Count to three."))

    spent = platform.total() - before
    assert answer.usage
    assert answer.usage.prompt_tokens == spent.prompt > 0
    assert answer.usage.completion_tokens == spent.completion > 0
    assert answer.usage.total_tokens == spent.prompt + spent.completion
    assert spent.requests == 1


def test_a_conversation_s_whole_history_arrives(client: OpenAI, platform: Simulated) -> None:
    answer = client.chat.completions.create(
        model=platform.model,
        messages=[
            {"role": "developer", "content": "Be terse."},
            {"role": "user", "content": "My name is Ada."},
            {"role": "assistant", "content": "Hello, Ada."},
            {"role": "user", "content": [{"type": "text", "text": "What is"}, {"type": "text", "text": "my name?"}]},
        ],
    )

    said = answer.choices[0].message.content or ""
    for part in ("Be terse.", "My name is Ada.", "What is", "my name?"):
        assert part in said, "a simulated model quotes all that it was told"


def test_chinese_is_answered_in_chinese(client: OpenAI, platform: Simulated) -> None:
    answer = client.chat.completions.create(model=platform.model, messages=user("用一句话介绍杭州,谢谢。"))

    assert "用一句话介绍杭州,谢谢。" in (answer.choices[0].message.content or "")
    assert any("\u4e00" <= letter <= "\u9fff" for letter in answer.choices[0].message.content or "")


def test_every_letter_arrives_both_ways(client: OpenAI, platform: Simulated) -> None:
    answer = client.chat.completions.create(model=platform.model, messages=user(f"repeat: {ODD_LETTERS}"))

    assert answer.choices[0].message.content == ODD_LETTERS


def test_an_answer_is_cut_where_the_caller_says(client: OpenAI, platform: Simulated) -> None:
    answer = client.chat.completions.create(
        model=platform.model, messages=user("Please say 500 words."), max_completion_tokens=16
    )

    assert answer.usage and answer.usage.completion_tokens <= 16
    if platform.name != "spark":  # its frames don't say that an answer was cut
        assert answer.choices[0].finish_reason == "length"
