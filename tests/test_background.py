"""A crash of the tests' own process leaves nothing running, and costs one test."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not come"
        time.sleep(0.02)


@pytest.mark.parametrize("end", ["os.abort()", "os._exit(1)", "os.kill(os.getpid(), 9)"])
def test_what_a_fixture_started_is_ended_when_its_process_crashes(tmp_path: Path, end: str) -> None:
    script = f"""
        import os, pathlib
        from tests.background import ended_by
        with ended_by(["touch", "ended"], pathlib.Path({str(tmp_path)!r})):
            {end}
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT, stderr=subprocess.DEVNULL, timeout=60, check=False)
    wait_for(tmp_path / "ended")


def test_what_a_fixture_has_ended_itself_is_left_alone(tmp_path: Path) -> None:
    from tests.background import ended_by

    with ended_by(["touch", "ended"], tmp_path):
        pass
    assert not (tmp_path / "ended").exists()


@pytest.mark.deep
def test_test_that_ends_its_worker_fails_alone_and_once(tmp_path: Path) -> None:
    """One aborts, one waits in a way that no exception ends; every other test of the group runs."""
    (tmp_path / "conftest.py").write_text((ROOT / "conftest.py").read_text())
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    tests = """
        import os, pathlib, threading
        from concurrent.futures import ThreadPoolExecutor
        import pytest

        @pytest.mark.xdist_group("one")
        @pytest.mark.parametrize("number", range(6))
        def test_of_a_group(number):
            with (pathlib.Path(__file__).parent / f"ran-{number}").open("a") as ran:
                ran.write("x")
            if number == 1:
                os.abort()
            if number == 3:
                with ThreadPoolExecutor(1) as pool:
                    pool.submit(threading.Event().wait).result()

        def test_alone():
            pass
    """
    (tmp_path / "test_them.py").write_text(textwrap.dedent(tests))
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "--timeout", "3", "--timeout-method", "thread"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"PYTHONPATH": str(ROOT), "ATOLL_SUITE": "all"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert "2 failed, 5 passed" in done.stdout, done.stdout
    assert [path.read_text() for path in sorted(tmp_path.glob("ran-*"))] == ["x"] * 6
