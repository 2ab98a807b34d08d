"""Steps that go on as tasks, call by call: what is handed over, taken up, tried again, and recorded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from shared_metadata.contract.tasks import process
from shared_metadata.contract.tasks.outgrown import Outgrown
from shared_metadata.contract.tasks.stopped import OVERTAKEN
from shared_metadata.contract.tasks.turns import BATCHES_AFTER, MOST_TRIES, answer_key
from shared_metadata.errors import DefinitionError, RetryLater, StaleToken, Unfinished
from shared_metadata.program import Mode
from slices.organize.iceberg.client import IcebergDriver
from slices.organize.iceberg.slice import SLICE
from tests.conformance.fixtures import FakeContext, by_task, open_cloud
from tests.conformance.organize import FLIGHTS, VIEW, Lake, flights

State = dict[str, Any]
Refresh = Callable[..., dict[str, Any]]


class Driver(IcebergDriver):
    """A lake's, whose refresh does first what a test says."""

    before: Refresh | None = None

    def refresh(self, work: Any, *given: Any) -> dict[str, Any]:
        if Driver.before is not None:
            Driver.before(work)
        return super().refresh(work, *given)


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    """A table of two rows and a view of it, in a warehouse that says run = 'auto'."""
    for cloud in open_cloud(monkeypatch):
        cloud.has_task = 1
        made = Lake(cloud, SLICE, Driver)
        made.options = {"run": "auto", "task_vcpus": 8, "task_hours": 2}
        made.collected(Mode.APPEND)
        made.view("SELECT carrier, count(*) AS n FROM lake.ops.flights GROUP BY carrier")
        made.load(flights((1, "AA", 1.0), (2, "UA", 2.0)))
        yield made
        glue = cloud.session.client("glue")
        for database in glue.get_databases()["DatabaseList"]:
            glue.delete_database(Name=database["Name"])


@pytest.fixture(autouse=True)
def nothing_before() -> Iterator[None]:
    yield
    Driver.before = None


def outgrows(work: Any) -> None:
    if work.outgrows:
        raise Outgrown("the query needs more memory than the function has", place=work.place, remedy="give it more")


