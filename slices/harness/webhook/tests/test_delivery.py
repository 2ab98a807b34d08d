"""What arrives at an application, whatever is lost on the way, and wherever the worker dies."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doubles.webhook.application import Application, Rows
from doubles.webhook.server import served
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.errors import DefinitionError, RetryLater, StaleToken
from shared_metadata.program import BadRows, Mode
from shared_metadata.program.intervals import Interval
from slices.harness.webhook.tests.under_test import Target
from systems.application_target.journal import Journal
from tests.conformance.fixtures import Cloud, FakeContext, open_cloud
from tests.conformance.harness import NARROW, HarnessConformance, Way

BAD = 2**40
ANSWERS = st.lists(st.sampled_from([204, 204, 204, "lost", "unheard", 503, (429, {"retry-after": "0"})]), max_size=12)
DEATHS = st.lists(st.sampled_from(["", "", "", "before", "after"]), max_size=12)
Result = dict[str, int]
RESULTS = st.dictionaries(st.sampled_from("ABCDEFG"), st.integers(0, 3), max_size=7)


class Story:
    """One flow, its application, and what goes wrong.  deaths: of the worker at the next writes of the journal."""

    def __init__(
        self, cloud: Cloud, url: str, application: Application, mode: Mode, size: int = 2, bad_rows: BadRows | None = None
    ) -> None:
        self.cloud, self.application, self.deaths = cloud, application, list[str]()
        self.target = Target(application, url)
        if bad_rows:
            self.target.create(NARROW, [])
        self.mode, self.bad_rows = mode, bad_rows
        self.way = self.sized(size)
        application.key = ("carrier",) if mode == Mode.MERGE else ()

    def sized(self, size: int) -> Way:
        """The flow with groups of that many rows."""
        self.target.options = {"rows_a_request": size}
        whole = self.mode == Mode.MERGE
        return HarnessConformance().way(self.cloud, self.target, mode=self.mode, whole=whole, bad_rows=self.bad_rows)

    def batch(self, result: Result, instead: Result | None = None) -> tuple[Result, bool]:
        """Publishes a result; what it came to be, and whether that was `instead`."""
        return self.persist(self.way.put_result(rows_of(result)), result, instead)

    def persist(self, interval: Interval, result: Result, instead: Result | None = None) -> tuple[Result, bool]:
        """Publishes as often as it takes; instead: what the result is made to be after the first attempt that fails."""
        replaced = False
        for _ in range(60):
            try:
                self.way.run(interval)
                return result, replaced
            except (RetryLater, InterruptedError):
                self.cloud.clock.advance(hours=1)  # the lease of the attempt lapses
                if instead is not None and not replaced:
                    self.way.put_result(rows_of(instead), interval=interval)
                    result, replaced = instead, True
        raise AssertionError("it never ended")

    def held(self) -> Counter[tuple[str, int]]:
        return counted(self.application.rows)

    def sent(self) -> Counter[tuple[str, int]]:
        return counted(self.application.taken)


def rows_of(result: Result) -> Rows:
    return [{"carrier": carrier, "flights": flights} for carrier, flights in result.items()]


def counted(rows: Rows) -> Counter[tuple[str, int]]:
    return Counter((row["carrier"], int(row["flights"])) for row in rows)


@pytest.fixture
def story(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes stories, each with an application and a cloud of its own."""
    current, write = list[Story](), Journal._write

    def written(journal: Journal, *told: Any) -> str:
        end = current[-1].deaths.pop(0) if current[-1].deaths else ""
        if end == "before":
            raise InterruptedError
        tag = write(journal, *told)
        if end == "after":
            raise InterruptedError
        return tag

    monkeypatch.setattr(Journal, "_write", written)
    with ExitStack() as open_ones:

        def told(mode: Mode, *, knows_keys: bool = True, **more: Any) -> Story:
            application = Application(knows_keys=knows_keys)
            url = open_ones.enter_context(served(application))
            current.append(Story(next(open_cloud(monkeypatch)), url, application, mode, **more))
            return current[-1]

        yield told


def examples(count: int) -> settings:
    return settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.repeats(4)
