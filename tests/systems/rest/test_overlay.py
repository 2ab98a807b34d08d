"""What an overlay says of a source and its tables reaches the program that reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from console.limits import limits
from language import compile_program
from shared_metadata.contract.declaration import Slice
from shared_metadata.errors import DefinitionError, SecretError
from shared_metadata.program import Connection, Position
from systems.rest import checking, document, options
from systems.rest.coverage import coverage
from systems.rest.declared import declared
from tests.systems.rest.reading import Reading, answer
from tests.systems.rest.reading import stream as stream_read
from tests.systems.rest.things import SYSTEM, TYPES, manifest, stream

PROGRAM = """\
CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION out TO things WITH (secret = 'out'{options});
INSERT INTO lake.things.orders EVERY '1 hour' {mode} AS SELECT id, updated FROM out.orders;
"""
Write = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes a folder with a manifest of one table, and an overlay, into a project in the current folder."""
    monkeypatch.chdir(tmp_path)

    def write(overlay: str) -> Path:
        folder = tmp_path / document.FOLDER / SYSTEM
        folder.mkdir(parents=True, exist_ok=True)
        own = {"id": TYPES["string"], "updated": TYPES["timestamptz"]}
        (folder / document.MANIFEST).write_text(yaml.safe_dump({**manifest(), "streams": [stream("orders", own)]}))
        (folder / document.OVERLAY).write_text(overlay)
        _forget()
        return folder

    yield write
    _forget()


def _forget() -> None:
    document.document_of.cache_clear()
    options.model_of.cache_clear()


@pytest.fixture
def slices() -> dict[str, Slice]:
    from slices.registry import installed

    return {**installed(), f"collect.{SYSTEM}": declared(SYSTEM)}


def test_a_table_of_changes_is_not_read_whole(written: Write, slices: dict[str, Slice]) -> None:
    written("tables: {orders: {only: MERGE}}")
    for mode, refused in (("REPLACE", True), ("MERGE ON (id) CURSOR updated", False)):
        program = compile_program({"p.sql": PROGRAM.format(mode=mode, options="")}, slices)
        (flow,) = (one for one in program.flows.values() if one.connection)
        if not refused:
            checking.check_flow(flow, {})
            continue
        with pytest.raises(DefinitionError, match="orders is not read as a whole") as wrong:
            checking.check_flow(flow, {})
        assert wrong.value.remedy == "write MERGE ON (id) CURSOR updated" and "p.sql:3" in str(wrong.value.place)


def test_what_no_batch_of_a_table_sees_is_told_where_a_program_reads_it_by_a_cursor(written: Write, slices: dict[str, Slice]) -> None:
    folder = written("tables: {orders: {misses: what changed long ago, reads: the last week again}}")
    for mode, told in (("REPLACE", False), ("MERGE ON (id) CURSOR updated", True)):
        program = compile_program({"p.sql": PROGRAM.format(mode=mode, options="")}, slices)
        said = limits(program, [*program.flows], slices)
        assert ("lake.things.orders: no batch sees what changed long ago" in said) == told
    (table,) = coverage(folder).tables
    assert (table.reads, table.misses) == ("the last week again", "what changed long ago")


@pytest.mark.parametrize(("overlay", "said", "lag"), [("tables: {}", {}, 60), ("lag: 300", {}, 300), ("lag: 300", {"lag": 7}, 7)])
def test_a_sources_lag_is_its_overlays_unless_the_connection_says_another(
    written: Write, overlay: str, said: dict[str, int], lag: int
) -> None:
    written(overlay)
    connection = Connection("out", SYSTEM, {"secret": "out", **said}, Position("p.sql", 1, 1))
    assert options.lag_of(connection) == lag


@pytest.mark.parametrize(
    ("overlay", "said"),
    [
        ("lag: soon", "`lag` of an overlay is no number of seconds"),
        ("tables: {orders: {only: REPLACE}}", "`only` of orders is not MERGE"),
        ("tables: {orders: {forgets: x}}", "no `forgets`"),
        ("tables: {orders: {header: x}}", "`header` of orders is neither true nor false"),
    ],
)
def test_an_overlay_that_says_something_else_is_refused_with_its_place(written: Write, overlay: str, said: str) -> None:
    folder = written(overlay)
    with pytest.raises(DefinitionError, match=said) as wrong:
        document.read(folder)
    assert str(wrong.value.place).endswith("overlay.yaml")


@pytest.mark.security
def test_what_the_manifest_calls_a_mistake_of_the_configuration_names_the_secret_and_not_what_is_in_it() -> None:
    rule = {
        "type": "HttpResponseFilter",
        "predicate": "{{ not response.get('ok') }}",
        "action": "FAIL",
        "failure_type": "config_error",
        "error_message": "it lacks a scope",
    }
    handler = {"error_handler": {"type": "DefaultErrorHandler", "response_filters": [rule]}}
    reading = Reading(stream_read(requester=handler), lambda _: answer({"ok": False, "token": "hidden"}), token="hidden")
    with pytest.raises(SecretError, match="does not take the secret thing: it lacks a scope") as refused:
        reading.records()
    assert "hidden" not in str(refused.value)
