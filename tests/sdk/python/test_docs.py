"""What docs/api.md shows from "By hand" on is run as it stands there, but for the address."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

from harness import Demo

DOCS = Path(__file__).parents[3] / "docs/api.md"
HERE = "http://127.0.0.1:8080"
KEY = "sk-demo-qwen-0000000000000001"  # one that the simulated platform takes


def examples(begin: str) -> list[str]:
    """The page's indented blocks that begin so, with the paragraphs of each that follow."""
    blocks: list[str] = []
    _, shown = DOCS.read_text().split("\n## By hand\n")
    for paragraph in shown.strip("\n").split("\n\n"):
        code = textwrap.dedent(paragraph)
        is_code = all(line.startswith("    ") for line in paragraph.splitlines())
        if is_code and blocks and blocks[-1] and not code.startswith(("curl", "{", "import")):
            blocks[-1] += "\n\n" + code
        else:
            blocks.append(code if is_code else "")
    return [block for block in blocks if block.startswith(begin)]


def test_each_example_answers(fresh: Demo, tmp_path: Path) -> None:
    origin = fresh.base_url.removesuffix("/v1")
    scopes = "chat,accounts:read,accounts:write"
    token = str(fresh.command("token", "create", "--user", "demo", "--scopes", scopes)["token"])
    account = {"platform": "qwen", "account_name": "first", "key": KEY}
    (tmp_path / "account.json").write_text(json.dumps(account))

    [snippet] = examples("import requests")
    program = f"token = {token!r}\n{snippet}".replace(HERE, origin)
    done = subprocess.run([sys.executable, "-"], input=program, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.strip(), done.stderr

    calls = examples("curl")
    answers = []
    for call in calls:
        command = call.replace(HERE, origin).replace("curl ", "curl --silent ", 1)
        done = subprocess.run(
            ["sh", "-c", command],
            capture_output=True, text=True, timeout=60, cwd=tmp_path, env=os.environ | {"TOKEN": token},
        )
        assert done.returncode == 0, f"{call}: {done.stderr}"
        answers.append(json.loads(done.stdout) if done.stdout else None)
    refused = [answer["error"]["code"] for answer in answers if answer and "error" in answer]
    assert refused == ["method_not_offered"], answers
    assert any(answer and answer.get("account_name") == "first" for answer in answers)
    assert any(answer and answer.get("token", "").startswith("tb_") for answer in answers)
    assert len(calls) >= 7