@pytest.mark.parametrize("knows_keys", [True, False])
@examples(6)
@given(results=st.lists(st.tuples(RESULTS, st.none() | RESULTS), min_size=1, max_size=3), answers=ANSWERS, deaths=DEATHS)
def test_merge_of_whole_results_ends_as_the_last_one_whatever_breaks(
    story: Any, knows_keys: bool, results: list[tuple[Result, Result | None]], answers: list[Any], deaths: list[str]
) -> None:
    """Also where a result became another one while it was being sent."""
    told = story(Mode.MERGE, knows_keys=knows_keys)
    told.application.answers.extend(answers)
    told.deaths += deaths
    for result, instead in results:
        told.batch(result, instead)
    told.application.answers.clear()
    told.deaths.clear()
    told.batch(last := {"A": 1, "Z": 9})
    assert told.held() == Counter(last.items())


@pytest.mark.repeats(4)
@pytest.mark.parametrize("knows_keys", [True, False])
@examples(6)
@given(results=st.lists(st.tuples(RESULTS, st.none() | RESULTS), min_size=1, max_size=3), answers=ANSWERS, deaths=DEATHS)
def test_append_brings_every_row_at_least_once_and_once_where_the_application_knows_keys(
    story: Any, knows_keys: bool, results: list[tuple[Result, Result | None]], answers: list[Any], deaths: list[str]
) -> None:
    """Once, that is, but for what was on its way when a batch's result became another one."""
    told = story(Mode.APPEND, knows_keys=knows_keys)
    told.application.answers.extend(answers)
    told.deaths += deaths
    ended = [told.batch(*one) for one in results]
    wanted = sum((Counter(result.items()) for result, _ in ended), Counter[tuple[str, int]]())
    once = knows_keys and not any(replaced for _, replaced in ended)
    assert told.held() >= wanted and (told.held() == wanted or not once)


@pytest.mark.repeats(4)
@examples(6)
@given(bad=st.sets(st.integers(0, 11)), answers=ANSWERS, deaths=DEATHS, size=st.integers(1, 5))
def test_refused_rows_are_found_and_no_other_is_lost_or_sent_twice(
    story: Any, bad: set[int], answers: list[Any], deaths: list[str], size: int
) -> None:
    told = story(Mode.APPEND, size=size, bad_rows=BadRows(12))
    told.application.answers.extend(answers)
    told.deaths += deaths
    result = {f"C{n:02}": BAD if n in bad else n for n in range(12)}
    interval = told.way.put_result(rows_of(result))
    told.persist(interval, result)
    good = {carrier: flights for carrier, flights in result.items() if flights != BAD}
    assert told.held() == told.sent() == Counter(good.items())
    assert [row["carrier"] for *_, row in told.way.rejected(interval)] == [f"C{n:02}" for n in sorted(bad)]


def test_a_lost_answer_is_asked_for_again_under_the_same_key_and_a_body_that_is_the_same(story: Any) -> None:
    told = story(Mode.APPEND)
    told.application.answers.extend([204, "lost", "unheard"])
    told.batch({f"C{n}": n for n in range(6)})
    sent = [(headers["webhook-id"], body) for _, headers, body in told.application.requests]
    assert sent[1] == sent[2] == sent[3] and len(set(sent)) == 3 and len(sent) == 5
    assert len({name for name, _ in sent}) == 3


def test_a_run_on_purpose_sends_all_rows_under_keys_of_its_own(story: Any) -> None:
    told = story(Mode.MERGE)
    interval = told.way.put_result(rows_of({"A": 1, "B": 2, "C": 3}))
    told.way.run(interval)
    told.application.rows.clear()  # as an application that was restored from yesterday's backup
    told.way.run(interval, rerun=True)
    assert told.held() == Counter({("A", 1): 1, ("B", 2): 1, ("C", 3): 1})


def test_what_has_arrived_of_another_result_of_a_batch_is_not_sent_again(story: Any) -> None:
    """As where a batch that only adds rows had too many bad ones, which were mended since; of a row that is gone it is told."""
    told = story(Mode.APPEND, bad_rows=BadRows(1))
    interval = told.way.put_result(rows_of({"A": 1, "B": BAD, "C": 3, "D": BAD, "E": 5}))
    run = told.way.run(interval, record_errors=True)
    assert "2 of 5 rows cannot be written" in str(run.errors[told.way.flow.id])
    assert told.held() == Counter({("A", 1): 1, ("C", 3): 1})
    told.cloud.clock.advance(hours=1)
    mended = {"A": 1, "B": 2, "C": 4, "D": 4, "E": 5}
    told.way.put_result(rows_of(mended), interval=interval)
    told.application.answers.extend([204, 503, 503])
    told.persist(interval, mended)
    assert told.held() == Counter(mended.items()) and told.sent() == Counter([*mended.items(), ("C", 3)])


