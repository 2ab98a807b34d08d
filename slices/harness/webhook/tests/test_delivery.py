"""What arrives at an application, whatever is lost on the way, and wherever the worker dies."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doubles.webhook.application import Application, Rows
from doubles.webhook.server import served
from shared_metadata.contract.results.changes import keep_refused
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.work import Work
from shared_metadata.errors import DefinitionError, RetryLater, StaleToken
from shared_metadata.program import BadRows, Mode
from shared_metadata.program.intervals import Interval
from slices.harness.webhook.tests.under_test import Target
from systems.application_target import target
from systems.application_target.journal import Journal, journal_of
from systems.application_target.sending import Sending
from tests.conformance.fixtures import Cloud, FakeContext, open_cloud
from tests.conformance.harness import NARROW, HarnessConformance, Way, columns

BAD = 2**40
ANSWERS = st.lists(st.sampled_from([204, 204, 204, "lost", "unheard", 503, (429, {"retry-after": "0"})]), max_size=12)
DEATHS = st.lists(st.sampled_from(["", "", "", "before", "after"]), max_size=12)
Result = dict[str, int]
RESULTS = st.dictionaries(st.sampled_from("ABCDEFG"), st.integers(0, 3), max_size=7)
# A flow's results, and what each becomes while it is sent; and what goes wrong.
BATCHES = given(results=st.lists(st.tuples(RESULTS, st.none() | RESULTS), min_size=1, max_size=3), answers=ANSWERS, deaths=DEATHS)


class Story:
    """One flow, its application, and what goes wrong.  deaths: of the worker at the next writes of the journal."""

    def __init__(
        self, cloud: Cloud, url: str, application: Application, mode: Mode, size: int = 2, bad_rows: BadRows | None = None,
        whole: bool | None = None,
    ) -> None:  # fmt: skip
        self.cloud, self.application, self.deaths = cloud, application, list[str]()
        self.target = Target(application, url)
        if bad_rows:
            self.target.create(NARROW, [])
        self.mode, self.bad_rows, self.whole = mode, bad_rows, mode == Mode.MERGE if whole is None else whole
        self.way = self.sized(size)
        application.key = ("carrier",) if mode == Mode.MERGE else ()

    def sized(self, size: int) -> Way:
        """The flow with groups of that many rows."""
        self.target.options = {"rows_a_request": size}
        return HarnessConformance().way(self.cloud, self.target, mode=self.mode, whole=self.whole, bad_rows=self.bad_rows)

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

    def breaks(self, interval: Interval, *answers: Any, rerun: bool = False) -> None:
        """An attempt that gets these answers, and then none."""
        self.application.answers.extend([*answers, 503, 503])
        with pytest.raises(RetryLater):
            self.way.run(interval, rerun=rerun)
        self.application.answers.clear()
        self.cloud.clock.advance(hours=1)

    def compared(self, interval: Interval) -> Any:
        """The state that an attempt hands from diff to publish."""
        steps, context = self.way.steps, FakeContext()
        return steps.diff(steps.plan(self.cloud.event(self.way.flow.id, interval=interval), context)["work"][0], context)

    def overtaken(self, work: Work) -> None:
        """Publish of a worker that has lost its claim, and has not noticed."""
        staging, opened = self.way.steps.staging(work), self.way.steps.open(work)
        changes = staging.read(self.way.flow.id, "changes.json")
        assert changes is not None
        try:
            opened.publish(work, changes, staging, None, Deadline.of(FakeContext()))
        finally:
            opened.close()

    def forget(self, remedy: str) -> None:
        """Deletes of the journal what an error says."""
        (named,) = re.findall(r"delete s3://[^/]+/(\S+?)(?=[:,]? )", remedy)
        self.cloud.s3.delete_object(Bucket=self.cloud.bucket, Key=named)

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

        def told(mode: Mode, *, knows_keys: bool = True, answers: Any = (), deaths: Any = (), **more: Any) -> Story:
            application = Application(knows_keys=knows_keys)
            url = open_ones.enter_context(served(application))
            current.append(Story(next(open_cloud(monkeypatch)), url, application, mode, **more))
            application.answers.extend(answers)
            current[-1].deaths += deaths
            return current[-1]

        yield told


def examples(count: int) -> settings:
    return settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.repeats(4)
@pytest.mark.parametrize("knows_keys", [True, False])
@examples(6)
@BATCHES
def test_merge_of_whole_results_ends_as_the_last_one_whatever_breaks(
    story: Any, knows_keys: bool, results: list[tuple[Result, Result | None]], answers: list[Any], deaths: list[str]
) -> None:
    """Also where a result became another one while it was being sent."""
    told = story(Mode.MERGE, knows_keys=knows_keys, answers=answers, deaths=deaths)
    for result, instead in results:
        told.batch(result, instead)
    told.application.answers.clear()
    told.deaths.clear()
    told.batch(last := {"A": 1, "Z": 9})
    assert told.held() == Counter(last.items())


@pytest.mark.repeats(4)
@pytest.mark.parametrize("knows_keys", [True, False])
@examples(6)
@BATCHES
def test_append_brings_every_row_at_least_once_and_once_where_the_application_knows_keys(
    story: Any, knows_keys: bool, results: list[tuple[Result, Result | None]], answers: list[Any], deaths: list[str]
) -> None:
    """Once, that is, but for what was on its way when a batch's result became another one."""
    told = story(Mode.APPEND, knows_keys=knows_keys, answers=answers, deaths=deaths)
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
    told = story(Mode.APPEND, answers=answers, deaths=deaths, size=size, bad_rows=BadRows(12))
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
    told.forget(caught.value.remedy)
    told.cloud.clock.advance(hours=1)
    told.way.run(following)
    assert told.held()[("C0", 0)] == 1


