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


def suite_of(folder: Path, tests: str, workers: int) -> str:
    """What pytest says of these tests, by so many workers."""
    (folder / "conftest.py").write_text((ROOT / "conftest.py").read_text())
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_them.py").write_text(textwrap.dedent(tests))
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(workers), "--dist", "loadgroup"]
    command += ["--timeout", "3", "--timeout-method", "thread"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"PYTHONPATH": str(ROOT), "ATOLL_SUITE": "all"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False).stdout


@pytest.mark.deep
def test_test_that_ends_its_worker_fails_alone_and_once(tmp_path: Path) -> None:
    """One aborts, one waits in a way that no exception ends; every other test of the group runs."""
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
    said = suite_of(tmp_path, tests, 2)
    assert "2 failed, 5 passed" in said, said
    assert [path.read_text() for path in sorted(tmp_path.glob("ran-*"))] == ["x"] * 6


@pytest.mark.deep
def test_several_workers_that_end_one_after_another_cost_their_tests_and_no_other(tmp_path: Path) -> None:
    """Of those that follow, one has collected its tests while another has not."""
    tests = """
        import os, time
        import pytest

        time.sleep(0.3 * int(os.environ["PYTEST_XDIST_WORKER"][2:]))

        @pytest.mark.parametrize("number", [pytest.param(n, marks=pytest.mark.xdist_group(f"g{n}")) for n in range(6)])
        @pytest.mark.parametrize("which", range(2))
        def test_of_a_group(number, which):
            if which == 0:
                os.abort()
    """
    said = suite_of(tmp_path, tests, 4)
    assert "6 failed, 6 passed" in said, said