def test_another_size_of_groups_makes_other_keys(story: Any) -> None:
    """Else a key that the application knows would stand for rows that it has not."""
    told = story(Mode.APPEND)
    told.application.answers.extend([204, 503, 503])
    interval = told.way.put_result(rows_of({f"C{n}": n for n in range(4)}))
    with pytest.raises(RetryLater):
        told.way.run(interval)
    for key in told.cloud.keys("journal/"):
        told.cloud.s3.delete_object(Bucket=told.cloud.bucket, Key=key)
    told.cloud.clock.advance(hours=1)
    told.sized(4).run(interval)
    assert set(told.held()) == {(f"C{n}", n) for n in range(4)}


def test_of_what_was_broken_off_longer_ago_than_files_are_kept_it_is_told_what_to_delete(story: Any) -> None:
    told = story(Mode.MERGE)
    told.application.answers.extend([204, 503, 503])
    interval = told.way.put_result(rows_of({f"C{n}": n for n in range(4)}))
    with pytest.raises(RetryLater):
        told.way.run(interval)
    for key in told.cloud.keys("staging/"):
        told.cloud.s3.delete_object(Bucket=told.cloud.bucket, Key=key)
    told.cloud.clock.advance(hours=1)
    following = told.way.put_result(rows_of({"C0": 0}))
    with pytest.raises(DefinitionError, match="its files are gone") as caught:
        told.way.run(following)
    (named,) = re.findall(r"delete s3://[^/]+/(\S+):", caught.value.remedy)
    told.cloud.s3.delete_object(Bucket=told.cloud.bucket, Key=named)
    told.cloud.clock.advance(hours=1)
    told.way.run(following)
    assert told.held()[("C0", 0)] == 1


def test_a_worker_that_was_overtaken_sends_nothing_more(story: Any) -> None:
    told = story(Mode.APPEND)
    interval = told.way.put_result(rows_of({f"C{n}": n for n in range(6)}))
    steps, context = told.way.steps, FakeContext()
    old = steps.diff(steps.plan(told.cloud.event(told.way.flow.id, interval=interval), context)["work"][0], context)
    stale = steps.work(old)
    told.application.answers.append(503)
    with pytest.raises(RetryLater):
        steps.publish(old, context)
    told.cloud.clock.advance(hours=1)
    new = steps.diff(steps.plan(told.cloud.event(told.way.flow.id, interval=interval), context)["work"][0], context)
    told.application.answers.extend([204, 503])
    assert steps.publish(new, context)["done"] is False
    sent, staging = len(told.application.requests), steps.staging(stale)
    opened = steps.open(stale)
    with pytest.raises(StaleToken):
        opened.publish(stale, staging.read(told.way.flow.id, "changes.json"), staging, None, Deadline.of(context))
    opened.close()
    assert len(told.application.requests) == sent
    assert steps.publish(new, context)["done"] is True and told.held() == told.sent() and len(told.sent()) == 6


def test_many_refused_rows_of_one_group_are_found_over_several_calls(story: Any) -> None:
    told = story(Mode.APPEND, size=40, bad_rows=BadRows(40))
    interval = told.way.put_result(rows_of({f"C{n:02}": BAD if n % 3 else n for n in range(40)}))
    run = told.way.run(interval, context=lambda _: FakeContext(remaining_seconds=20))
    assert run.calls["publish"] > 20 and len(told.way.rejected(interval)) == 26
    assert told.held() == told.sent() == Counter({(f"C{n:02}", n): 1 for n in range(0, 40, 3)})


def test_a_pause_that_the_application_asks_for_is_waited_for_within_the_call_where_it_is_short(
    story: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept = list[float]()
    monkeypatch.setattr("systems.application_target.sending.time.sleep", slept.append)
    told = story(Mode.APPEND)
    told.application.answers.extend([(429, {"retry-after": "7"})] * 5)
    run = told.way.run(told.way.put_result(rows_of({"A": 1})))
    assert slept == [7.0] * 5 and run.calls["publish"] == 1
    for answers in ([(429, {"retry-after": "7"})] * 6, [(429, {"retry-after": "61"})]):
        told.application.answers.extend(answers)
        interval = told.way.put_result(rows_of({"B": 1}))
        with pytest.raises(RetryLater) as caught:
            told.way.run(interval)
        assert caught.value.after_seconds == float(answers[0][1]["retry-after"]) and not told.application.answers
        told.cloud.clock.advance(hours=1)
        told.way.run(interval)
    assert slept == [7.0] * 10 and told.held() == Counter([("A", 1), ("B", 1), ("B", 1)])