def test_a_worker_that_was_overtaken_sends_nothing_more(story: Any) -> None:
    told = story(Mode.APPEND)
    interval = told.way.put_result(rows_of({f"C{n}": n for n in range(6)}))
    steps, context = told.way.steps, FakeContext()
    old = told.compared(interval)
    stale = steps.work(old)
    told.application.answers.append(503)
    with pytest.raises(RetryLater):
        steps.publish(old, context)
    told.cloud.clock.advance(hours=1)
    new = told.compared(interval)
    told.application.answers.extend([204, 503])
    assert steps.publish(new, context)["done"] is False
    sent = len(told.application.requests)
    with pytest.raises(StaleToken):
        told.overtaken(stale)
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


# -- batches of a flow beside each other


def beside(story: Any, monkeypatch: pytest.MonkeyPatch, mode: Mode, whole: bool) -> tuple[Any, Interval, Interval, list[str]]:
    """A batch Z is run again, and while its second group is sent another worker runs the next one, A; what became of Z."""
    told, ended = story(mode, whole=whole), list[str]()
    z = told.way.put_result(rows_of({"Z1": 1}))
    told.way.run(z)
    told.way.put_result(rows_of({"Z1": 1, "Z2": 2, "Z3": 3, "Z4": 4, "Z5": 5, "Z6": 6, "K": 1}), interval=z)
    a = told.way.put_result(rows_of({"A1": 1, "A2": 2, "A3": 3, "K": 2}))
    send, sent = Sending._send, list[str]()

    def counted(sending: Sending, group: Any) -> Any:
        sent.append(group.key)
        if len(sent) == 2:
            told.way.run(a)
        return send(sending, group)

    monkeypatch.setattr(Sending, "_send", counted)
    try:
        told.way.run(z, rerun=True)
        ended.append("")
    except RetryLater as error:
        ended.append(str(error))
        told.cloud.clock.advance(hours=1)
        told.way.run(z, rerun=True)
    return told, z, a, ended


