"""Answers that come as they are made."""

from openai import OpenAI
from openai.types.chat import ChatCompletionChunk

from harness import Demo, Simulated
from harness.words import ODD_LETTERS, user


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def test_a_stream_is_one_answer_in_openai_chunks(client: OpenAI, platform: Simulated) -> None:
    chunks = list(
        client.chat.completions.create(model=platform.model, messages=user("Say hello in one sentence."), stream=True)
    )

    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    [(answer_id, _, _)] = {(chunk.id, chunk.created, chunk.model) for chunk in chunks}
    assert answer_id.startswith("chatcmpl-")
    roles = [chunk.choices[0].delta.role for chunk in chunks]
    assert roles[0] == "assistant" and not any(roles[1:])
    reasons = [chunk.choices[0].finish_reason for chunk in chunks]
    assert reasons[-1] == "stop" and not any(reasons[:-1])
    assert text_of(chunks)


def test_usage_comes_last_when_it_was_asked_for(client: OpenAI, platform: Simulated) -> None:
    before = platform.total()

    chunks = list(
        client.chat.completions.create(
            model=platform.model,
            messages=user("Count to three."),
            stream=True,
            stream_options={"include_usage": True},
        )
    )

    *others, last = chunks
    assert last.choices == []
    assert last.usage
    assert all(chunk.usage is None and chunk.choices for chunk in others)
    spent = platform.total() - before
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (spent.prompt, spent.completion)
    assert last.usage.total_tokens == spent.prompt + spent.completion


def test_usage_does_not_come_when_it_was_not_asked_for(client: OpenAI, platform: Simulated) -> None:
    chunks = list(client.chat.completions.create(model=platform.model, messages=user("Hello."), stream=True))

    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


def test_a_stream_says_what_a_whole_answer_says(client: OpenAI, platform: Simulated) -> None:
    question = user("用两句话介绍杭州。")
    whole = client.chat.completions.create(model=platform.model, messages=question)

    chunks = list(client.chat.completions.create(model=platform.model, messages=question, stream=True))

    assert text_of(chunks) == whole.choices[0].message.content


def test_every_letter_is_streamed_whole(client: OpenAI, platform: Simulated) -> None:
    question = user(f"repeat: {ODD_LETTERS * 20}")

    chunks = list(client.chat.completions.create(model=platform.model, messages=question, stream=True))

    assert text_of(chunks) == ODD_LETTERS * 20
    assert len(chunks) > 3, "it came in pieces"


def test_a_stream_is_server_sent_events_up_to_done(gateway: Demo, platform: Simulated) -> None:
    body = {"model": platform.model, "messages": user("Hello."), "stream": True}

    answer = gateway.http.post("/v1/chat/completions", json=body)

    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [event for event in answer.text.split("\n\n") if event and not event.startswith(":")]
    assert all(event.startswith("data: ") and "\n" not in event for event in events)
    assert events[-1] == "data: [DONE]"
    assert not any("[DONE]" in event for event in events[:-1])


def test_the_sdk_gathers_a_stream_into_an_answer(client: OpenAI, platform: Simulated) -> None:
    with client.chat.completions.stream(model=platform.model, messages=user("Say hello.")) as stream:
        kinds = {event.type for event in stream}
        answer = stream.get_final_completion()

    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert answer.choices[0].message.content