class Batch:
    """One batch of the view, of which the test makes each call as the state machine does."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        planned = lake.steps().plan(lake.cloud.event(VIEW), FakeContext())
        (self.state,) = planned["work"]

    def refresh(self, **more: Any) -> State:
        self.state = self.call("refresh", {**self.state, **more})
        return self.state

    def call(self, step: str, state: Mapping[str, Any]) -> State:
        return dict(getattr(self.lake.steps(), step)(json.loads(json.dumps(state)), FakeContext()))

    def ended(self, **said: Any) -> State:
        """The function is called again, with what is said of its task."""
        return self.refresh(task={**self.state["task"], **said})

    def ran(self) -> State:
        return self.ended(**by_task(self.lake.steps(), "refresh", self.state["task"]))

    def commit(self) -> Mapping[str, Any]:
        """Commits it; its statistics."""
        assert self.call("commit", self.state)["status"] == "COMMITTED"
        return self.lake.cloud.reader.statistics(VIEW)[0]


def test_a_function_that_suffices_does_its_step_and_says_why(lake: Lake) -> None:
    batch = Batch(lake)
    assert "task" not in batch.refresh()
    told = batch.commit()
    assert (told["engine"], told["why"]) == ("function", "it is its first batch")


def test_what_outgrows_its_function_is_done_by_a_task_of_the_size_that_the_program_says(lake: Lake) -> None:
    Driver.before = staticmethod(outgrows)
    batch = Batch(lake)
    task = batch.refresh()["task"]
    assert (task["cpu"], task["memory"], task["disk_gb"]) == ("8192", "61440", 100)
    batch.ran()
    assert "task" not in batch.state and batch.state["expectations"] == 0
    told = batch.commit()
    assert (told["engine"], told["why"]) == ("Fargate task", "the query needs more memory than the function has")
    assert told["cost_dollars"] > 8 * 60 * 8.99444e-6
    last = lake.cloud.reader.flow_states([VIEW])[VIEW].tables[VIEW].last
    assert last and last.beyond == BATCHES_AFTER and last.rows == 2


def test_after_it_the_next_batches_are_tasks_at_once(lake: Lake) -> None:
    Driver.before = staticmethod(outgrows)
    batch = Batch(lake)
    batch.refresh()
    batch.ran()
    batch.commit()
    Driver.before = None
    lake.load(flights((3, "AA", 1.0)))
    again = Batch(lake)
    assert again.state["by"] == {
        "run": "task",
        "why": f"one of its last batches needed more than a function has; after {BATCHES_AFTER} more a function is tried again",
        "beyond": BATCHES_AFTER - 1,
    }
    assert "task" in again.refresh()


def test_inputs_beyond_what_a_function_holds_are_a_tasks_before_anything_is_read(lake: Lake) -> None:
    lake.options = {**lake.options, "task_from_gb": 0.000000001}
    lake.change(VIEW)
    batch = Batch(lake)
    batch.refresh()
    batch.ran()
    told = batch.commit()
    assert told["engine"] == "Fargate task" and "its inputs are 0.000 GB, and DuckDB is given 0.000 GB" in told["why"]


@pytest.mark.parametrize("error", ["Runtime.ExitError", "Sandbox.Timedout"])
def test_a_function_that_was_lost_hands_over(lake: Lake, error: str) -> None:
    batch = Batch(lake)
    assert batch.refresh(lost={"Error": error, "Cause": ""})["task"]["step"] == "refresh"
    batch.ran()
    assert "lost" not in batch.state and error in batch.commit()["why"]


def test_without_a_task_a_lost_function_is_the_error_that_it_was(lake: Lake) -> None:
    lake.options = {}
    lake.change(VIEW)
    batch = Batch(lake)
    with pytest.raises(Exception, match="timed out after 900") as raised:
        batch.refresh(lost={"Error": "Sandbox.Timedout", "Cause": '{"errorMessage": "timed out after 900 s"}'})
    assert type(raised.value).__name__ == "Sandbox.Timedout"


@pytest.mark.parametrize("run", ["function", "auto"])
def test_without_a_task_deployed_what_outgrows_is_an_error_with_its_remedies(lake: Lake, run: str) -> None:
    lake.options, lake.cloud.has_task = {"run": run}, 0
    lake.change(VIEW)

    def fails(work: Any) -> None:
        raise Outgrown("the query needs more memory than the function has", place=work.place, remedy="give it more")

    Driver.before = staticmethod(fails)
    with pytest.raises(DefinitionError, match=r"give it more; or have it done by a task: run = 'auto'") as raised:
        Batch(lake).refresh()
    assert type(raised.value) is DefinitionError


def test_a_task_that_is_asked_for_and_not_deployed_says_what_to_deploy(lake: Lake) -> None:
    lake.options, lake.cloud.has_task = {"run": "task"}, 0
    lake.change(VIEW)
    with pytest.raises(DefinitionError, match=r"no task was deployed for refresh.*atoll deploy"):
        Batch(lake).refresh()


def test_what_outgrows_its_task_is_told_with_the_options_of_tasks(lake: Lake) -> None:
    lake.options = {"run": "task"}
    lake.change(VIEW)

    def fails(work: Any) -> None:
        raise Outgrown("the query needs more memory than the function has", place=work.place, remedy="-c memoryOf")

    Driver.before = staticmethod(fails)
    batch = Batch(lake)
    batch.refresh()
    with pytest.raises(DefinitionError, match="which is a task of Fargate Remedy: give it more by task_vcpus"):
        batch.ran()


def test_an_error_of_the_step_is_the_functions_by_its_name(lake: Lake) -> None:
    lake.options = {"run": "task"}
    lake.change(VIEW, query="SELECT carrier, CAST(carrier AS INTEGER) AS n FROM lake.ops.flights")
    batch = Batch(lake)
    batch.refresh()
    with pytest.raises(DefinitionError, match="the query failed"):
        batch.ran()


def test_an_answer_counts_whatever_is_said_of_the_task(lake: Lake) -> None:
    """Its end was not told, or its state machine gave it up after it had written."""
    Driver.before = staticmethod(outgrows)
    batch = Batch(lake)
    batch.refresh()
    by_task(lake.steps(), "refresh", batch.state["task"])
    batch.ended(failed={"Error": "ECS.ServerException", "Cause": "Service Unavailable"})
    assert batch.commit()["rows"] == 2


def test_a_second_task_of_the_same_hand_over_does_nothing(lake: Lake) -> None:
    Driver.before = staticmethod(outgrows)
    batch = Batch(lake)
    batch.refresh()
    said = by_task(lake.steps(), "refresh", batch.state["task"])
    Driver.before = staticmethod(lambda _: pytest.fail("it is done again"))
    assert by_task(lake.steps(), "refresh", batch.state["task"]) == said


def test_a_repeated_hand_over_whose_answer_was_lost_is_another_one(lake: Lake) -> None:
    Driver.before = staticmethod(outgrows)
    batch = Batch(lake)
    before = dict(batch.state)
    lost = batch.refresh()["task"]["key"]
    batch.state = before
    assert batch.refresh()["task"]["key"] != lost
    batch.ran()
    assert batch.commit()["rows"] == 2


def test_what_fargate_did_not_keep_is_handed_over_again_some_times(lake: Lake) -> None:
    Driver.before = staticmethod(outgrows)
    batch = Batch(lake)
    batch.refresh()
    for tries in range(2, MOST_TRIES + 1):
        assert batch.ended(failed={"Error": "ECS.AmazonECSException", "Cause": "Capacity is unavailable"})["task"]["tries"] == tries
    with pytest.raises(RetryLater, match="ECS did not run the task"):
        batch.ended(failed={"Error": "ECS.AmazonECSException", "Cause": "Capacity is unavailable"})


def test_a_batch_that_waits_for_its_task_tells_so_and_keeps_its_lease(lake: Lake) -> None:
    Driver.before = staticmethod(outgrows)
    batch = Batch(lake)
    batch.refresh()
    (found,) = lake.cloud.reader.batches(VIEW, VIEW)
    worker = found.workers[VIEW]
    assert worker.waits and (worker.waits.what, worker.waits.step) == ("a Fargate task", "refresh")
    batch.ran()
    (found,) = lake.cloud.reader.batches(VIEW, VIEW)
    assert found.workers[VIEW].waits is None


def test_a_task_whose_batch_another_worker_has_ends_itself_and_its_function_stops(lake: Lake) -> None:
    Driver.before = staticmethod(outgrows)
    batch = Batch(lake)
    task = batch.refresh()["task"]
    lake.cloud.clock.advance(hours=1)
    Batch(lake)  # another execution claims it
    ends: list[int] = []

    def handler(state: Mapping[str, Any], _: Any) -> State:
        while not ends:
            pass
        raise StaleToken("another worker has it")

    services = lake.steps().services
    process.run(handler, services, task["key"], 0.0, end=ends.append)
    assert ends == [OVERTAKEN]
    with pytest.raises(StaleToken):
        batch.ended(failed={"Error": "States.TaskFailed", "Cause": "{}"})


def test_a_task_waits_for_what_is_for_later_and_calls_the_unfinished_again_at_once(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    Driver.before = staticmethod(outgrows)
    batch = Batch(lake)
    task, waited = batch.refresh()["task"], list[float]()
    errors: list[Exception] = [RetryLater("the source is down"), Unfinished("more to do"), RetryLater("the source is down")]
    monkeypatch.setattr(process.time, "sleep", waited.append)

    def handler(state: Mapping[str, Any], _: Any) -> State:
        if errors:
            raise errors.pop()
        return {**state, "done": True}

    services = lake.steps().services
    assert process.run(handler, services, task["key"], 0.0, end=lambda code: pytest.fail(str(code))) == 0
    assert waited == [process.FIRST_PAUSE_SECONDS, 2 * process.FIRST_PAUSE_SECONDS]
    body = lake.cloud.s3.get_object(Bucket=lake.cloud.bucket, Key=answer_key(task["key"]))["Body"].read()
    assert json.loads(body)["answer"]["done"] is True


def test_a_load_by_reference_is_no_task_even_where_the_program_says_task(lake: Lake) -> None:
    lake.options = {"run": "task"}
    lake.change(VIEW)
    lake.stage(flights((3, "AA", 1.0)))
    run = lake.run(f"{FLIGHTS}:load")
    assert run.tasks == [] and lake.cloud.reader.statistics(f"{FLIGHTS}:load")[0]["engine"] == "function"
    assert lake.run(VIEW).tasks == ["refresh"]
