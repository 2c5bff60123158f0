"""How much of everything: the full bench, and the quick one for smoke tests."""

import json
import os
from dataclasses import dataclass, replace

PROMPT = "Tell me about the river and what flows into it. "


@dataclass(frozen=True)
class Plan:
    rounds: int
    whole_requests: int
    saturated_requests: int
    streams: int
    window_s: float
    dialect_requests: int
    gap_ms: int = 150
    connections: int = 64
    warm_up_requests: int = 1000
    warm_up_streams: int = 0
    saturated_events: int = 2000
    ramp_ms: int = 1000

    @property
    def models(self):
        """The upstream's model of each metric; its name says what it answers."""
        # Streams last for the ramp, the window and some slack at both ends.
        events = int((self.ramp_ms / 1000 + self.window_s + 2.5) * 1000 / self.gap_ms)
        return {
            "whole": "whole-1k",
            "saturated": f"saturated-{self.saturated_events}",
            "paced": f"paced-{self.gap_ms}ms-{events}",
            "tls": "whole-1k-tls",
        }

    def for_a_slow_subject(self):
        """The same requests, fewer of them and fewer at once, so that none has to wait long.

        With so few streams, what the first one makes it load would show in their memory.
        """
        return replace(self, warm_up_requests=self.warm_up_requests // 5, warm_up_streams=2,
                       whole_requests=self.whole_requests // 40,
                       saturated_requests=self.saturated_requests // 20,
                       streams=self.streams // 20, connections=self.connections // 16)

    def write_bodies(self, folder):
        """Writes each metric's request body; gives the paths."""
        paths = {}
        for metric, model in self.models.items():
            body = self.body(model, stream=metric in ("saturated", "paced"))
            paths[metric] = os.path.join(folder, f"{metric}.json")
            with open(paths[metric], "w") as file:
                json.dump(body, file)
        return paths

    def body(self, model, stream, prefix=""):
        """A request of about 1 KB."""
        prompt = prefix + PROMPT * 19
        body = {"model": model, "messages": [{"role": "user", "content": prompt}]}
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return body


FULL = Plan(rounds=3, whole_requests=60_000, saturated_requests=320, streams=1000, window_s=3.0,
            dialect_requests=128)
QUICK = Plan(rounds=1, whole_requests=8_000, saturated_requests=64, streams=200, window_s=1.2,
             dialect_requests=16)