def test_append_of_two_batches_beside_each_other_brings_each_row_once(story: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told, _, a, ended = beside(story, monkeypatch, Mode.APPEND, whole=False)
    wanted = [("Z1", 1), *((f"Z{n}", n) for n in range(2, 7)), ("K", 1), ("A1", 1), ("A2", 2), ("A3", 3), ("K", 2)]
    assert told.held() == told.sent() == Counter(wanted) and ended == [""]
    newest = journal_of(told.cloud.services("harness.webhook"), told.way.flow.id, "").newest()
    assert newest and newest.interval == a


def test_an_older_window_that_is_sent_again_notices_that_a_later_one_was_sent_meanwhile(
    story: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, _, _, ended = beside(story, monkeypatch, Mode.MERGE, whole=False)
    assert "a later batch has sent" in ended[0] and told.held()[("K", 2)] == 1 and set(told.held().values()) == {1}
    assert {carrier for carrier, _ in told.held()} == {"K", *(f"Z{n}" for n in range(1, 7)), "A1", "A2", "A3"}


def test_a_whole_result_that_another_batch_has_overtaken_is_tried_again_and_not_given_up_untold(
    story: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the older batch no more is sent than the group that was on its way."""
    told, _, _, ended = beside(story, monkeypatch, Mode.MERGE, whole=True)
    result = Counter({("A1", 1): 1, ("A2", 2): 1, ("A3", 3): 1, ("K", 2): 1})
    assert "another batch of the flow" in ended[0] and told.held() >= result and len(told.held() - result) <= 2


@contextmanager
def overtaken_at(newer: Callable[[], object], number: int, *, dies: bool = False) -> Iterator[None]:
    """Before the group of that number goes out, counted from 1, other batches are sent, and it is heard after these."""
    send, sent = Sending._send, list[str]()

    def late(sending: Sending, group: Any) -> Any:
        sent.append(group.key)
        if len(sent) != number:
            return send(sending, group)
        newer()
        said = send(sending, group)
        if dies:
            raise InterruptedError
        return said

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Sending, "_send", late)
        yield


@pytest.mark.repeats(4)
@pytest.mark.parametrize("dies", [False, True])
@examples(6)
@given(former=RESULTS, older=RESULTS, newer=RESULTS, number=st.integers(1, 5), following=RESULTS | st.none())
def test_a_group_that_is_heard_after_a_newer_result_is_put_right_by_the_next_batch(
    story: Any, dies: bool, former: Result, older: Result, newer: Result, number: int, following: Result | None
) -> None:
    """Also where the next result is the same (None), and where the group's worker died and tells nobody."""
    told = story(Mode.MERGE)
    z = told.way.put_result(rows_of(former))
    told.way.run(z)
    told.way.put_result(rows_of(older), interval=z)
    a = told.way.put_result(rows_of(newer))
    with overtaken_at(lambda: told.way.run(a), number, dies=dies), suppress(RetryLater, InterruptedError):
        told.way.run(z, rerun=True)
    told.cloud.clock.advance(hours=1)
    told.way.run(a)
    assert len(told.held() - Counter(newer.items())) <= 2, "no more than a group"
    told.way.run(told.way.skip_result() if following is None else told.way.put_result(rows_of(following)))
    assert told.held() == Counter((newer if following is None else following).items())
    sent = len(told.application.requests)
    told.way.run(told.way.skip_result())
    assert len(told.application.requests) == sent, "and that is all"


def test_a_group_may_be_heard_as_long_as_the_call_that_has_sent_it_lasts(story: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is sent again by each batch until then, and by the first one after that."""
    monkeypatch.setattr(target, "LEASE_SECONDS", 2.5 * 3600)  # the flow's batches are an hour each
    told = story(Mode.MERGE)
    z = told.way.put_result(rows_of({"A": 1}))
    told.way.run(z)
    told.way.put_result(rows_of({"A": 0, "B": 0, "C": 0, "D": 0}), interval=z)
    a = told.way.put_result(rows_of({"A": 2, "B": 2}))

    def newer() -> None:
        told.way.run(a)
        told.way.run(told.way.put_result(rows_of({"A": 2, "B": 3})))

    with overtaken_at(newer, 1), pytest.raises(RetryLater):
        told.way.run(z, rerun=True)
    assert told.held() == Counter({("A", 0): 1, ("B", 0): 1})
    requests = []
    for _ in range(4):
        before = len(told.application.requests)
        told.way.run(told.way.skip_result())
        assert told.held() == Counter({("A", 2): 1, ("B", 3): 1})
        requests.append(len(told.application.requests) - before)
    assert requests == [1, 1, 0, 0]


@pytest.mark.parametrize("knows_keys", [True, False])
def test_append_goes_on_with_a_batch_though_another_was_run_again_since(story: Any, knows_keys: bool) -> None:
    told = story(Mode.APPEND, knows_keys=knows_keys)
    z = told.way.put_result(rows_of({"Z1": 1}))
    told.way.run(z)
    a = told.way.put_result(rows_of({f"A{n}": n for n in range(4)}))
    told.breaks(a, 204)
    told.way.put_result(rows_of({"Z1": 1, **{f"Z{n}": n for n in range(2, 6)}}), interval=z)
    told.breaks(z, 204, rerun=True)
    told.way.run(a)
    told.cloud.clock.advance(hours=1)
    told.way.run(z, rerun=True)
    assert told.sent() == told.held() == Counter([*((f"A{n}", n) for n in range(4)), *((f"Z{n}", n) for n in range(1, 6))])


@pytest.mark.parametrize("first", ["older", "later"])
def test_of_two_windows_the_later_one_s_rows_stand_whichever_was_begun_first(story: Any, first: str) -> None:
    told = story(Mode.MERGE, whole=False)
    z = told.way.put_result(rows_of({"X": 1, "Y": 1, "K": 1}))
    told.way.run(z)
    a = told.way.put_result(rows_of({"K": 2, "B": 2, "C": 2}))
    if first == "later":
        told.breaks(a, 204)
        told.way.run(z, rerun=True)
        told.cloud.clock.advance(hours=1)
        told.way.run(a)
    else:
        told.breaks(z, 204, rerun=True)
        told.way.run(a)
        told.way.run(z, rerun=True)
    assert told.held() == Counter({("X", 1): 1, ("Y", 1): 1, ("K", 2): 1, ("B", 2): 1, ("C", 2): 1})


STEPS = st.tuples(st.booleans(), RESULTS | st.none(), st.lists(st.sampled_from([204, 204, "lost", 503]), max_size=4))


@pytest.mark.repeats(4)
@pytest.mark.parametrize("mode", [Mode.APPEND, Mode.MERGE])
@examples(6)
@given(steps=st.lists(STEPS, max_size=6), deaths=DEATHS)
def test_two_batches_end_as_their_last_results_say_in_whatever_order_they_are_tried(
    story: Any, mode: Mode, steps: list[tuple[bool, Result | None, list[Any]]], deaths: list[str]
) -> None:
    """Each step tries one of them, with another result or the same; at the end each is run once more."""
    told = story(mode, whole=False)
    results: list[Result] = [{"A": 1, "B": 1, "C": 1}, {"A": 2, "D": 2, "E": 2}]
    batches = [told.way.put_result(rows_of(result)) for result in results]
    ever, replaced = [{*result.items()} for result in results], False
    for second, result, answers in [*steps, (False, None, []), (True, None, [])]:
        if result is not None:
            results[second], replaced = result, True
            ever[second] |= {*result.items()}
            told.way.put_result(rows_of(result), interval=batches[second])
        last = told.application.answers
        last.clear()
        last.extend(answers)
        try:
            told.way.run(batches[second], rerun=True)
        except (RetryLater, InterruptedError):
            told.cloud.clock.advance(hours=1)
            told.deaths += deaths[:2]
    told.deaths.clear()
    for batch in batches:
        told.persist(batch, {})
    held = told.held()
    if mode == Mode.APPEND:
        wanted = sum((Counter(result.items()) for result in results), Counter[tuple[str, int]]())
        assert held >= wanted and (held == wanted or replaced)
    else:
        assert all(held[row] == 1 for row in results[1].items())
        assert {carrier for carrier, _ in held} >= {*results[0]}


# -- workers that do not know of each other


def test_an_older_worker_does_not_take_a_batch_of_another_result_back(story: Any) -> None:
    told = story(Mode.MERGE)
    told.batch({"A": 1, "B": 2})
    interval = told.way.put_result(rows_of({"A": 1, "B": 3}))
    stale = told.way.steps.work(told.compared(interval))
    told.cloud.clock.advance(hours=1)
    told.way.put_result(rows_of({"A": 9, "B": 2, "C": 1, "D": 1}), interval=interval)
    new = told.compared(interval)
    told.application.answers.extend([204, 503])
    assert told.way.steps.publish(new, FakeContext())["done"] is False
    told.application.answers.clear()
    with pytest.raises(StaleToken):
        told.overtaken(stale)
    assert told.way.steps.publish(new, FakeContext())["done"] is True
    assert told.held() == Counter({("A", 9): 1, ("B", 2): 1, ("C", 1): 1, ("D", 1): 1})


@pytest.mark.parametrize("mode", [Mode.MERGE, Mode.APPEND])
def test_what_another_worker_has_begun_since_the_comparison_is_compared_again(story: Any, mode: Mode) -> None:
    told = story(mode)
    interval = told.way.put_result(rows_of({"A": 1, "B": 3}))
    stale = told.way.steps.work(told.compared(interval))
    told.cloud.clock.advance(hours=1)
    told.way.put_result(rows_of({"A": 1}), interval=interval)
    new = told.compared(interval)
    told.application.answers.append(503)
    with pytest.raises(RetryLater):
        told.overtaken(stale)
    with pytest.raises(RetryLater, match="since the changes were worked out"):
        told.way.steps.publish(new, FakeContext())
    told.cloud.clock.advance(hours=1)
    told.way.run(interval)
    assert told.held() == Counter({("A", 1): 1})


# -- the journal


def test_a_batch_that_adds_rows_asks_for_its_own_receipt_only_and_the_newest_stays_the_newest(story: Any) -> None:
    """Also where the object that names the newest is gone."""
    told = story(Mode.APPEND)
    x, y = (told.way.put_result(rows_of({name: 1})) for name in "XY")
    told.way.run(x)
    told.way.run(y)
    later = told.cloud.keys("journal/")[-2]
    kept = told.cloud.body(later)
    told.cloud.s3.put_object(Bucket=told.cloud.bucket, Key=later, Body=b"not to be read")
    told.way.put_result(rows_of({"X": 2}), interval=x)
    told.way.run(x, rerun=True)
    told.cloud.s3.put_object(Bucket=told.cloud.bucket, Key=later, Body=kept)
    journal = journal_of(told.cloud.services("harness.webhook"), told.way.flow.id, "")
    for _ in range(2):
        newest = journal.newest()
        assert newest and newest.interval == y
        told.cloud.s3.delete_object(Bucket=told.cloud.bucket, Key=told.cloud.keys("journal/")[-1])
        told.way.put_result(rows_of({"X": 3}), interval=x)
        told.way.run(x, rerun=True)
    assert told.held() == Counter({("X", 3): 1, ("Y", 1): 1})


def test_of_an_append_that_was_broken_off_too_long_ago_the_batch_is_forgotten_and_no_other(story: Any) -> None:
    told = story(Mode.APPEND)
    x = told.way.put_result(rows_of({f"X{n}": n for n in range(4)}))
    told.breaks(x, 204)
    y = told.way.put_result(rows_of({"Y": 1}))
    told.way.run(y)
    for key in [*told.cloud.keys("staging/organize.test/")]:
        if f"{x.start:%Y%m%dT%H}" in key and key.endswith(".parquet"):
            told.cloud.s3.delete_object(Bucket=told.cloud.bucket, Key=key)
    with pytest.raises(DefinitionError, match="its files are gone") as caught:
        told.way.run(x)
    assert "delete them from the table yourself" in caught.value.remedy and "atoll run" in caught.value.remedy
    told.forget(caught.value.remedy)
    told.application.rows = [row for row in told.application.rows if row["carrier"] == "Y"]
    told.cloud.clock.advance(hours=1)
    told.way.put_result(rows_of({"X0": 0, "X9": 9}), interval=x)
    told.way.run(x, rerun=True)
    told.way.run(y)
    assert told.held() == Counter({("X0", 0): 1, ("X9", 9): 1, ("Y", 1): 1})


def test_refused_rows_are_set_aside_in_a_call_that_has_the_time_for_it(story: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    left, kept = list[float](), keep_refused

    def keeping(*given: Any) -> Any:
        left.append(deadline[-1].seconds_left)
        return kept(*given)

    deadline, made = list[Deadline](), Deadline.of
    monkeypatch.setattr(Deadline, "of", staticmethod(lambda context: deadline.append(made(context)) or deadline[-1]))  # type: ignore[func-returns-value]
    monkeypatch.setattr(target, "keep_refused", keeping)
    told = story(Mode.APPEND, bad_rows=BadRows(4))
    interval = told.way.put_result(rows_of({"A": 1, "B": BAD}))
    calls = iter(range(9))
    run = told.way.run(interval, context=lambda step: FakeContext(20 if step == "publish" and next(calls) < 2 else 900))
    assert run.calls["publish"] > 1 and left and min(left) > 30
    assert len(told.way.rejected(interval)) == 1 and told.held() == Counter({("A", 1): 1})


def keyed(story: Story, key: str, kinds: dict[str, str], whole: bool = True) -> Way:
    """The flow with another key, or other columns."""
    story.application.key = (key,)
    return HarnessConformance().way(story.cloud, story.target, columns(**kinds), key=(key,), whole=whole)


CODED = {"carrier": "string", "code": "string"}


def test_where_rows_are_matched_by_another_key_all_come_again_and_what_vanished_goes(story: Any) -> None:
    told = story(Mode.MERGE)
    keyed(told, "carrier", CODED).publish([{"carrier": name, "code": name.lower()} for name in "ABC"])
    told.application.rows = []  # another application of the same address
    keyed(told, "code", CODED).publish(last := [{"carrier": "A", "code": "a"}, {"carrier": "D", "code": "b"}])
    assert told.application.rows == last
    assert any(b'"deletes": [{"code": "c"}]' in body or b'"deletes":[{"code":"c"}]' in body for *_, body in told.application.requests)


@pytest.mark.parametrize("codes", [(), (None, "x"), ("x", "x")])
def test_rows_that_another_key_does_not_tell_apart_are_refused_until_they_are_forgotten(story: Any, codes: tuple[str, ...]) -> None:
    """They lack its column, or have a null there, or one value twice."""
    told = story(Mode.MERGE)
    before = [{"carrier": "A"}, {"carrier": "B"}]
    rows = [{**row, "code": code} for row, code in zip(before, codes, strict=True)] if codes else before
    keyed(told, "carrier", CODED if codes else {"carrier": "string"}).publish(rows)
    way = keyed(told, "code", CODED)
    interval = way.put_result([{"carrier": "A", "code": "x"}, {"carrier": "C", "code": "y"}])
    with pytest.raises(DefinitionError, match="were matched by carrier, and cannot be by code") as caught:
        way.run(interval)
    told.forget(caught.value.remedy)
    told.cloud.clock.advance(hours=1)
    way.run(interval)
    assert [row["carrier"] for row in told.application.rows if row.get("code") in ("x", "y")][-2:] == ["A", "C"]


def test_a_window_that_is_run_again_by_a_key_that_later_ones_have_not_is_refused(story: Any) -> None:
    told = story(Mode.MERGE, whole=False)
    way = keyed(told, "carrier", {"carrier": "string"}, whole=False)
    first = way.publish([{"carrier": "A"}])
    way.publish([{"carrier": "A"}])
    with pytest.raises(DefinitionError, match="cannot be by code") as caught:
        keyed(told, "code", CODED, whole=False).publish([{"carrier": "A", "code": "x"}], interval=first)
    assert "run this batch and all after it again" in caught.value.remedy


def test_what_was_sent_in_part_by_another_key_is_not_gone_on_with(story: Any) -> None:
    told = story(Mode.MERGE, size=2)
    way = keyed(told, "carrier", CODED)
    interval = way.put_result([{"carrier": name, "code": name.lower()} for name in "ABC"])
    told.breaks(interval, 204)
    with pytest.raises(DefinitionError, match="cannot be by code"):
        keyed(told, "code", CODED).run(interval)


def test_another_address_gets_all_rows_as_if_none_was_sent_before(story: Any) -> None:
    """Also of a batch that was broken off on its way to the former one."""
    told = story(Mode.MERGE, size=1)
    told.batch({"A": 1, "B": 1})
    interval = told.way.put_result(rows_of({"A": 1, "B": 1, "C": 1, "D": 1}))
    told.breaks(interval, 204)
    told.application.rows = []
    told.target.secret = {**told.target.secret, "url": f"{told.target.secret['url']}/v2"}
    told.way = told.sized(1)
    told.way.run(interval)
    assert told.held() == Counter({"A": 1, "B": 1, "C": 1, "D": 1}.items())
    told.batch({"A": 1, "B": 2, "C": 1})
    assert told.held() == Counter({"A": 1, "B": 2, "C": 1}.items()) and told.sent()["A", 1] == 2
