"""What every slice must do that captures tables from a log; its tests inherit `CaptureConformance`, and give `capturing` and
`begins_capturing`."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared_metadata.contract.collect import Extracted
from shared_metadata.contract.parquet.masking import Hashing
from shared_metadata.program import BadRows, Mask
from systems.sql_source import parts
from systems.sql_source.capture import extraction
from systems.sql_source.capture.changes import TooLong
from systems.sql_source.capture.copying import Copying
from systems.sql_source.capture.last_changes import digest
from systems.sql_source.parts import LINES
from tests.conformance.capture_faults import places, struck
from tests.conformance.capturing import CapturingSource, begun, staged
from tests.conformance.collect import crashing, delayed
from tests.conformance.fixtures import Cloud, FakeContext, open_cloud
from tests.conformance.masking import KEY, kept_documents, salts_of

opened = contextlib.contextmanager(open_cloud)
# Of a test that makes several histories: how a captured table of a fresh database begins.
Begins = Callable[[Cloud], AbstractContextManager[CapturingSource]]
NAMES = ['a"b', "k", "v", "r", "q", "t", "n", "c0", "select", "ü ñ", "a'b", "%s", "gone", "asked", "told", "salt", "h"]
VALUES = ["", "NULL", "null", "{}", "'", '"', "\\", "\\N", "a\nb\tc", "\u2028", "🛫", "%(a)s", '{"a": [1]}', "$$;--", "/* */"]
BATCHES = ("batch", "pieces", "crash", "forget")
SHARES = 16  # of the places at which a batch may end, each of which is a case
STEPS = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=25)


class CaptureConformance:
    # -- what the log tells

    def test_inserted_updated_and_deleted_rows_come_from_the_log(self, capturing: CapturingSource) -> None:
        capturing.make()
        begun(capturing, "(1, 'one', 'x'), (2, 'two', 'y'), (3, 'three', NULL)")
        capturing.all("UPDATE thing SET name = 'uno' WHERE id = 1", "DELETE FROM thing WHERE id = 2")
        capturing.all("INSERT INTO thing VALUES (4, 'four', 'z')")
        capturing.run()
        assert capturing.rows() == capturing.source()
        assert (staged(capturing), capturing.was_whole()) == ((2, 1), False)

    def test_a_row_that_came_changed_and_went_between_two_batches_is_its_last_state(self, capturing: CapturingSource) -> None:
        capturing.make("id int PRIMARY KEY, name text")
        begun(capturing, "(1, 'one'), (2, 'two')")
        capturing.all("INSERT INTO thing VALUES (3, 'came')", "DELETE FROM thing WHERE id = 3", "DELETE FROM thing WHERE id = 1")
        capturing.all("INSERT INTO thing VALUES (1, 'again')", "UPDATE thing SET name = 'twice' WHERE id = 1")
        capturing.run()
        assert capturing.rows() == capturing.source()
        assert staged(capturing) == (1, 1)

    def test_a_key_that_changes_is_a_row_that_goes_and_one_that_comes(self, capturing: CapturingSource) -> None:
        capturing.make("id int PRIMARY KEY, name text")
        begun(capturing, "(1, 'one'), (2, 'two'), (3, 'three')")
        moved = "UPDATE thing SET id = {} WHERE id = {}"
        capturing.all(moved.format(10, 1), moved.format(1, 2), moved.format(103, 3))
        capturing.run()
        assert capturing.rows() == capturing.source()
        assert [row["id"] for row in capturing.rows()] == [1, 10, 103]

    def test_truncate_takes_all_rows_and_what_comes_after_it_stays(self, capturing: CapturingSource) -> None:
        capturing.make("id int PRIMARY KEY, name text")
        begun(capturing, "(1, 'one'), (2, 'two')")
        capturing.all("INSERT INTO thing VALUES (3, 'before')", "TRUNCATE thing", "INSERT INTO thing VALUES (4, 'after')")
        capturing.run()
        assert (capturing.rows(), capturing.was_whole(), staged(capturing)) == (capturing.source(), True, (1, 0))
        capturing.all("TRUNCATE TABLE thing")
        capturing.run()
        assert (capturing.rows(), capturing.was_whole()) == ([], True)

    def test_what_is_rolled_back_never_comes_and_what_is_open_comes_when_it_commits(self, capturing: CapturingSource) -> None:
        capturing.make("id int PRIMARY KEY, name text")
        begun(capturing, "(1, 'one')")
        with capturing.writing() as other, capturing.writing() as lost:
            other("BEGIN", "INSERT INTO thing VALUES (2, 'open')")
            lost("BEGIN", "INSERT INTO thing VALUES (3, 'lost')", "SAVEPOINT s", "DELETE FROM thing WHERE id = 3")
            lost("ROLLBACK TO SAVEPOINT s", "ROLLBACK")
            capturing.all("INSERT INTO thing VALUES (4, 'four')")
            capturing.run()
            assert [row["id"] for row in capturing.rows()] == [1, 4]
            other("COMMIT")
        capturing.run()
        assert capturing.rows() == capturing.source()

    def test_a_row_that_the_log_tells_in_part_is_asked_for(self, capturing: CapturingSource) -> None:
        capturing.make()
        begun(capturing, ", ".join(f"({number}, 'name', REPEAT('{number}', 9000))" for number in range(1, 5)))
        short = capturing.in_part
        capturing.all(*short, "UPDATE thing SET name = 'other' WHERE id IN (1, 2)", "UPDATE thing SET id = 40 WHERE id = 4")
        capturing.all(*short, "UPDATE thing SET name = 'goes' WHERE id = 3", "INSERT INTO thing (id) VALUES (5)")
        capturing.all("DELETE FROM thing WHERE id = 3")
        capturing.run()
        assert (capturing.rows(), capturing.was_whole()) == (capturing.source(), False)

    def test_a_row_that_is_asked_for_and_has_gone_since_is_gone(self, capturing: CapturingSource) -> None:
        capturing.make()
        begun(capturing, "(1, 'one', REPEAT('b', 9000))")
        capturing.all(*capturing.in_part, "UPDATE thing SET name = 'other'")
        capturing.run(lambda source: delayed(source, lambda: capturing.all("DELETE FROM thing")))
        assert capturing.rows() == []
        capturing.run()
        assert capturing.rows() == []

    # -- crashes, and a log that is not there

    def test_what_was_read_and_not_committed_is_read_again(self, capturing: CapturingSource) -> None:
        capturing.make("id int PRIMARY KEY, name text")
        begun(capturing, "(1, 'one'), (2, 'two')")
        capturing.all("UPDATE thing SET name = 'uno' WHERE id = 1", "DELETE FROM thing WHERE id = 2")
        with pytest.raises(KeyboardInterrupt):
            capturing.run(crashing)
        capturing.later()
        capturing.all("INSERT INTO thing VALUES (3, 'meanwhile')")
        capturing.run()
        assert capturing.rows() == capturing.source()

    def test_a_table_whose_log_is_gone_is_copied_anew_and_what_went_is_marked(self, capturing: CapturingSource) -> None:
        capturing.make("id int PRIMARY KEY, name text")
        begun(capturing, "(1, 'one'), (2, 'two')")
        capturing.all("DELETE FROM thing WHERE id = 1", "INSERT INTO thing VALUES (3, 'three')")
        capturing.forget()
        capturing.run()
        assert (capturing.rows(), capturing.was_whole()) == (capturing.source(), True)
        capturing.all("DELETE FROM thing WHERE id = 2")
        capturing.run()
        assert (capturing.rows(), capturing.was_whole()) == (capturing.source(), False)

    def test_a_batch_that_is_run_again_copies_the_table(self, capturing: CapturingSource) -> None:
        capturing.make("id int PRIMARY KEY, name text")
        begun(capturing, "(1, 'one'), (2, 'two')")
        capturing.all("INSERT INTO thing VALUES (3, 'three')")
        capturing.run()
        interval, cursor = capturing.last_interval(), capturing.cursor()
        capturing.all("DELETE FROM thing WHERE id = 1")
        capturing.run_again(interval)
        assert (capturing.rows(), capturing.was_whole(), capturing.cursor()) == (capturing.source(), True, cursor)
        capturing.run()
        assert capturing.rows() == capturing.source()

    # -- more than one call

    @pytest.mark.parametrize("changes", [1, 2, 5])
    def test_a_share_of_several_calls_has_the_rows_of_one_call(self, capturing: CapturingSource, changes: int) -> None:
        capturing.make()
        begun(capturing, "(1, 'one', REPEAT('b', 9000)), (2, 'two', 'x'), (3, 'three', NULL)")
        capturing.all("UPDATE thing SET name = 'uno'", "UPDATE thing SET id = id + 10 WHERE id = 3", "DELETE FROM thing WHERE id = 2")
        capturing.all("BEGIN", "INSERT INTO thing VALUES (2, 'again', 'y'), (4, 'four', 'z'), (5, 'five', 'z')", "COMMIT")
        capturing.all(*capturing.in_part, "UPDATE thing SET name = 'short' WHERE id = 1", "DELETE FROM thing WHERE id = 5")
        with capturing.in_pieces(changes):
            run = capturing.run()
        assert (capturing.rows(), capturing.was_whole(), staged(capturing)) == (capturing.source(), False, (4, 2))
        assert run.calls["extract"] > 2

    @pytest.mark.parametrize("masks", [{}, {"id": Mask.HASH}], ids=["as it is", "hashed"])
    def test_what_calls_keep_of_hashed_keys_cannot_be_tried_out_by_what_lies_beside_it(
        self, capturing: CapturingSource, monkeypatch: pytest.MonkeyPatch, masks: dict[str, Mask]
    ) -> None:
        """Of keys that are as they are it can, so this would be seen."""
        kept, cloud = kept_documents(monkeypatch), capturing.cloud
        cloud.put_secret("mask", {"key": KEY})
        capturing.make("id int PRIMARY KEY, name text")
        capturing.apply(masks=masks, mask_key="mask" if masks else "")
        capturing.run()
        capturing.all("INSERT INTO thing VALUES (1, 'one')", "INSERT INTO thing VALUES (2, 'two')")
        with capturing.in_pieces(1):
            capturing.run()
        (salt,) = salts_of(kept)
        last = [key for key in cloud.keys("staging/") if key.endswith("last.parquet")]
        known = {row["h"] for key in last for row in pq.read_table(io.BytesIO(cloud.body(key))).to_pylist()}
        tried = {digest([text], salt) for text in ("1", "2")}
        assert len(known) == 2 and (not known & tried if masks else known == tried)

    def test_a_share_of_several_calls_that_a_former_version_began_is_read_to_its_end(
        self, capturing: CapturingSource, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One whose salt was not the mask key's: what it has left of keys is not compared with what another salt makes."""
        run = extraction.LogExtraction.run

        def of_former(one: Any, resume: Any) -> Extracted:
            """A call, which is the former version's up to the end of the first reading."""
            with pytest.MonkeyPatch.context() as patched:
                if not (resume and resume["second"]):
                    patched.setattr(Hashing, "salt", lambda _, own: own)
                done: Extracted = run(one, resume)
            return replace(done, resume={name: told for name, told in (done.resume or {}).items() if name != "keyed"} or None)

        capturing.cloud.put_secret("mask", {"key": KEY})
        capturing.make("id int PRIMARY KEY, name text")
        capturing.apply(masks={"id": Mask.HASH}, mask_key="mask")
        capturing.run()
        capturing.all("INSERT INTO thing VALUES (1, 'one')", "INSERT INTO thing VALUES (2, 'two')")
        monkeypatch.setattr(extraction.LogExtraction, "run", of_former)
        with capturing.in_pieces(1):
            capturing.run()
        assert sorted(row["name"] for row in capturing.rows()) == ["one", "two"]

    def test_all_rows_go_within_a_share_of_several_calls(self, capturing: CapturingSource) -> None:
        capturing.make("id int PRIMARY KEY, name text")
        begun(capturing, "(1, 'one'), (2, 'two')")
        capturing.all("UPDATE thing SET name = 'uno'", "INSERT INTO thing VALUES (3, 'before')", "TRUNCATE thing")
        capturing.all("INSERT INTO thing VALUES (1, 'after')", "INSERT INTO thing VALUES (5, 'after')")
        with capturing.in_pieces(1):
            capturing.run()
        assert (capturing.rows(), capturing.was_whole(), staged(capturing)) == (capturing.source(), True, (2, 0))
        capturing.all("INSERT INTO thing VALUES (6, 'six')", "TRUNCATE thing")
        with capturing.in_pieces(1):
            capturing.run()
        assert (capturing.rows(), capturing.was_whole()) == ([], True)

    def test_what_cannot_be_written_in_the_time_is_read_again(
        self, capturing: CapturingSource, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        capturing.make("id int PRIMARY KEY, name text")
        begun(capturing, "(1, 'one'), (2, 'two')")
        capturing.all("UPDATE thing SET name = 'uno' WHERE id = 1", "DELETE FROM thing WHERE id = 2")
        monkeypatch.setattr(capturing.log, "chunk_bytes", 0)
        contexts = iter([FakeContext(extraction.SPARE_SECONDS - 1), *[FakeContext()] * 9])
        capturing.run(context=lambda step: next(contexts) if step == "extract" else FakeContext())
        assert (capturing.rows(), staged(capturing)) == (capturing.source(), (1, 1))

    def test_a_log_that_tells_otherwise_the_second_time_is_told_and_read_anew(
        self, capturing: CapturingSource, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As another server may that has taken over, where two transactions were at work at once."""
        capturing.make("id int PRIMARY KEY, name text")
        begun(capturing, "(1, 'one'), (2, 'two')")
        capturing.all("UPDATE thing SET name = 'uno' WHERE id = 1", "UPDATE thing SET name = 'dos' WHERE id = 2")
        with monkeypatch.context() as patched, capturing.in_pieces(9):
            patched.setattr(capturing.log, "changes", self._turned(capturing.log.changes))
            run = capturing.run(record_errors=True)
        assert "in another order than before" in str(*run.errors.values())
        capturing.later()
        capturing.run()
        assert capturing.rows() == capturing.source()

    def _turned(self, whole: Any) -> Any:
        calls = iter(range(9))

        def changes(log: Any, *given: Any) -> Iterator[Any]:
            some = []
            with contextlib.suppress(TooLong):
                some += whole(log, *given)
            first = next(calls) == 0
            yield from some if first else some[::-1]
            if first:
                raise TooLong

        return changes

    def test_a_row_that_no_call_of_a_copy_meets_is_not_taken_for_gone(
        self, capturing: CapturingSource, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It goes before the call that reads its place, and comes again when that is over."""
        capturing.make("id int PRIMARY KEY, name text")
        self._in_small_calls(monkeypatch)
        begun(capturing, ", ".join(f"({number}, REPEAT('x', 3000))" for number in range(40)))
        capturing.all("DELETE FROM thing WHERE id = 3")
        capturing.forget()
        there, calls = Copying._there, iter(range(999))

        def context(step: str) -> FakeContext:
            if step == "extract" and next(calls) == 1:
                capturing.all("DELETE FROM thing WHERE id = 39", "DELETE FROM thing WHERE id = 0")
            return FakeContext(5)

        def comes_again(copying: Any, resume: Any) -> Any:
            capturing.all("INSERT INTO thing VALUES (39, 'again')")
            return there(copying, resume)

        with monkeypatch.context() as patched:
            patched.setattr(Copying, "_there", comes_again)
            run = capturing.run(context=context)
        assert capturing.was_whole() and run.calls["extract"] > 3
        assert [row["id"] for row in capturing.rows()] == [number for number in range(40) if number != 3]
        capturing.run()
        assert (capturing.rows(), capturing.was_whole()) == (capturing.source(), False)

    def _in_small_calls(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A chunk is a small part of a table, however small that is, and is read by one worker."""
        monkeypatch.setattr(parts, "SMALL_CHUNK_BYTES", 0)
        monkeypatch.setattr(parts, "chunk_positions", lambda remaining, *_: min(remaining, LINES // 4))
        monkeypatch.setattr("systems.sql_source.extraction.MOST_WORKERS", 1)

    # -- values

    def test_values_are_the_same_by_whichever_way_they_come(self, capturing: CapturingSource) -> None:
        kinds = [kind for kind, values in capturing.values.items() if values]
        most = max(len(values) for values in capturing.values.values())
        columns = [f"c{number} {kind} NULL" for number, kind in enumerate(kinds)]
        capturing.make(", ".join(["id int PRIMARY KEY", *columns, "touched int"]))
        for row in range(most + 1):
            values = ["NULL" if row == most else capturing.values[kind][row % len(capturing.values[kind])] for kind in kinds]
            capturing.all(*capturing.in_utc, f"INSERT INTO thing VALUES ({row}, {', '.join(values)}, 0)")
        capturing.apply()
        capturing.run()
        copied = [{name: value for name, value in row.items() if name != "touched"} for row in capturing.rows()]
        capturing.all("UPDATE thing SET touched = 1")
        capturing.run()
        assert (staged(capturing), capturing.was_whole()) == ((most + 1, 0), False)
        assert repr([{name: value for name, value in row.items() if name != "touched"} for row in capturing.rows()]) == repr(copied)

    @pytest.mark.parametrize("pieces", [False, True])
    def test_hostile_names_and_values(self, capturing: CapturingSource, pieces: bool) -> None:
        listed = ", ".join(f"{capturing.quoted(name)} text" for name in NAMES)
        capturing.make(f"id varchar(100) PRIMARY KEY, {listed}")
        capturing.apply()
        capturing.run()
        for number, value in enumerate([*VALUES, *capturing.hostile]):
            row = [f"{number}{value}", *([value] * len(NAMES))]
            capturing.database.run(f"INSERT INTO thing VALUES ({', '.join(['%s'] * (len(NAMES) + 1))})", row)
        with capturing.in_pieces(7) if pieces else contextlib.nullcontext():
            capturing.run()
        assert capturing.rows() == sorted(capturing.source(), key=lambda row: row["id"])
        capturing.all("DELETE FROM thing")
        capturing.run()
        assert capturing.rows() == []

    def test_a_value_that_no_warehouse_can_hold_is_set_aside(self, capturing: CapturingSource) -> None:
        capturing.make("id int PRIMARY KEY, day date")
        capturing.apply(bad_rows=BadRows(rows=1))
        capturing.run()
        capturing.all(*capturing.lenient, f"INSERT INTO thing VALUES (1, '2026-01-01'), (2, '{capturing.no_day}')")
        capturing.run()
        assert [row["id"] for row in capturing.rows()] == [1]
        assert sum(file["rows"] for file in capturing.manifest()["rejected"]) == 1

    def test_a_row_that_a_new_copy_sets_aside_is_not_taken_for_gone(self, capturing: CapturingSource) -> None:
        capturing.make("id int PRIMARY KEY, day date")
        capturing.all("INSERT INTO thing VALUES (1, '2026-01-01'), (2, '2026-01-02'), (3, '2026-01-03')")
        capturing.apply(bad_rows=BadRows(rows=1))
        capturing.run()
        capturing.all("DELETE FROM thing WHERE id = 3", *capturing.lenient)
        capturing.all(*capturing.lenient, f"UPDATE thing SET day = '{capturing.no_day}' WHERE id = 1")
        capturing.forget()
        capturing.run()
        assert (capturing.was_whole(), capturing.set_aside()) == (True, [(1,)])
        assert [row["id"] for row in capturing.rows()] == [1, 2]

    def test_masked_columns_are_hashed_as_they_are_copied(self, capturing: CapturingSource) -> None:
        capturing.cloud.put_secret("mask", {"key": KEY})
        capturing.make()
        capturing.all("INSERT INTO thing VALUES (1, 'same', 'secret')")
        capturing.apply(masks={"name": Mask.HASH, "big": Mask.DROP}, mask_key="mask")
        capturing.run()
        capturing.all("INSERT INTO thing VALUES (2, 'same', 'secret')")
        capturing.run()
        first, second = capturing.rows()
        assert first["name"] == second["name"] != "same"
        assert first.keys() == {"id", "name"}

    def test_names_of_a_query_are_those_of_the_program(self, capturing: CapturingSource) -> None:
        capturing.make()
        capturing.all("INSERT INTO thing VALUES (1, 'one', 'x')")
        capturing.key = ("number",)
        capturing.apply({"number": capturing.quoted("id"), "word": capturing.quoted("name")})
        capturing.run()
        capturing.all("UPDATE thing SET name = 'uno'", "INSERT INTO thing VALUES (2, 'two', 'y')")
        capturing.run()
        assert capturing.rows() == [{"number": 1, "word": "uno"}, {"number": 2, "word": "two"}]

    # -- any history, and any end

    @given(steps=STEPS)
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @pytest.mark.budget(240)
    def test_after_a_batch_of_any_history_the_warehouse_has_what_the_source_has(
        self, begins_capturing: Begins, steps: Sequence[tuple[int, int, int]]
    ) -> None:
        with pytest.MonkeyPatch.context() as patched, opened(patched) as cloud, begins_capturing(cloud) as capturing:
            capturing.make()
            capturing.apply()
            words = [*capturing.done, *BATCHES]
            for step, one, other in steps:
                self._act(capturing, words[step % len(words)], one, other)
            self._act(capturing, "batch", 0, 0)

    def _act(self, capturing: CapturingSource, word: str, one: int, other: int) -> None:
        if word in capturing.done:
            capturing.all(*(statement.format(one, other) for statement in capturing.done[word]))
        elif word == "forget":
            capturing.forget()
        else:
            capturing.later()
            with contextlib.suppress(KeyboardInterrupt), capturing.in_pieces(1 + one if word == "pieces" else 10**9):
                capturing.run(crashing if word == "crash" else None)
            assert word == "crash" or capturing.rows() == capturing.source()

    @pytest.mark.budget(600)
    @pytest.mark.sampled(16)
    @pytest.mark.parametrize("share", range(SHARES))
    def test_no_step_is_one_at_which_a_batch_may_not_end(self, capturing: CapturingSource, share: int) -> None:
        """Whatever its function dies at or loses, before it was done or after, the next attempt loses and doubles nothing."""
        capturing.make()
        begun(capturing, "(1, 'one', REPEAT('x', 9000)), (2, 'two', NULL)")
        self._change(capturing, 0)
        most = struck(capturing, None)
        assert most > 10
        assert capturing.rows() == capturing.source()
        self._ends_there(capturing, [place for place in self._numbered(most) if place[0] % SHARES == share])

    @pytest.mark.nightly
    @pytest.mark.timeout(3600)
    @pytest.mark.deep
    @pytest.mark.budget(600)
    @pytest.mark.parametrize("share", range(SHARES))
    def test_a_share_of_several_calls_may_end_at_any_step(self, capturing: CapturingSource, share: int) -> None:
        capturing.make()
        begun(capturing, "(1, 'one', REPEAT('x', 9000)), (2, 'two', NULL)")
        self._change(capturing, 0)
        with capturing.in_pieces(2):
            most = struck(capturing, None)
            assert capturing.rows() == capturing.source()
            self._ends_there(capturing, self._numbered(most)[4::5][share::SHARES])

    @pytest.mark.nightly
    @pytest.mark.timeout(3600)
    @pytest.mark.deep
    @pytest.mark.budget(600)
    @pytest.mark.parametrize("share", range(SHARES))
    @pytest.mark.parametrize("seconds", [900, 5])
    def test_a_new_copy_may_end_at_any_step(
        self, capturing: CapturingSource, seconds: int, share: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """seconds: of a call, of which the fewer are for one chunk."""
        if seconds < 900:
            self._in_small_calls(monkeypatch)
        capturing.make()
        begun(capturing, "(1, 'one', NULL), (2, 'two', NULL), (3, 'three', NULL), (4, 'four', NULL)")
        self._change(capturing, 0)
        capturing.forget()
        most = struck(capturing, None, seconds=seconds)
        assert capturing.was_whole()
        self._ends_there(capturing, self._numbered(most)[2::3][share::SHARES], forgets=True, seconds=seconds)

    @staticmethod
    def _numbered(most: int) -> list[tuple[int, tuple[int, bool, bool]]]:
        return list(enumerate(places(most), 1))

    def _ends_there(
        self,
        capturing: CapturingSource,
        chosen: Sequence[tuple[int, tuple[int, bool, bool]]],
        *,
        forgets: bool = False,
        seconds: int = 900,
    ) -> None:
        """A batch ends at each of these places, and the next one brings what it did not.  forgets: the log, before each."""
        for number, (at, after, lost) in chosen:
            self._change(capturing, number)
            if forgets:
                capturing.forget()
            struck(capturing, at, after=after, lost=lost, seconds=seconds)
            capturing.later()
            self._change(capturing, number + 500)
            capturing.run()
            assert capturing.rows() == capturing.source(), (at, after, lost)

    def _change(self, capturing: CapturingSource, number: int) -> None:
        """Something of each kind."""
        capturing.all(
            f"INSERT INTO thing VALUES ({number + 100}, 'made', REPEAT('m', 9000))",
            f"UPDATE thing SET name = 'changed {number}' WHERE id % 2 = {number % 2}",
            f"DELETE FROM thing WHERE id = {number + 95}",
            *capturing.in_part,
            f"UPDATE thing SET id = {number + 100_000} WHERE id = {number + 97}",
            f"INSERT INTO thing (id) VALUES ({number + 200_000})",
        )
