"""What taps write that no tap should, how they end, and what becomes of the rows that they wrote before."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from shared_metadata.contract.collect import CollectSteps
from shared_metadata.errors import AtollError, DefinitionError, RetryLater, SecretError
from shared_metadata.program import BadRows, Connection, Flow, Kind, Mode, Position, Program, Table
from systems.singer import extracting, options, process, tap_file
from systems.singer.client import SingerSource
from systems.singer.declared import declared
from tests.conformance.fixtures import BatchRun, Cloud, FakeContext, cloud, run_batch

__all__ = ["cloud"]
FLOW, DATASET, HERE = "lake.raw.orders", "lake.raw.orders:staged", Position("program.sql", 2, 1)
SYSTEM, TAP = "said", Path(__file__).with_name("said_tap.py")
PROPERTIES = {
    "id": {"type": "integer"},
    "label": {"type": ["null", "string"]},
    "updated_at": {"type": ["null", "string"], "format": "date-time"},
}
ENTRY = {"stream": "orders", "tap_stream_id": "orders", "key_properties": ["id"], "replication_key": "updated_at"}
ENTRY |= {"schema": {"type": "object", "properties": PROPERTIES}, "metadata": []}  # type: ignore[dict-item]
SCHEMA = {"type": "SCHEMA", "stream": "orders", "schema": ENTRY["schema"], "key_properties": ["id"]}
LONG_AGO = "2020-01-01T00:00:00Z"


def record(number: int, at: str = LONG_AGO, **more: Any) -> dict[str, Any]:
    return {"type": "RECORD", "stream": "orders", "record": {"id": number, "label": f"row {number}", "updated_at": at}, **more}


def state(value: Any) -> dict[str, Any]:
    return {"type": "STATE", "value": value}


def bookmark(at: str) -> dict[str, Any]:
    return {"bookmarks": {"orders": {"replication_key": "updated_at", "replication_key_value": at}}}


class Said:
    """A flow over a tap that writes what a test says.  refused: how the last batch failed."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self.cloud, self.folder = cloud, folder / tap_file.folder_of(SYSTEM)
        self.folder.mkdir(parents=True)
        shutil.copyfile(TAP, self.folder / TAP.name)
        self.tap()
        self.catalog: Any = {"streams": [ENTRY]}
        self.collect()

    def tap(self, **said: Any) -> None:
        (self.folder / tap_file.TAP).write_text(yaml.safe_dump({"run": TAP.name, "secret": ["lines"], **said}))
        tap_file.document_of.cache_clear()
        options.model_of.cache_clear()

    def collect(self, mode: Mode = Mode.MERGE, **flow: Any) -> None:
        how = {"key": ("id",), "cursor": flow.pop("cursor", "updated_at")} if mode == Mode.MERGE else {}
        tables = (Table(DATASET, "orders"),)
        made = Flow(FLOW, Kind.COLLECT, f"collect.{SYSTEM}", "lake", 3600, tables, HERE, connection="said", mode=mode, **how, **flow)
        self.cloud.apply(Program({"said": Connection("said", SYSTEM, {"secret": "said"}, HERE)}, {}, {FLOW: made}))

    def steps(self) -> CollectSteps:
        def opened(connection: Connection, secret: Mapping[str, Any]) -> SingerSource:
            return SingerSource(connection, secret, tap_file.document_of(SYSTEM), self.cloud.session)

        return CollectSteps(declared(SYSTEM), self.cloud.services(f"collect.{SYSTEM}"), opened)

    def run(self, *lines: Any, seconds_left: float = 900, **config: Any) -> BatchRun:
        self.cloud.put_secret("said", {"lines": list(lines), "catalog": self.catalog, **config})
        near = lambda step: FakeContext(seconds_left if step == "extract" else 900)  # noqa: E731
        return run_batch(self.steps(), self.cloud.event(FLOW), context=near, record_errors=True)

    def error(self, *lines: Any, **config: Any) -> AtollError:
        found = self.run(*lines, **config).errors[DATASET]
        assert isinstance(found, AtollError)
        return found

    def ids(self) -> list[Any]:
        found = self.cloud.rows(DATASET)
        return sorted(found.column("id").to_pylist()) if found is not None else []

    @property
    def carried(self) -> Any:
        """The STATE with which the next batch begins."""
        return json.loads(self.cloud.reader.flow_states([FLOW])[FLOW].tables[DATASET].cursor)["state"]


@pytest.fixture
def said(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Said]:
    monkeypatch.chdir(tmp_path)
    return Said(cloud, tmp_path)  # type: ignore[return-value]


