"""What every slice must do that publishes by systems/sql_target; it inherits `SqlTargetConformance` and gives a `target`."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import pytest

from shared_metadata.contract.results.changes import keep_refused
from shared_metadata.contract.results.results import Results
from shared_metadata.errors import DefinitionError, RetryLater, RowError, StaleToken
from shared_metadata.program import BadRows, Mode
from shared_metadata.program.intervals import to_text
from systems.sql_target import sifting
from systems.sql_target.batch import Batch
from systems.sql_target.dialect import Dialect
from systems.sql_target.statements import PART
from tests.conformance.fixtures import Cloud, FakeContext, open_cloud
from tests.conformance.harness import HarnessConformance, Rows, TargetUnderTest, Way, columns


class SqlTargetUnderTest(TargetUnderTest, Protocol):
    """dialect: of the target.  receipts_schema: of its receipts.  sessions: the module in which LOCK_SECONDS stands."""

    dialect: Dialect
    receipts_schema: str
    sessions: Any

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Rows: ...

    def make(self, definition: str) -> None:
        """Makes a table of the test's, the user's to publish to: 'scorecard (id bigint PRIMARY KEY)'."""
        ...

    def tables_of_receipts(self) -> list[str]:
        """The names of the tables in the receipts' schema, sorted."""
        ...

    def transaction(self) -> AbstractContextManager[Any]:
        """Another's transaction: a cursor, and a connection to commit, as (execute, commit)."""
        ...


