"""A platform's other faces: all other tests with a gateway of the kind `faces` go over them."""

from pathlib import Path

from conftest import FACES, running_demo
from harness.words import user

# Where a face's requests go, and a usual face's don't.
PATHS = {
    "openai_responses": "/v1/responses",
    "dashscope": "/api/v1/services/aigc/text-generation/generation",
    "spark_ws": "/v4.0/chat",
}


def test_a_gateway_of_other_faces_asks_them(tmp_path: Path) -> None:
    with running_demo("faces", tmp_path) as demo, demo.client() as client:
        for name, face in FACES.items():
            platform = demo.platforms[name]
            for stream in (False, True):
                answer = client.chat.completions.create(model=platform.model, messages=user("Hello."), stream=stream)
                if stream:
                    list(answer)
                assert platform.last_request()["path"] == PATHS[face]
