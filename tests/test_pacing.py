"""The quick suite and the deep one together run everything, and what takes too long is told."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import hypothesis
import pytest

from tests.pacing import AGAIN, CHOICE, EXAMPLES, FEWEST, SAME, SHARES, share, workers

ROOT = Path(__file__).resolve().parents[1]
TESTS = """
    import pathlib, time
    import pytest
    from hypothesis import given, settings, strategies as st
    from hypothesis.stateful import RuleBasedStateMachine, rule

    def note(what):
        with (pathlib.Path(__file__).parent / what).open("a") as notes:
            notes.write("x")

    def test_plain():
        note("plain")

    @pytest.mark.deep
    def test_deep():
        note("deep")

    @pytest.mark.sampled(4)
    @pytest.mark.parametrize("case", range(10))
    def test_table(case):
        note("table")
        note(f"case{case}")

    @settings(max_examples=50)
    @given(st.integers())
    def test_many(number):
        note("many")

    class TestMethods:
        @pytest.mark.parametrize("one", [1, 2])
        @given(number=st.integers())
        def test_unsaid(self, one, number):
            note(f"unsaid{one}")

    class Machine(RuleBasedStateMachine):
        @rule(number=st.integers())
        def step(self, number):
            pass

        def teardown(self):
            note("machine")

    TestMachine = Machine.TestCase
    TestMachine.settings = settings(max_examples=60, stateful_step_count=2)

    @pytest.mark.budget(0.05)
    def test_slow():
        time.sleep(0.2)

    @pytest.mark.budget(60)
    def test_patient():
        time.sleep(0.2)
"""


@pytest.fixture(autouse=True)
def as_the_night_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(EXAMPLES, raising=False)


def run(folder: Path, suite: str, *options: str, tests: str = TESTS, code: int = 0) -> str:
    (folder / "conftest.py").write_text((ROOT / "conftest.py").read_text())
    markers = "".join(f"\n  {name}: what it says" for name in ("deep", "sampled", "repeats", "nightly", "budget"))
    (folder / "pytest.ini").write_text(f"[pytest]\nmarkers ={markers}\n")
    (folder / "test_them.py").write_text(textwrap.dedent(tests))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    environment |= {CHOICE: suite, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def noted(folder: Path) -> dict[str, int]:
    kinds = ("plain", "deep", "table", "many", "unsaid1", "unsaid2", "machine")
    return {name: len((folder / name).read_text()) for name in kinds if (folder / name).exists()}


WORKERS = pytest.param(("-n", "2", "--dist", "loadgroup"), id="workers", marks=pytest.mark.deep)


@pytest.mark.parametrize("options", [pytest.param((), id="alone"), WORKERS])
def test_the_quick_suite_leaves_out_what_is_deep_makes_fewer_examples_and_says_so(tmp_path: Path, options: tuple[str, ...]) -> None:
    said = run(tmp_path, "quick", *options)
    share = SHARES["quick"]
    by_chance = {"many": 50 * share, "unsaid1": 100 * share, "unsaid2": 100 * share, "machine": 60 * share}
    assert noted(tmp_path) == {"plain": 1, "table": 3} | by_chance
    assert "1 deep, 7 other cases of a sample, 4 with all their examples" in said and "make test-deep" in said


@pytest.mark.deep
def test_the_deep_suite_runs_the_rest_with_all_examples_and_nothing_else(tmp_path: Path) -> None:
    said = run(tmp_path, "deep")
    assert noted(tmp_path) == {"deep": 1, "table": 7, "many": 50, "unsaid1": 100, "unsaid2": 100, "machine": 60}
    assert "make test-deep" not in said


@pytest.mark.deep
def test_both_together_are_all_there_is(tmp_path: Path) -> None:
    run(tmp_path, "all")
    assert noted(tmp_path) == {"plain": 1, "deep": 1, "table": 10, "many": 50, "unsaid1": 100, "unsaid2": 100, "machine": 60}


def test_the_quick_and_the_deep_suite_share_out_a_sampled_table(tmp_path: Path) -> None:
    for suite in ("quick", "deep"):
        run(tmp_path, suite, "-k", "test_table")
    assert [(tmp_path / f"case{case}").read_text() for case in range(10)] == ["x"] * 10


def test_the_two_suites_share_out_what_repeats_another_s(tmp_path: Path) -> None:
    tests = "import pathlib, pytest\npytestmark = pytest.mark.repeats(3)\n"
    for number in range(6):
        tests += f"def test_{number}():\n    (pathlib.Path(__file__).parent / 'said').open('a').write('{number}')\n"
    tests += "@pytest.mark.sampled(2)\n@pytest.mark.parametrize('case', 'abcdefghijkl')\ndef test_table(case):\n"
    tests += "    (pathlib.Path(__file__).parent / 'table').open('a').write(case)\n"
    found, cases = [], []
    for suite in ("quick", "deep"):
        run(tmp_path, suite, tests=tests)
        found.append((tmp_path / "said").read_text())
        cases.append((tmp_path / "table").read_text())
    assert len(found[0]) == 2 and sorted(found[1]) == [*"012345"]
    assert len(cases[0]) == 2 and sorted(cases[1]) == [*"abcdefghijkl"]


def test_suites_that_repeat_the_same_one_run_other_tests_of_it(tmp_path: Path) -> None:
    tests = "import pathlib, pytest\nclass Suite:\n"
    for number in range(12):
        tests += f"    def test_{number}(self):\n        said = pathlib.Path(__file__).parent / type(self).__name__\n"
        tests += f"        said.open('a').write('{number} ')\n"
    tests += "".join(f"@pytest.mark.repeats(4)\nclass Test{name}(Suite): pass\n" for name in ("One", "Other"))
    run(tmp_path, "quick", tests=tests)
    one, other = ((tmp_path / f"Test{name}").read_text().split() for name in ("One", "Other"))
    assert len(one) == len(other) == 3 and one != other


def test_what_failed_in_a_group_is_repeated_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tests = """
        import pathlib, pytest

        @pytest.mark.xdist_group("a group")
        @pytest.mark.parametrize("case", ["a@b", "c"])
        def test_table(case):
            said = pathlib.Path(__file__).parent / "said"
            said.open("a").write(case + " ")
            assert case == "c" or said.read_text().count("a@b") > 1
    """
    assert "1 failed" in run(tmp_path, "quick", "-n", "2", "--dist", "loadgroup", "-p", "cacheprovider", tests=tests, code=1)
    monkeypatch.setenv(AGAIN, "1")
    assert "1 passed" in run(tmp_path, "quick", "-n", "0", "--last-failed", "-p", "cacheprovider", tests=tests)
    assert sorted((tmp_path / "said").read_text().split()) == ["a@b", "a@b", "c"]


UNLIKE = """
    import os, pytest

    @pytest.mark.parametrize("case", [os.environ.get("PYTEST_XDIST_WORKER", "none")])
    def test_table(case):
        pass
