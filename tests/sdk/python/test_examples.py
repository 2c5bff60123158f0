"""The examples for the clients that people use, run as they stand."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness import Demo

ROOT = Path(__file__).parents[3]
NODE_MODULES = Path(__file__).parents[1] / "javascript/node_modules"
EXAMPLES = sorted(file for file in (ROOT / "examples" / "clients").iterdir() if file.suffix != ".md")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_it_answers(gateway: Demo, example: Path, tmp_path: Path) -> None:
    words = {".sh": ["sh"], ".py": [sys.executable, "-W", "ignore"], ".mjs": ["node"]}[example.suffix]
    copy = shutil.copy(example, tmp_path)
    if example.suffix == ".mjs":
        if not NODE_MODULES.is_dir():
            pytest.skip("the packages of the JavaScript tests are not installed")
        (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    env = os.environ | {
        "AI_CREATOR_BASE_URL": gateway.base_url.removesuffix("/v1"),
        "AI_CREATOR_API_KEY": gateway.token,
        "PYTHONPATH": str(ROOT / "sdk" / "python"),
    }
    done = subprocess.run([*words, copy], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "hello" in done.stdout.lower(), done.stdout
    assert gateway.token not in done.stdout + done.stderr
