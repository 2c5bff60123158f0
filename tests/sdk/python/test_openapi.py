"""What /openapi.json says is what the gateway does: schemathesis tries it, on both stores."""

import re
import subprocess
import sys
from pathlib import Path

from harness import Demo

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def test_every_answer_is_as_declared(fresh: Demo, tmp_path: Path) -> None:
    scopes = "chat,accounts:read,accounts:write"
    token = fresh.command("token", "create", "--user", "demo", "--scopes", scopes)["token"]
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        fresh.base_url.removesuffix("/v1") + "/openapi.json",
        "--header",
        f"Authorization: Bearer {token}",
        "--checks",
        CHECKS,
        "--max-examples",
        "20",
        "--seed",
        "1",
        "--no-color",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    cases = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert cases and cases[1] == cases[2], done.stdout
    assert int(cases[1]) > 500, done.stdout
