"""`atoll local`: the embedded AWS in the background, and `atoll` talking to it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result

from infra.embedded import down
from infra.embedded.ports import free_port

Atoll = Callable[..., Result]
pytestmark = pytest.mark.xdist_group("emulator")


@pytest.fixture
def stopped_after(folder: Path) -> Iterator[None]:
    try:
        yield
    finally:
        down(folder)


def test_where_nothing_runs_it_says_how_to_start_it(atoll: Atoll) -> None:
    result = atoll("local", "status")
    assert result.exit_code == 3 and "atoll local up" in result.stdout
    assert json.loads(atoll("local", "status", "--json").stdout)["running"] is False
    env = atoll("local", "env")
    assert env.exit_code == 1 and env.stdout == "" and "help: atoll local up" in env.stderr
    refused = atoll("status", "--profile", "local")
    assert refused.exit_code == 1 and "does not run" in refused.stderr and "atoll local up" in refused.stderr


def test_stopping_what_does_not_run_is_fine(atoll: Atoll) -> None:
    assert atoll("local", "down").exit_code == 0


def test_a_record_that_cannot_be_read_is_named_with_its_remedy(atoll: Atoll, folder: Path) -> None:
    (folder / ".atoll").mkdir()
    (folder / ".atoll" / "local.json").write_text("{")
    result = atoll("local", "status")
    assert result.exit_code == 1
    assert "local.json cannot be read" in result.stderr and "help: Delete the folder" in result.stderr


def test_up_env_status_and_down(atoll: Atoll, folder: Path, stopped_after: None) -> None:
    port = free_port()
    up = atoll("local", "up", "--port", str(port))
    assert up.exit_code == 0, up.stderr
    assert f":{port}, account 000000000000" in up.stdout and "starting the embedded AWS" in up.stderr
    status = json.loads(atoll("local", "status", "--json").stdout)
    assert status["running"] and status["endpoint"].endswith(f":{port}")
    assert "dsn" not in status and "password" not in json.dumps(status)
    assert f":{port}, running for" in atoll("local", "status").stdout
    exported = atoll("local", "env").stdout
    assert "export AWS_ENDPOINT_URL=" in exported and "export PGDATABASE=production" in exported
    asked = f'PATH=/usr/bin:/bin\n{exported}\npsql -X -A -t -c "SELECT current_database()"'
    said = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, timeout=60, check=False)
    assert said.stdout == "production\n", said.stderr
    undeployed = atoll("status")
    assert undeployed.exit_code == 1 and "help: atoll deploy, or" in undeployed.stderr
    assert "stopped" in atoll("local", "down").stdout
    assert atoll("local", "status").exit_code == 3
    assert "does not run" in atoll("status").stderr


def test_without_the_extra_the_embedded_aws_says_what_to_install() -> None:
    script = "import sys; sys.modules['psutil'] = None; from console.main import main; sys.argv = ['atoll', 'local', 'up']; main()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1 and "needs the package psutil" in done.stderr and "atoll[local]" in done.stderr
