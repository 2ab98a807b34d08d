"""How much of the suite runs, and which of its tests take longer than they may: a plugin for the tests of all folders.

`make test` runs the quick suite: no test that is marked `deep`, every n-th case of a table that is marked `sampled(n)`, and a share
of the examples of those that make them by chance. `make test-deep` runs what that leaves out: the deep tests, the other cases, and
those with all their examples.
ATOLL_SUITE is quick, deep or all. ATOLL_EXAMPLES is same where a change is judged, by both suites within 40 minutes: of the deep one
only what is marked `deep` runs then, of a table that is marked `nightly(n)` every n-th case, and nothing that is marked `nightly`.
"""

from __future__ import annotations

import gc
import math
import os
import re
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest

CHOICE = "ATOLL_SUITE"
EXAMPLES, SAME = "ATOLL_EXAMPLES", "same"  # of the deep suite, too, where a change is judged
SHARES = {"quick": 0.1, "deep": 1.0, "all": 1.0}  # of the examples that a test's settings ask for
FEWEST = 4
BUDGET_SECONDS = 10.0  # of a test that is marked with no other
TOLD = 20
AGAIN = "ATOLL_AGAIN"  # set where what failed is repeated
WHOLE = "atoll/whole"  # in pytest's cache: whether the run before came to its end
FAILED = "cache/lastfailed"  # pytest's own, for `--last-failed`
GROUP = re.compile(r"@[^]@]*$")  # xdist adds a test's group to its name, under which `--last-failed` would find none, and run all