WRONG: Mapping[str, tuple[tuple[Any, ...], str]] = {
    "text": ((SCHEMA, record(1), "Fetching page 2 of hidden-row"), "line 3 of what the tap writes is no JSON"),
    "cut": ((SCHEMA, record(1), '{"type": "RECORD", "stream": "orders", "record": {"id": 2, "la'), "is no JSON"),
    "list": ((SCHEMA, "[1, 2]"), "line 2 of what the tap writes is no message"),
    "untyped": (({"stream": "orders"},), "line 1 of what the tap writes is no message"),
    "files": ((SCHEMA, {"type": "BATCH", "stream": "orders", "manifest": []}), "of a kind that is not read here"),
    "no schema": ((record(1),), "line 1 of what the tap writes is a RECORD before its SCHEMA"),
    "no record": ((SCHEMA, {"type": "RECORD", "stream": "orders"}), "is a RECORD without a record"),
    "no stream": ((SCHEMA, {"type": "RECORD", "record": {}}), "is a RECORD without its stream"),
    "no value": ((SCHEMA, {"type": "STATE"}), "is a STATE without a value"),
    "version": ((SCHEMA, record(1, version="one")), "is a RECORD whose version is no number"),
    "no properties": (({**SCHEMA, "schema": {"type": "object"}},), "is a SCHEMA without properties"),
    "another type": (
        ({**SCHEMA, "schema": {"type": "object", "properties": {**PROPERTIES, "id": {"type": "string"}}}},),
        "is a SCHEMA that says of id that it is string, and the catalog says long",
    ),
    "a field less": (
        ({**SCHEMA, "schema": {"type": "object", "properties": {"id": {"type": "integer"}}}},),
        "is a SCHEMA that has no label, and the catalog says string",
    ),
    "huge": ((SCHEMA, {**record(1), "record": {"id": 1, "label": "x" * 1_000_001}}), "is longer than"),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_message_of_singers_is_told_by_its_line_and_never_quoted(
    said: Said, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "MOST_LINE_BYTES", 1_000_000)
    lines, told = WRONG[case]
    error = said.error(*lines)
    assert isinstance(error, DefinitionError) and told in str(error) and error.place and error.remedy
    assert "hidden-row" not in str(error) and said.cloud.reader.latest_version(DATASET) is None


def test_rows_before_the_last_state_of_a_tap_that_failed_are_kept_and_those_after_it_come_again(said: Said) -> None:
    lines = [SCHEMA, record(1), state("one"), record(2)]
    run = said.run(*lines, exit=1, once=True, after="one")
    assert run.calls["extract"] == 2 and run.errors == {} and said.ids() == [1]  # it goes on after the STATE that was saved


def test_a_tap_that_fails_again_is_told_and_the_batch_begins_anew(said: Said) -> None:
    lines = [SCHEMA, record(1), state("one"), record(2)]
    log = ["requests.exceptions.HTTPError: 502 Server Error for url: hidden-row"]
    error = said.error(*lines, exit=1, after="one", log=log)
    assert isinstance(error, RetryLater) and "exit code 1 (HTTP 502, requests.exceptions.HTTPError)" in str(error)
    assert "hidden-row" not in str(error) and "log" in error.remedy
    said.run(*lines)
    assert said.ids() == [1, 2]


def test_a_tap_that_fails_without_a_state_fails_the_batch(said: Said) -> None:
    error = said.error(SCHEMA, record(1), exit=1)
    assert isinstance(error, RetryLater) and "the tap ended with exit code 1" in str(error)
    assert said.run(SCHEMA, record(1), record(2)).errors == {} and said.ids() == [1, 2]


@pytest.mark.security
@pytest.mark.parametrize(
    ("line", "told", "kind"),
    [
        ("tap_x.ConfigError: no hidden-row", "(tap_x.ConfigError)", RetryLater),
        ("2026-11-29 CRITICAL HTTPError: 401 Client Error: hidden-row", "refuses the secret said", SecretError),
        ("urllib.error.HTTPError: HTTP Error 403: Forbidden hidden-row", "refuses the secret said", SecretError),
        ("hidden-row Error in 'hidden-rowError'", "exit code 1 Remedy", RetryLater),
    ],
)
def test_of_a_taps_log_the_kind_of_error_is_told_alone(said: Said, line: str, told: str, kind: type[AtollError]) -> None:
    error = said.error(exit=1, log=["Traceback", line])
    assert type(error) is kind and told in str(error) and "hidden-row" not in str(error)


def test_a_tap_without_a_state_is_ended_at_its_deadline_with_that_sentence(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extracting, "LEAST_SECONDS", 3.0)
    error = said.error(SCHEMA, record(1), seconds=600, seconds_left=5)
    assert isinstance(error, DefinitionError) and "gave no STATE within one call" in str(error) and "run = 'auto'" in error.remedy


def test_a_tap_that_is_cut_at_its_deadline_goes_on_from_its_last_state(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extracting, "LEAST_SECONDS", 3.0)
    lines = [SCHEMA, record(1), state("one"), record(2)]
    run = said.run(*lines, after="one", seconds=0, seconds_left=5)
    assert run.calls["extract"] == 2 and said.ids() == [1]


def test_marks_that_a_tap_forgets_are_no_progress(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extracting, "LEAST_SECONDS", 3.0)
    marks = {"bookmarks": {"orders": {"progress_markers": {"replication_key_value": LONG_AGO}}}, "currently_syncing": "orders"}
    error = said.error(SCHEMA, record(1), state(marks), seconds=600, seconds_left=5)
    assert "gave no STATE within one call" in str(error)


def test_a_replace_that_is_not_done_within_one_call_is_refused(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extracting, "LEAST_SECONDS", 3.0)
    said.collect(Mode.REPLACE)
    error = said.error(SCHEMA, record(1), state("one"), seconds=600, seconds_left=5)
    assert "did not come to its end within one call" in str(error) and "run = 'auto'" in error.remedy


def test_a_replace_takes_the_version_that_the_tap_activates(said: Said) -> None:
    said.collect(Mode.REPLACE)
    said.run(SCHEMA, record(1, version=1), record(2, version=2), {"type": "ACTIVATE_VERSION", "stream": "orders", "version": 2})
    assert said.ids() == [2]
    said.run(SCHEMA, record(3), record(4))
    assert said.ids() == [3, 4]


def test_the_state_that_is_handed_on_holds_no_moment_beyond_what_was_taken(said: Said) -> None:
    far = "2099-01-01T00:00:00.000000+00:00"
    said.run(SCHEMA, record(1), record(2, far), state(bookmark(far)))
    end = said.cloud.reader.latest_version(DATASET).interval.end  # type: ignore[union-attr]
    (kept,) = said.carried["bookmarks"].values()
    assert said.ids() == [1] and LONG_AGO < kept["replication_key_value"] < f"{end:%Y-%m-%dT%H:%M:%S}" and far[19:] != ""
    said.run(SCHEMA, record(1), state({"orders": 17}))
    assert said.carried["bookmarks"] == {"orders": kept}  # what is no moment cannot be set back


def test_a_bookmark_of_numbers_is_handed_on_as_it_is_and_nothing_is_cut(said: Said) -> None:
    said.catalog = {"streams": [{**ENTRY, "replication_key": "id"}]}
    said.collect(cursor="id", rising=True)
    far = "2099-01-01T00:00:00Z"
    said.run(SCHEMA, record(1, far), state({"bookmarks": {"orders": {"id": 1}}}))
    assert said.ids() == [1] and said.carried == {"bookmarks": {"orders": {"id": 1}}}


def test_of_a_keys_records_the_last_one_that_was_written_is_the_last_one_that_is_read(said: Said) -> None:
    numbers = [number % 7 for number in range(300)]
    said.run(SCHEMA, *(record(number) for number in numbers))
    found = said.cloud.rows(DATASET)
    assert found is not None and found.column("id").to_pylist() == numbers


def test_bad_rows_are_set_aside(said: Said) -> None:
    said.collect(bad_rows=BadRows(1))
    said.run(SCHEMA, record(1), {**record(2), "record": {"id": "two", "label": "x", "updated_at": LONG_AGO}})
    assert said.ids() == [1] and len(said.cloud.manifest(DATASET)["rejected"]) == 1


def test_deleted_rows_are_told_by_the_field_that_taps_have_for_them(said: Said) -> None:
    properties = {**PROPERTIES, "_sdc_deleted_at": {"type": ["null", "string"], "format": "date-time"}}
    said.catalog = {"streams": [{**ENTRY, "schema": {"type": "object", "properties": properties}}]}
    gone = record(2)
    gone["record"]["_sdc_deleted_at"] = LONG_AGO
    said.run({**SCHEMA, "schema": said.catalog["streams"][0]["schema"]}, record(1), gone)
    found = said.cloud.rows(DATASET)
    assert found is not None and sorted(zip(*(found.column(c).to_pylist() for c in ("id", "_deleted")), strict=True)) == [
        (1, False),
        (2, True),
    ]


@pytest.mark.parametrize("catalog", [[], {}, {"streams": 1}, {"streams": ["x"]}])
def test_what_is_no_catalog_is_refused(said: Said, catalog: Any) -> None:
    said.catalog = catalog
    (failed,) = said.run().planned["failed"]
    assert "the tap's catalog has no list of streams" in failed["error"] and "--discover" in failed["error"]


def test_what_a_tap_has_started_ends_with_it(said: Said) -> None:
    code = (
        "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); print(child.pid)"
    )
    (said.folder / TAP.name).write_text(f"{code}; sys.stdout.flush()")
    said.tap()
    with process.Tap(tap_file.document_of(SYSTEM), {}, place="x", reference="y") as run:
        pid = int(next(run.messages({}, None)))
        run.check()
    until = time.monotonic() + 60
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.security
def test_a_taps_process_has_nothing_of_its_functions_keys(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden-key")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/hidden")
    tap = "import json, os; print(json.dumps({'streams': [{'stream': name, 'schema': {}} for name in sorted(os.environ)]}))"
    (said.folder / TAP.name).write_text(tap)
    said.tap()
    with process.Tap(tap_file.document_of(SYSTEM), {}, place="x", reference="y") as run:
        names = {one["stream"] for one in run.discover(60)["streams"]}
    assert not [name for name in names if name.startswith(("AWS_", "ATOLL_"))] and "HOME" in names