"""


@pytest.mark.parametrize("tests", [UNLIKE, "1 / 0"])
def test_what_did_not_run_as_a_whole_is_not_repeated_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tests: str) -> None:
    run(tmp_path, "quick", "-n", "2", "--dist", "loadgroup", "-p", "cacheprovider", tests=tests, code=1)
    monkeypatch.setenv(AGAIN, "1")
    with pytest.raises(AssertionError, match="did not run as a whole"):
        run(tmp_path, "quick", "-n", "0", "--last-failed", "-p", "cacheprovider", tests=tests)


@pytest.mark.parametrize(("examples", "every", "cases"), [(SAME, "(5)", 2), (SAME, "", 0), ("", "(5)", 10), ("", "", 10)])
def test_of_what_is_costly_a_part_is_tried_where_a_change_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, examples: str, every: str, cases: int
) -> None:
    tests = f"import pathlib, pytest\n@pytest.mark.deep\n@pytest.mark.nightly{every}\n@pytest.mark.parametrize('case', range(10))\n"
    tests += "def test_table(case):\n    (pathlib.Path(__file__).parent / 'said').open('a').write('x')\n"
    monkeypatch.setenv(EXAMPLES, examples)
    (tmp_path / "said").touch()
    run(tmp_path, "deep", tests=tests, code=0 if cases else pytest.ExitCode.NO_TESTS_COLLECTED)
    assert (tmp_path / "said").read_text() == "x" * cases


def test_where_a_change_is_judged_the_deep_suite_runs_only_what_the_quick_one_does_not_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(EXAMPLES, SAME)
    run(tmp_path, "deep")
    assert noted(tmp_path) == {"deep": 1}


@pytest.mark.deep
def test_what_is_over_its_budget_is_told_and_fails_nothing(tmp_path: Path) -> None:
    for options in ((), ("-n", "1")):
        said = run(tmp_path, "quick", *options)
        assert re.search(r"0\.\d s of 0\.05, \d+\.\d s of the processor  test_them\.py::test_slow", said), said
        assert "test_patient" not in said


def test_a_suite_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="quick, deep, all"):
        run(tmp_path, "quickest")


def test_the_fewest_examples_are_no_more_than_a_test_asks_for() -> None:
    assert share(hypothesis.settings(max_examples=2), 0.2).max_examples == 2
    assert share(hypothesis.settings(max_examples=10), 0.2).max_examples == FEWEST


def test_where_a_change_is_judged_the_deep_suite_makes_the_same_examples_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = hypothesis.settings(max_examples=300)
    assert share(asked, 1) is asked
    monkeypatch.setenv(EXAMPLES, SAME)
    assert (share(asked, 1).max_examples, share(asked, 1).derandomize) == (300, True)


@pytest.mark.deep
def test_what_may_take_longest_begins_first(tmp_path: Path) -> None:
    tests = """
        import pathlib, pytest
        def note(what):
            with (pathlib.Path(__file__).parent / "order").open("a") as notes:
                notes.write(what)
        def test_a():
            note("a")
        @pytest.mark.xdist_group("two")
        @pytest.mark.parametrize("one", "bc")
        def test_group(one):
            note(one)
        @pytest.mark.budget(60)
        def test_d():
            note("d")
    """
    run(tmp_path, "quick", "-n", "1", "--dist", "loadgroup", tests=tests)
    assert (tmp_path / "order").read_text() == "dbca"


@pytest.mark.parametrize(
    ("chosen", "gigabytes", "expected"), [("quick", 64, 6), ("quick", 4, 4), ("deep", 64, 8), ("deep", 16, 5), ("deep", 2, 1)]
)
def test_workers_are_as_many_as_cores_and_memory_are_for(
    monkeypatch: pytest.MonkeyPatch, chosen: str, gigabytes: int, expected: int
) -> None:
    monkeypatch.setenv(CHOICE, chosen)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": gigabytes << 18, "SC_PAGE_SIZE": 4096}.__getitem__)
    assert workers() == expected