class Pacing:
    """In each worker it chooses what runs; where all is told, it also tells what was too slow and what was left out."""

    def __init__(self, suite: str) -> None:
        self._suite, self._processor_seconds = suite, time.process_time()
        self._slow: list[Any] = []
        self._left_out: Counter[str] = Counter()
        self._by_folder: Counter[str] = Counter()
        self._collected = True

    # -- what runs

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        deep = {item for item in items if item.get_closest_marker("deep")}
        unsampled = _unsampled([item for item in items if item not in deep], "sampled")
        judged = self._suite == "deep" and os.environ.get(EXAMPLES) == SAME
        at_night = _unsampled(items, "nightly") | {*items} - deep if judged else set[pytest.Item]()
        left = [item for item in items if item in at_night or not self._belongs(item, item in deep or item in unsampled)]
        if left:
            config.hook.pytest_deselected(items=left)
            gone = set(left)
            items[:] = [item for item in items if item not in gone]
        if hasattr(config, "workerinput"):
            items.sort(key=_longest_first(items))
        by_chance = [item for item in items if _makes_examples(item)]
        for holder, name in {_settings(item) for item in by_chance}:
            setattr(holder, name, share(getattr(holder, name), SHARES[self._suite]))
        if self._suite == "quick":
            told = {"deep": len(deep), "other cases of a sample": len(unsampled), "with all their examples": len(by_chance)}
            self._left_out = Counter(told)

    def _belongs(self, item: pytest.Item, deep: bool) -> bool:
        return not deep if self._suite == "quick" else self._suite == "all" or deep or _makes_examples(item)

    # -- what is told

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Iterator[None]:
        made: Any = yield
        report, before = made.get_result(), self._processor_seconds
        self._processor_seconds = time.process_time()
        report.budget_seconds = _budget_seconds(item)
        report.processor_seconds = self._processor_seconds - before

    def pytest_runtest_logreport(self, report: Any) -> None:
        """A test that ended its worker has no budget left to be told of."""
        folder = report.nodeid.partition("::")[0].rpartition("/")[0].removesuffix("/tests")
        self._by_folder[folder] += getattr(report, "processor_seconds", 0)
        if report.duration > getattr(report, "budget_seconds", report.duration):
            self._slow.append(report)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Every worker has collected the same."""
        self._left_out = Counter(getattr(node, "workeroutput", {}).get(CHOICE, self._left_out))

    def pytest_collection_finish(self) -> None:
        """What was imported stays; the garbage collector need not go through it again with each test."""
        gc.collect()
        gc.freeze()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: Any) -> None:
        gc.freeze()  # nor pytest several times at the end of the process
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput[CHOICE] = dict(self._left_out)
        elif (cache := getattr(session.config, "cache", None)) is not None:
            cache.set(FAILED, {GROUP.sub("", name): value for name, value in cache.get(FAILED, {}).items()})
            cache.set(WHOLE, self._collected and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED))

    def pytest_configure(self, config: pytest.Config) -> None:
        """Refuses to repeat what failed of a run that did not come to its end: what it did not reach would count as passed."""
        if os.environ.get(AGAIN) and not config.cache.get(WHOLE, False):  # type: ignore[union-attr]
            raise pytest.UsageError("the suite did not run as a whole, so what failed of it is not known")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """xdist reports so, too, that its workers have not collected the same."""
        self._collected = self._collected and not report.failed

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        if config.getoption("durations") is not None:
            terminalreporter.section("seconds of the processor by folder, without other processes")
            for folder, seconds in self._by_folder.most_common():
                terminalreporter.write_line(f"{seconds:8.1f}  {folder}")
        slow = sorted(self._slow, key=lambda report: report.budget_seconds - report.duration)
        if slow:
            terminalreporter.section("over their time budgets (no failure)")
        for report in slow[:TOLD]:
            part = "" if report.when == "call" else f", {report.when}"
            took = f"{report.duration:6.1f} s of {report.budget_seconds:g}, {report.processor_seconds:.1f} s of the processor"
            terminalreporter.write_line(f"{took}  {report.nodeid}{part}")
        if len(slow) > TOLD:
            terminalreporter.write_line(f"and {len(slow) - TOLD} more")
        left = ", ".join(f"{count} {what}" for what, count in self._left_out.items() if count)
        if left:
            terminalreporter.write_line(f"left to `make test-deep` (or {CHOICE}=all .venv/bin/pytest <path>): {left}")


def suite() -> str:
    return os.environ.get(CHOICE) or "quick"


def pacing() -> Pacing:
    if suite() not in SHARES:
        raise pytest.UsageError(f"{CHOICE} is {suite()!r}: it may be {', '.join(SHARES)}")
    return Pacing(suite())


def share(full: hypothesis.settings, of: float) -> hypothesis.settings:
    """The same settings with a share of the examples."""
    fewest = min(FEWEST, full.max_examples)
    if of >= 1 and os.environ.get(EXAMPLES) != SAME:
        return full
    # The same each time, so that a change is judged by itself; the deep suite looks further each time that it runs.
    return hypothesis.settings(full, max_examples=max(fewest, int(full.max_examples * min(of, 1))), derandomize=True, database=None)


def _unsampled(items: list[pytest.Item], table: str) -> set[pytest.Item]:
    """All but every n-th case of a table that is marked so, and test of a suite that is marked `repeats(n)`, by what their
    names hash to: a new one moves few others. Of a table in such a suite every n-th of its every n-th. Of those with the mark
    and no n all.
    """
    tables = defaultdict[tuple[Any, ...], list[tuple[str, pytest.Item]]](list)
    left = set[pytest.Item]()
    for item in items:
        repeats, marker = item.get_closest_marker("repeats") if table == "sampled" else None, item.get_closest_marker(table)
        if marker and not marker.args:
            left.add(item)
        elif marker and hasattr(item, "callspec"):
            every = marker.args[0] * (repeats.args[0] if repeats else 1)
            name = f"{_class_of(item)}{item.callspec.id}" if repeats else item.callspec.id  # each such suite repeats other tests
            tables[item.parent, item.originalname, every].append((name, item))  # type: ignore[attr-defined]
        elif repeats:
            tables[item.getparent(pytest.Module), "", repeats.args[0]].append((f"{_class_of(item)}{item.name}", item))
    for (*_, every), cases in tables.items():
        cases.sort(key=lambda case: (zlib.crc32(case[0].encode()), case[0]))
        left.update(item for _, item in cases[math.ceil(len(cases) / every) :])
    return left


def _class_of(item: pytest.Item) -> str:
    return str(getattr(item, "cls", None))


def _budget_seconds(item: pytest.Item) -> float:
    marker = item.get_closest_marker("budget")
    return float(marker.args[0]) if marker else BUDGET_SECONDS


def _longest_first(items: list[pytest.Item]) -> Callable[[pytest.Item], float]:
    """For workers: a group that may take long must not be what all others wait for."""
    together: Counter[str] = Counter()
    for item in items:
        together[_group(item)] += _budget_seconds(item)  # type: ignore[assignment]
    return lambda item: -together[_group(item)]


def _group(item: pytest.Item) -> str:
    marker = item.get_closest_marker("xdist_group")
    return str(marker.args[0]) if marker else item.nodeid


def _makes_examples(item: pytest.Item) -> bool:
    return bool(getattr(getattr(item, "obj", None), "is_hypothesis_test", False))


def _settings(item: Any) -> tuple[Any, str]:
    """Where hypothesis keeps a test's settings: at the class of a state machine, or at the function."""
    if hasattr(item.cls, "settings"):
        return item.cls, "settings"
    return getattr(item.obj, "__func__", item.obj), "_hypothesis_internal_use_settings"


def workers() -> int:
    """One for each core, and two that wait for a clock or for other processes, which of the deep suite's tests more do; each takes
    eight seconds of a core to begin, and one gigabyte, or three with an installation deployed.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    more, gigabytes = (2, 1) if suite() == "quick" else (4, 3)
    return max(1, min((cores or 1) + more, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // (gigabytes << 30)))