class SqlTargetConformance:
    """Its `target` is in conftest.py."""

    @pytest.fixture
    def cloud(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
        yield from open_cloud(monkeypatch)

    def way(self, cloud: Cloud, target: SqlTargetUnderTest, key: tuple[str, ...] = ("id",), **options: Any) -> Way:
        shape = columns(**options.pop("shape", {"id": "long", "x": "string"}))
        return HarnessConformance().way(cloud, target, shape, key=key, **options)

    # -- the table

    def test_a_key_that_is_not_in_the_result_is_refused(self, cloud: Cloud, target: SqlTargetUnderTest) -> None:
        publishing = self.way(cloud, target, key=("nothing",))
        with pytest.raises(DefinitionError, match="key column nothing"):
            publishing.run(publishing.put_result([]))

    def test_a_result_with_another_column_is_published_when_the_table_has_it(self, cloud: Cloud, target: SqlTargetUnderTest) -> None:
        self.way(cloud, target).publish([{"id": 1, "x": "a"}, {"id": 2, "x": "b"}])
        target.execute(f"ALTER TABLE {target.table} ADD COLUMN y bigint")
        wider = self.way(cloud, target, shape={"id": "long", "x": "string", "y": "long"})
        wider.publish([{"id": 1, "x": "a", "y": 5}])
        assert target.rows() == [{"id": 1, "x": "a", "y": 5}]

    def test_what_is_nested_is_published_as_json_and_anew_where_a_field_of_it_changes(
        self, cloud: Cloud, target: SqlTargetUnderTest
    ) -> None:
        shape = {
            "id": "long",
            "place": "struct<city: string, at: struct<lat: double, day: date>>",
            "counts": "map<string, long>",
            "items": "list<struct<sku: string, price: decimal(9,2)>>",
        }
        publishing = self.way(cloud, target, shape=shape)
        place = {"city": "Zürich \\ '\"", "at": {"lat": 0.1, "day": date(2026, 2, 3)}}
        full = {"id": 1, "place": place, "counts": {"a": 1, "b, c": None}, "items": [{"sku": "x", "price": Decimal("1.50")}, None]}
        empty = {"id": 2, "place": {"city": None, "at": None}, "counts": {}, "items": []}
        publishing.publish([full, empty, {"id": 3, "place": None, "counts": None, "items": None}])
        read = {
            "place": {"city": "Zürich \\ '\"", "at": {"lat": 0.1, "day": "2026-02-03"}},
            "counts": {"a": 1, "b, c": None},
            "items": [{"sku": "x", "price": 1.5}, None],
        }
        none = {"place": {"city": None, "at": None}, "counts": {}, "items": []}
        nothing = dict.fromkeys(read)
        assert self.documents(target) == {1: read, 2: none, 3: nothing}
        publishing.publish([full, {**empty, "items": [{"sku": None, "price": None}]}, {"id": 3, "place": None}])
        assert self.documents(target) == {1: read, 2: {**none, "items": [{"sku": None, "price": None}]}, 3: nothing}
        pointer = cloud.reader.latest_version(publishing.flow.id)
        assert pointer and (pointer.pointer["upserts"], pointer.pointer["deletes"]) == (1, 0)

    def documents(self, target: SqlTargetUnderTest) -> dict[int, Any]:
        rows = [{n: json.loads(v) if isinstance(v, str) else v for n, v in row.items()} for row in target.rows()]
        return {row.pop("id"): row for row in rows}

    # -- a dry run

    def test_a_dry_run_before_the_first_batch_makes_nothing(self, cloud: Cloud, target: SqlTargetUnderTest, tmp_path: Path) -> None:
        publishing, schema = self.way(cloud, target), target.table.rpartition(".")[0]
        interval = publishing.put_result([{"id": 1, "x": "a"}, {"id": 2, "x": None}])
        (parcel,) = publishing.tried(tmp_path).first_upserts
        tables = f"SELECT 1 FROM information_schema.tables WHERE table_schema = '{schema}' AND table_name = 'scorecard'"
        assert not target.tables_of_receipts() and not target.execute(tables)
        publishing.run(interval)
        sent = [{name: value and value.strip("'") for name, value in row.items()} for row in parcel.sent]  # some write literals
        assert sent == [{"id": "1", "x": "a"}, {"id": "2", "x": None}] and len(target.rows()) == 2

    def test_a_dry_run_where_the_database_is_not_reached_compares_with_nothing(
        self, cloud: Cloud, target: SqlTargetUnderTest, tmp_path: Path
    ) -> None:
        publishing = self.way(cloud, target, secret=target.down)
        publishing.put_result([{"id": 1, "x": "a"}])
        shown = publishing.tried(tmp_path)
        (parcel,) = shown.first_upserts
        assert shown.uncompared and (shown.upserts, shown.deletes, list(parcel.sent)) == (1, None, ['{"id":1,"x":"a"}'])
        assert str(target.down["password"]) not in str(shown)

    # -- staging tables

    def staging_tables(self, target: SqlTargetUnderTest) -> list[str]:
        return [name for name in target.tables_of_receipts() if name.startswith("stage")]

    def diffed(self, cloud: Cloud, publishing: Way, interval: Any) -> Any:
        """The state of a batch that `publish` is called with."""
        state = publishing.steps.plan(cloud.event(publishing.flow.id, interval=interval), FakeContext())["work"][0]
        return publishing.steps.diff(state, FakeContext())

    def test_staging_tables_go_with_the_batch_and_those_of_lost_attempts_too(self, cloud: Cloud, target: SqlTargetUnderTest) -> None:
        publishing = self.way(cloud, target)
        interval = publishing.put_result([{"id": n, "x": "a"} for n in range(40)], files=4)
        state = publishing.steps.publish(self.diffed(cloud, publishing, interval), FakeContext(remaining_seconds=20))
        assert not state["done"] and self.staging_tables(target)
        cloud.clock.advance(hours=1)
        publishing.run(interval)
        assert not self.staging_tables(target)
        assert len(target.rows()) == 40

    @pytest.mark.parametrize("mode", [Mode.APPEND, Mode.MERGE])
    def test_two_calls_that_bring_the_same_file_at_once_bring_it_once(
        self, cloud: Cloud, target: SqlTargetUnderTest, mode: Mode, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As when the answer to an invocation is lost: the state machine calls again while the first call still works."""
        publishing = self.way(cloud, target, mode=mode)
        interval = publishing.put_result([{"id": n, "x": "a"} for n in range(10)], files=2)
        state = self.diffed(cloud, publishing, interval)
        write, others = Results.write_csv, iter([True])

        def while_another_brings(*arguments: Any) -> None:
            if next(others, False):
                assert not publishing.steps.publish(state, FakeContext(remaining_seconds=20))["done"]
            write(*arguments)

        monkeypatch.setattr(Results, "write_csv", while_another_brings)
        assert publishing.steps.publish(state, FakeContext())["done"]
        assert len(target.rows()) == 10

    def test_a_call_waits_for_another_that_brings_longer_than_for_a_lock_of_others(
        self, cloud: Cloud, target: SqlTargetUnderTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(target.sessions, "LOCK_SECONDS", 1)
        publishing = self.way(cloud, target, mode=Mode.APPEND)
        interval = publishing.put_result([{"id": n, "x": "a"} for n in range(10)], files=2)
        state = publishing.steps.publish(self.diffed(cloud, publishing, interval), FakeContext(remaining_seconds=20))
        parts, stage = (
            f"{target.receipts_schema}.{name}" for name in self.staging_tables(target) if name.endswith(("parts", "upserts"))
        )
        with target.transaction() as (execute, commit):
            execute(f"INSERT INTO {parts} SELECT 1 - {PART} FROM {parts}")
            execute(f"INSERT INTO {stage} (c0, c1) SELECT c0, c1 FROM {stage}")  # but not what counts rows, which is unique
            brought = threading.Timer(2, commit)
            brought.start()
            try:
                assert publishing.steps.publish(state, FakeContext())["done"]
            finally:
                brought.join()
        assert len(target.rows()) == 10  # the other call's rows; ours of this file would be five more

    @pytest.mark.parametrize("again", [False, True])
    def test_a_worker_that_comes_late_leaves_no_staging_table(
        self, cloud: Cloud, target: SqlTargetUnderTest, again: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """again: another worker has claimed the batch meanwhile, not only called the step again."""
        publishing = self.way(cloud, target)
        interval = publishing.put_result([{"id": 1, "x": "a"}])
        state = self.diffed(cloud, publishing, interval)
        create, others = type(target.dialect).create_stage, iter([True])

        def while_another_publishes(*arguments: Any) -> str:
            if next(others, False):
                cloud.clock.advance(hours=1)
                publishing.run(interval) if again else publishing.steps.publish(state, FakeContext())
            return create(*arguments)

        monkeypatch.setattr(type(target.dialect), "create_stage", while_another_publishes)
        with contextlib.suppress(StaleToken, RetryLater):
            publishing.steps.publish(state, FakeContext())
        assert not self.staging_tables(target) and target.rows() == [{"id": 1, "x": "a"}]

    def test_a_file_of_many_rows_is_brought_a_part_at_a_time_and_as_a_whole(
        self, cloud: Cloud, target: SqlTargetUnderTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Batch, "csv_rows", 3)
        rows = [{"id": number, "x": f"{number}\n'\"\\,"} for number in range(10)]
        self.way(cloud, target).publish(rows)
        assert sorted(target.rows(), key=lambda row: row["id"]) == rows

    # -- rows that are refused

    def sifting(self, cloud: Cloud, target: SqlTargetUnderTest, definition: str, tolerated: int, x: str = "string") -> Way:
        target.make("parents (id bigint PRIMARY KEY)")
        target.make(f"scorecard (id bigint PRIMARY KEY, {definition})")
        return self.way(cloud, target, shape={"id": "long", "x": x}, bad_rows=BadRows(tolerated))

    def test_of_rows_that_refuse_one_another_the_first_is_written(self, cloud: Cloud, target: SqlTargetUnderTest) -> None:
        publishing = self.sifting(cloud, target, "x varchar(9) UNIQUE", 2)
        interval = publishing.publish([_row(1, "a"), _row(2, "b"), _row(3, "a"), _row(4, "a")])
        assert _by_id(target.rows()) == [_row(1, "a"), _row(2, "b")]
        assert [data["id"] for *_, data in publishing.rejected(interval)] == [3, 4]

    def test_rows_of_a_table_that_refers_to_itself_are_refused_only_when_their_parents_are(
        self, cloud: Cloud, target: SqlTargetUnderTest
    ) -> None:
        """Children come before their parents, so that nearly every one is refused as long as the others are not there."""
        publishing = self.sifting(cloud, target, "x bigint, FOREIGN KEY (x) REFERENCES scorecard (id)", 3, "long")
        rows = [*(_row(n, n + 1) for n in range(1, 20)), _row(20), _row(50, 51), _row(51, 404), _row(60, 404)]
        interval = publishing.publish(rows)
        assert _by_id(target.rows()) == rows[:20]
        assert [data["id"] for *_, data in publishing.rejected(interval)] == [50, 51, 60]

    def test_a_result_full_of_refused_rows_is_given_up_early(
        self, cloud: Cloud, target: SqlTargetUnderTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sifting, "SLACK", 5)
        publishing = self.sifting(cloud, target, "x varchar(9) NOT NULL", 3)
        run = publishing.run(publishing.put_result([_row(n) for n in range(100)]), record_errors=True)
        said = r"at least 9 of 100 rows cannot be written \(a value is null in column x: 9\), and TOLERATE 3"
        with pytest.raises(RowError, match=said):
            raise run.errors[publishing.flow.id]

    def test_refused_rows_that_are_mended_between_two_looks_are_written(
        self, cloud: Cloud, target: SqlTargetUnderTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        publishing = self.sifting(cloud, target, "x bigint, FOREIGN KEY (x) REFERENCES parents (id)", 2, "long")
        keep, parents = keep_refused, target.table.replace("scorecard", "parents")

        def mended_meanwhile(*arguments: Any) -> Any:
            kept = keep(*arguments)
            if kept and not target.execute(f"SELECT id FROM {parents}"):
                target.execute(f"INSERT INTO {parents} VALUES (404)")
            return kept

        monkeypatch.setattr(sifting, "keep_refused", mended_meanwhile)
        interval = publishing.publish([_row(1, 404), _row(2, 405)])
        assert target.rows() == [_row(1, 404)]
        assert [data["id"] for *_, data in publishing.rejected(interval)] == [2]

    def test_a_call_that_was_overtaken_by_another_one_of_its_step_finds_its_receipt(
        self, cloud: Cloud, target: SqlTargetUnderTest
    ) -> None:
        publishing = self.sifting(cloud, target, "x smallint", 1, "long")
        interval = publishing.put_result([_row(1, 1), _row(2, 40_000)])
        state = publishing.steps.publish(self.diffed(cloud, publishing, interval), FakeContext())
        first, second = (publishing.steps.publish(state, FakeContext()) for _ in range(2))
        assert first["done"] and first["rejected"] == second["rejected"] and first["rejected"][0]["rows"] == 1

    # -- receipts

    def test_the_receipt_says_what_was_published(self, cloud: Cloud, target: SqlTargetUnderTest) -> None:
        publishing = self.way(cloud, target)
        publishing.publish([{"id": 1, "x": "a"}, {"id": 2, "x": "a"}])
        interval = publishing.publish([{"id": 2, "x": "b"}])
        (found,) = target.execute(f"SELECT flow, token, upserts, deletes, batch_start FROM {target.receipts_schema}.receipts")
        start = found.pop("batch_start")
        assert start.replace(tzinfo=interval.start.tzinfo) == interval.start
        assert found == {"flow": publishing.flow.id, "token": 1, "upserts": 1, "deletes": 1}

    def test_a_former_result_that_is_gone_from_s3_is_an_error_with_its_remedy(self, cloud: Cloud, target: SqlTargetUnderTest) -> None:
        publishing = self.way(cloud, target)
        publishing.publish([{"id": 1, "x": "a"}])
        self.forget_results(cloud)
        interval = publishing.put_result([{"id": 2, "x": "b"}])
        with pytest.raises(DefinitionError, match="gone from S3") as caught:
            publishing.run(interval)
        assert "delete yourself" in caught.value.remedy
        target.execute(caught.value.remedy.split(": the next batch")[0])
        cloud.clock.advance(hours=1)
        publishing.run(interval)
        assert len(target.rows()) == 2

    def forget_results(self, cloud: Cloud) -> None:
        """As maintenance does with what is older than `keep`."""
        for key in cloud.keys("staging/organize.test/"):
            cloud.s3.delete_object(Bucket=cloud.bucket, Key=key)

    def test_an_old_append_whose_result_is_gone_is_run_again_by_what_the_errors_say_and_is_not_there_twice(
        self, cloud: Cloud, target: SqlTargetUnderTest
    ) -> None:
        publishing = self.way(cloud, target, (), mode=Mode.APPEND)
        first = publishing.publish([{"id": 1, "x": "a"}, {"id": 2, "x": "a"}])
        publishing.publish([{"id": 3, "x": "a"}])
        self.forget_results(cloud)
        with pytest.raises(DefinitionError, match="the option keep of the warehouse") as caught:
            publishing.run(first, rerun=True)
        assert f"atoll run {publishing.flow.id}:result --from {to_text(first.start)}" in caught.value.remedy
        cloud.clock.advance(hours=1)
        publishing.put_result([{"id": 1, "x": "b"}], interval=first)
        with pytest.raises(DefinitionError, match="has added are not known any more, since their result is gone from S3") as caught:
            publishing.run(first, rerun=True)
        assert "delete them from the table yourself" in caught.value.remedy and "they are twice" in caught.value.remedy
        target.execute(f"DELETE FROM {target.table} WHERE id < 3")
        target.execute(caught.value.remedy.split(", then ")[1])
        cloud.clock.advance(hours=1)
        publishing.run(first, rerun=True)
        assert sorted((row["id"], row["x"]) for row in target.rows()) == [(1, "b"), (3, "a")]

    def test_an_old_window_behind_later_ones_whose_results_are_gone_says_how_to_publish_them_in_order(
        self, cloud: Cloud, target: SqlTargetUnderTest
    ) -> None:
        publishing = self.way(cloud, target, whole=False)
        first = publishing.publish([{"id": 1, "x": "a"}])
        second = publishing.publish([{"id": 1, "x": "b"}])
        self.forget_results(cloud)
        publishing.put_result([{"id": 1, "x": "c"}, {"id": 2, "x": "c"}], interval=first)
        with pytest.raises(DefinitionError, match="later batches have published are not known") as caught:
            publishing.run(first, rerun=True)
        target.execute(caught.value.remedy.split(", then ")[0])
        cloud.clock.advance(hours=1)
        publishing.run(first, rerun=True)
        publishing.publish([{"id": 1, "x": "b"}], interval=second)
        assert sorted((row["id"], row["x"]) for row in target.rows()) == [(1, "b"), (2, "c")]


def _row(id: int, x: Any = None) -> dict[str, Any]:
    return {"id": id, "x": x}


def _by_id(rows: Rows) -> Rows:
    return sorted(rows, key=lambda row: int(row["id"]))
