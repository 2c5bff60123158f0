"""Every dialect through the whole gateway: recorded streams, and how they are asked for.

The upstream plays back the events of a fixture, those that add text repeated. A platform's
catalogue entry stands as it is, but for its address.
"""

import json
import os
from dataclasses import dataclass

from .tools import ROOT

BEARER = "sk-bench-0123456789abcdef0123456789abcdef"
APP = json.dumps({"app_id": "01234567", "api_key": "0123456789abcdef0123456789abcdef",
                  "api_secret": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"})


@dataclass(frozen=True)
class Dialect:
    """A platform, spoken to in one dialect."""

    name: str
    title: str
    dialect: str
    fixture: str
    adding: slice  # which of the fixture's events add text, and no role
    credential: str = BEARER

    @property
    def platform(self):
        return self.fixture.split("/")[0]

    @property
    def is_socket(self):
        return self.dialect == "spark_ws"


# The first is what the others are held against.
DIALECTS = (
    Dialect("openai", "`openai_chat`, passed on (openai)", "openai_chat",
            "openai/text_stream", slice(1, 4)),
    Dialect("qwen", "`openai_chat`, tidied (qwen)", "openai_chat",
            "qwen/text_stream", slice(1, 4)),
    Dialect("glm", "`openai_chat`, written anew (glm)", "openai_chat",
            "glm/text_stream", slice(1, 3), "0123456789abcdef0123456789abcdef.0123456789abcdef"),
    Dialect("ernie", "`openai_chat`, written anew (ernie)", "openai_chat",
            "ernie/text_stream", slice(1, 3), "bce-v3/ALTAK-0123456789abcdefghijk/" + "0123456789" * 4),
    Dialect("spark", "`openai_chat`, written anew (spark)", "openai_chat",
            "spark/http_text_stream", slice(1, 2), "bench0123456789:bench9876543210"),
    Dialect("dashscope", "`dashscope`", "dashscope",
            "qwen/dashscope_text_stream", slice(1, 3)),
    Dialect("anthropic_messages", "`anthropic_messages`", "anthropic_messages",
            "claude/text_stream", slice(3, 6), "sk-ant-" + BEARER),
    Dialect("openai_responses", "`openai_responses`", "openai_responses",
            "openai/responses_text_stream", slice(4, 7)),
    Dialect("spark_ws", "`spark_ws`", "spark_ws", "spark/text_stream", slice(1, 4), APP),
)


class Recordings:
    """What the upstream plays back, and the requests that ask for it."""

    def __init__(self, folder, plan):
        self.plan = plan
        self.streams = {each.fixture: _stream(each) for each in DIALECTS}
        self.path = os.path.join(folder, "recordings.json")
        with open(self.path, "w") as file:
            json.dump(self.streams, file)
        self.bodies = {
            (each.name, metric): self._write_body(folder, each, metric)
            for each in DIALECTS for metric in ("saturated", "paced")
        }

    def events(self, dialect):
        """How many events a saturated stream has, as the platform counts."""
        stream = self.streams[dialect.fixture]
        around = [*stream["opening"], *stream["closing"]]
        ends = sum("[DONE]" in event for event in around)
        return self.plan.saturated_events + len(around) - ends

    def _write_body(self, folder, dialect, metric):
        with open(_fixture(dialect, "openai_request.json")) as file:
            model = json.load(file)["model"]
        # The upstream looks for this in the prompt, which every dialect carries.
        wanted = f"recorded:{dialect.fixture}:{self.plan.models[metric]}"
        body = self.plan.body(f"{dialect.platform}/{model}", prefix=f"{wanted} ", stream=True)
        path = os.path.join(folder, f"{dialect.name}-{metric}.json")
        with open(path, "w") as file:
            json.dump(body, file)
        return path


def platforms(upstream):
    """The part of `gateway.toml` that leads each face to the upstream."""
    return "".join(
        f"\n[platforms.{each.platform}.faces.{each.dialect}]\n"
        f'base_url = "{"ws" if each.is_socket else "http"}://{upstream}/v1"\n'
        for each in DIALECTS
    )


def _stream(dialect):
    """A fixture's events: before, among and after those that add text."""
    name = "platform_frames.jsonl" if dialect.is_socket else "platform_stream.sse"
    with open(_fixture(dialect, name), encoding="utf-8") as file:
        text = file.read()
    if dialect.is_socket:
        events = text.splitlines()
    else:
        events = [f"{event}\n\n" for event in text.strip().split("\n\n")]
    begin, end = dialect.adding.start, dialect.adding.stop
    return {"opening": events[:begin], "repeated": events[begin:end], "closing": events[end:],
            "socket": dialect.is_socket}


def _fixture(dialect, name):
    return os.path.join(ROOT, "tests", "fixtures", dialect.fixture, name)
