"""`atoll plan` and `atoll apply`."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import Result

import console.update_set as update_sets
from console.init import PROGRAM
from console.project import compile_files
from shared_metadata.program import Program
from shared_metadata.program.intervals import next_interval
from shared_metadata.program.lineage import Lineage
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import ConnectionSchemas
from shared_metadata.state.records import TableCommit
from shared_metadata.store.writer import MetadataWriter
from tests.console.conftest import write_snapshot

Atoll = Callable[..., Result]
HOOK = """
CREATE CONNECTION hook TO webhook WITH (secret = 'hook');
INSERT INTO hook.customers EVERY '15 minutes' MERGE ON (customer) AS SELECT customer, orders FROM lake.ops.customers;
"""
STATEMENTS = ["lake.ops.customers", "lake.ops.orders", "ops.public.customer_totals"]


def edit(folder: Path, old: str, new: str) -> None:
    assert old in PROGRAM
    (folder / "program.sql").write_text(PROGRAM.replace(old, new))


def test_against_an_empty_account_everything_is_added(atoll: Atoll, ready: Any) -> None:
    result = atoll("plan")
    assert result.exit_code == 0
    assert all(f"+ {statement} " in result.stdout for statement in STATEMENTS)
    assert "3 statements added, 0 changed, 0 removed; nothing breaking." in result.stdout and "atoll apply" in result.stdout


def test_plan_tells_what_a_source_cannot_tell(atoll: Atoll, ready: Any, folder: Path) -> None:
    (note,) = json.loads(atoll("plan", "--json").stdout)["notes"]
    assert note.startswith("lake.ops.orders: no batch sees a row whose cursor was set in the past")
    assert "What a source cannot tell:" in atoll("plan").stdout
    assert "APPEND" not in note and "number" not in note, "nothing of another mode"
    edit(folder, "MERGE ON (id) CURSOR updated_at", "APPEND CURSOR id")
    first, second = json.loads(atoll("plan", "--json").stdout)["notes"]
    assert first == note and second.startswith("lake.ops.orders: no batch sees a later row with the same number")
    edit(folder, "MERGE ON (id) CURSOR updated_at", "REPLACE")
    assert json.loads(atoll("plan", "--json").stdout)["notes"] == []


def test_plan_tells_how_often_published_rows_arrive(atoll: Atoll, ready: Any, folder: Path) -> None:
    """Also where they go to what has no columns to be held against, and no snapshot."""
    (first,) = json.loads(atoll("plan", "--json").stdout)["arrive"]
    assert first == "ops.public.customer_totals: exactly once, a batch as a whole"
    (folder / "program.sql").write_text(PROGRAM + HOOK)
    same, second = json.loads(atoll("plan", "--json").stdout)["arrive"]
    assert same == first and second.startswith(
        "hook.customers: at least once, and once where the application knows a request by its key"
    )
    assert f"How often published rows arrive:\n  {first}\n  {second}\n" in atoll("plan").stdout


LATE = {
    "postgres": ("updated_at", "a row whose cursor was set in the past"),
    "mysql": ("updated_at", "a row that is committed later after its cursor's moment than the connection's `lag` (5 minutes)"),
    "oracle": ("updated_at", "a row that is committed later after its cursor's moment than the connection's `lag` (5 minutes)"),
    "salesforce": ("SystemModstamp", "a record that becomes visible later after its cursor's moment than the connection's `lag`"),
}


@pytest.mark.parametrize("system", LATE)
def test_plan_tells_of_each_source_what_it_commits_too_late(atoll: Atoll, account: Any, folder: Path, system: str) -> None:
    cursor, said = LATE[system]
    kinds = {"postgres": "bigint", "mysql": "bigint", "oracle": "NUMBER(19)", "salesforce": "id"}
    times = {"postgres": "timestamp with time zone", "mysql": "datetime(6)", "oracle": "TIMESTAMP(6)", "salesforce": "datetime"}
    columns = (
        SchemaColumn("id", "long", False, "Id", kinds[system]),
        SchemaColumn(cursor.lower(), "timestamptz", False, cursor, times[system]),
    )
    (folder / "program.sql").write_text(
        f"CREATE WAREHOUSE lake USING iceberg; CREATE CONNECTION it TO {system} WITH (secret = 'it');\n"
        f"INSERT INTO lake.raw FROM it TABLES (contacts) EVERY '1 hour' MERGE ON (id) CURSOR {cursor};"
    )
    (folder / "schemas").mkdir()
    (folder / "schemas" / "it.json").write_text(ConnectionSchemas("it", system, {"contacts": Schema(columns)}).to_json())
    notes = json.loads(atoll("plan", "--json").stdout)["notes"]
    assert notes[0].startswith(f"lake.raw.contacts: no batch sees {said}")
    assert f"What a source cannot tell:\n  {notes[0]}" in atoll("plan").stdout


def test_plan_tells_what_a_log_does_not_and_what_it_leaves_behind(atoll: Atoll, ready: Any, folder: Path) -> None:
    edit(folder, "MERGE ON (id) CURSOR updated_at", "MERGE ON (id) CAPTURE")
    (note,) = json.loads(atoll("plan", "--json").stdout)["notes"]
    assert note.startswith("lake.ops.orders: no batch sees what is changed while the publication does not have the table")
    assert atoll("apply").exit_code == 0
    (folder / "program.sql").write_text(PROGRAM)
    _, left = json.loads(atoll("plan", "--json").stdout)["notes"]
    assert left.startswith("lake.ops.orders: captured no more, and its source keeps log for its replication slot")


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_programs_are_compared_once(atoll: Atoll, ready: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    assert atoll("apply").exit_code == 0
    compares, compared = list[str](), update_sets.compare
    monkeypatch.setattr(update_sets, "compare", lambda *given, **how: (compares.append(""), compared(*given, **how))[1])
    edit(folder, "count(*)", "count(1)")
    assert atoll(command).exit_code == 0
    assert len(compares) == 1


def test_plan_changes_nothing(atoll: Atoll, ready: Any) -> None:
    atoll("plan")
    assert ready.writer().reader.active_version() == ""


def test_plan_says_what_is_missing_before_apply_refuses_it(atoll: Atoll, account: Any, folder: Path) -> None:
    (folder / "program.sql").write_text(PROGRAM)
    write_snapshot(folder)
    problems = json.loads(atoll("plan", "--json").stdout)["problems"]
    assert [p.split(";")[0] for p in problems[:4]] == [
        "the conductor, which starts batches, is not deployed",
        "collect.postgres is not deployed",
        "harness.postgres is not deployed",
        "organize.iceberg is not deployed",
    ]
    assert "Before it can be applied:" in atoll("plan").stdout


def test_an_applied_program_has_no_plan_left(atoll: Atoll, ready: Any, folder: Path) -> None:
    applied = atoll("apply")
    assert applied.exit_code == 0 and "Applied" in applied.stdout
    assert ready.writer().reader.active_version() == compile_files([]).version
    assert atoll("plan").stdout == "Nothing changes.\n"


def test_apply_records_what_is_deployed(atoll: Atoll, ready: Any) -> None:
    atoll("apply")
    installed = ready.writer().reader.installed_slices()
    assert installed["collect.postgres"]["stack"] == "CollectPostgresSlice"
    assert installed["collect.postgres"]["state_machine"].endswith(":stateMachine:atoll-collect-postgres")


def test_applying_twice_changes_nothing(atoll: Atoll, ready: Any) -> None:
    first = json.loads(atoll("apply", "--json").stdout)
    second = atoll("apply")
    assert first["added"] == STATEMENTS and first["former"] == ""
    assert second.exit_code == 0 and "active already" in second.stdout
    events = [e for e in ready.writer().reader.events(datetime.now(UTC) - timedelta(minutes=5)) if e.kind == "program activated"]
    assert len(events) == 1


@pytest.mark.parametrize(
    ("old", "new", "flow", "properties"),
    [
        ("EVERY '15 minutes' REPLACE", "EVERY '1 hour' REPLACE", "lake.ops.customers", ["EVERY"]),
        ("OR WARN", "OR FAIL", "lake.ops.customers", ["EXPECT"]),
        ("sum(amount)", "max(amount)", "lake.ops.customers", ["query"]),
        ("MERGE ON (id)", "MERGE ON (id, customer)", "lake.ops.orders", ["key"]),
    ],
)
def test_a_changed_flow_is_shown_with_what_changed(
    atoll: Atoll, ready: Any, folder: Path, old: str, new: str, flow: str, properties: list[str]
) -> None:
    atoll("apply")
    text = PROGRAM.replace(old, new)
    if properties == ["EVERY"]:
        text = text.replace("EVERY '15 minutes' MERGE ON (customer)", "EVERY '1 hour' MERGE ON (customer)")
    (folder / "program.sql").write_text(text)
    update = json.loads(atoll("plan", "--json").stdout)
    parts = {change["statement"]: [part["part"] for part in change["parts"]] for change in update["changed"]}
    assert parts[flow] == properties
    assert f"~ {flow} " in atoll("plan").stdout


def test_a_moved_statement_is_no_change_of_a_flow(atoll: Atoll, ready: Any, folder: Path) -> None:
    atoll("apply")
    (folder / "program.sql").write_text("\n\n" + PROGRAM)
    assert "Nothing that runs changes; only the program's text does." in atoll("plan").stdout


def test_a_removed_statement_is_breaking(atoll: Atoll, ready: Any, folder: Path) -> None:
    atoll("apply")
    (folder / "program.sql").write_text(PROGRAM[: PROGRAM.index("-- Harness")])
    result = atoll("plan")
    assert result.exit_code == 2
    assert "! ops.public.customer_totals: dataset removed" in result.stdout
    assert "0 statements added, 0 changed, 1 removed; 1 breaking." in result.stdout


def test_a_reader_is_shown_with_the_column_that_reaches_it(atoll: Atoll, ready: Any, folder: Path) -> None:
    atoll("apply")
    edit(folder, "sum(amount)", "sum(amount) FILTER (WHERE amount > 0)")
    result = atoll("plan", "--json")
    update = json.loads(result.stdout)
    [reader] = update["readers"]
    assert result.exit_code == 0 and update["typed"] and not update["is_breaking"]
    assert reader["dataset"] == "ops.public.customer_totals" and reader["columns"] == ["amount"] and not reader["rows"]
    assert reader["by"][0]["column"] == {"dataset": "lake.ops.customers", "column": "amount", "fields": []}
    assert reader["by"][0]["position"]["line"] == PROGRAM[: PROGRAM.index("SELECT customer, orders, amount")].count("\n") + 1


def test_the_batches_that_ran_tell_what_the_next_will_take(atoll: Atoll, ready: Any, folder: Path) -> None:
    atoll("apply")
    writer, (flow, staged) = ready.writer(), ("lake.ops.orders", "lake.ops.orders:staged")
    interval = next_interval(writer.reader.flow_states([flow])[flow].tables[staged].watermark, 900)
    version = writer.reader.active_version()
    claim = writer.claim(flow, interval, [staged], program_version=version, owner="me", lease_seconds=60)
    writer.commit(claim, [TableCommit(staged, rows=120, seconds=4.0, pointer={"manifest": "m"}, used={"lambda_arm64_gb_second": 8})])
    edit(folder, "FROM ops.public.orders", "FROM ops.public.orders WHERE amount > 0")
    result = atoll("plan", "--restate-from", "2026-01-01", "--json")
    found = {item["statement"]: item for item in json.loads(result.stdout)["recompute"]}["lake.ops.orders"]
    assert found["start"] == "2026-01-01T00:00:00Z" and found["batches"] > 1000
    assert (found["rows"], found["seconds"]) == (120 * found["batches"], 4.0 * found["batches"]) and found["dollars"] > 0


def test_a_moment_that_is_none_is_refused(atoll: Atoll, ready: Any) -> None:
    result = atoll("plan", "--restate-from", "yesterday")
    assert result.exit_code == 1 and "--restate-from 'yesterday' is no moment" in result.stderr


def test_a_renamed_column_that_is_still_read_says_what_became_of_it(atoll: Atoll, ready: Any, folder: Path) -> None:
    atoll("apply")
    edit(folder, "sum(amount) AS amount", "sum(amount) AS total")
    for verb in ("plan", "apply"):
        result = atoll(verb)
        assert result.exit_code == 1
        assert "column `amount` of `lake.ops.customers` was renamed to `total` at program.sql:" in result.stderr
        assert "1 reader: ops.public.customer_totals" in result.stderr


def test_without_an_account_the_mistakes_are_shown_all_the_same(
    atoll: Atoll, ready: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_REGION")
    edit(folder, "sum(amount) AS amount", "sum(amount) AS total")
    result = atoll("plan")
    assert result.exit_code == 1 and "no column `amount`" in result.stderr


def test_a_changed_connection_is_shown(atoll: Atoll, ready: Any, folder: Path) -> None:
    atoll("apply")
    edit(folder, "secret = 'ops'", "secret = 'other'")
    assert json.loads(atoll("plan", "--json").stdout)["endpoints"] == ["ops"]


def test_a_slice_that_is_not_deployed_stops_apply_and_names_the_command(atoll: Atoll, ready: Any) -> None:
    boto3.client("ssm").delete_parameter(Name="/atoll/slices/organize.iceberg")
    result = atoll("apply")
    assert result.exit_code == 1
    assert "organize.iceberg is not deployed; deploy it: atoll deploy OrganizeIcebergSlice" in result.stderr
    assert ready.writer().reader.active_version() == ""


def test_a_missing_secret_stops_apply_and_is_named_with_its_place(atoll: Atoll, ready: Any, folder: Path) -> None:
    edit(folder, "secret = 'ops'", "secret = 'nope'")
    result = atoll("apply", "--json")
    [found] = json.loads(result.stdout)["errors"]
    assert result.exit_code == 1 and found["error"] == "DefinitionError"
    assert "program.sql:6:" in found["message"] and "the secret atoll/nope does not exist" in found["message"]
    assert "store it: atoll secret nope nope.json" in found["message"]


def test_a_missing_mask_key_stops_apply_and_says_how_to_make_one(atoll: Atoll, ready: Any, folder: Path) -> None:
    text = PROGRAM.replace("USING iceberg;", "USING iceberg WITH (mask_key = 'mask');")
    (folder / "program.sql").write_text(text.replace("CURSOR updated_at\n", "CURSOR updated_at MASK (customer HASH)\n"))
    result = atoll("apply", "--json")
    assert result.exit_code == 1
    (found,) = json.loads(result.stdout)["errors"]
    assert "program.sql:3:18: warehouse lake: the secret atoll/mask of its mask key does not exist" in found["message"]
    assert "| atoll secret mask -" in found["message"] and "openssl rand -hex 32" in found["message"]
    boto3.client("secretsmanager").create_secret(Name="atoll/mask", SecretString="{}")
    assert atoll("apply").exit_code == 0


def test_a_secret_that_is_being_deleted_stops_apply(atoll: Atoll, ready: Any) -> None:
    boto3.client("secretsmanager").delete_secret(SecretId="atoll/ops")
    result = atoll("apply")
    assert result.exit_code == 1 and "the secret atoll/ops is being deleted" in result.stderr


def test_another_program_applied_meanwhile_is_not_overwritten(
    atoll: Atoll, ready: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(folder, "sum(amount)", "min(amount)")
    other = compile_files([])
    (folder / "program.sql").write_text(PROGRAM)
    put_program = MetadataWriter.put_program

    def another_is_faster(writer: MetadataWriter, program: Program, lineage: Lineage | None = None) -> None:
        put_program(writer, program)
        put_program(writer, other)
        ready.writer().activate(other, former_version="")

    monkeypatch.setattr(MetadataWriter, "put_program", another_is_faster)
    result = atoll("apply")
    assert result.exit_code == 1
    assert "another program was activated meanwhile" in result.stderr and "apply again" in result.stderr
    assert ready.writer().reader.active_version() == other.version


def test_a_program_with_mistakes_reaches_no_account(atoll: Atoll, folder: Path) -> None:
    (folder / "program.sql").write_text("CREATE WAREHOUSE lake USING icebrg;\n")
    for verb in ("plan", "apply"):
        result = atoll(verb)
        assert result.exit_code == 1 and "program.sql:1:29" in result.stderr


def test_without_snapshots_nothing_is_planned_or_applied(atoll: Atoll, account: Any, folder: Path) -> None:
    (folder / "program.sql").write_text(PROGRAM)
    for verb in ("plan", "apply"):
        result = atoll(verb)
        assert result.exit_code == 1
        assert "there is no schemas/ops.json" in result.stderr and "atoll discover ops" in result.stderr


def made(ready: Any, dataset: str, **types: str) -> None:
    """A batch of a view, of which the table has these columns."""
    writer = ready.writer()
    interval = next_interval(writer.reader.flow_states([dataset])[dataset].tables[dataset].watermark, 900)
    version = writer.reader.active_version()
    claim = writer.claim(dataset, interval, [dataset], program_version=version, owner="me", lease_seconds=60)
    schema = Schema(tuple(SchemaColumn(name, kind, True, name, kind) for name, kind in types.items()))
    writer.commit(claim, [TableCommit(dataset, schema=schema, pointer={"snapshot_id": 1})])


RETYPED = ("sum(amount) AS amount", "CAST(sum(amount) AS VARCHAR) AS amount")
VIEW_ALONE = PROGRAM[: PROGRAM.index("-- Harness")]


def test_a_type_that_the_table_cannot_take_is_refused_by_plan_and_apply_alike(atoll: Atoll, ready: Any, folder: Path) -> None:
    """Of a view that no statement reads."""
    (folder / "program.sql").write_text(VIEW_ALONE)
    atoll("apply")
    made(ready, "lake.ops.customers", customer="string", orders="long", amount="decimal(38,2)")
    (folder / "program.sql").write_text(VIEW_ALONE.replace(*RETYPED))
    why = "the column amount of lake.ops.customers: decimal(38,2) becomes string: a table cannot change it in place"
    planned = json.loads(atoll("plan", "--json").stdout)
    assert [problem for problem in planned["problems"] if why in problem]
    refused = atoll("apply")
    assert refused.exit_code == 1 and why in refused.stderr and "CAST it to decimal(38,2), or give it another name" in refused.stderr
    assert atoll("apply", "--any-type").exit_code == 0


def test_a_table_that_was_never_made_takes_any_type(atoll: Atoll, ready: Any, folder: Path) -> None:
    (folder / "program.sql").write_text(VIEW_ALONE)
    atoll("apply")
    (folder / "program.sql").write_text(VIEW_ALONE.replace(*RETYPED))
    planned = json.loads(atoll("plan", "--json").stdout)
    assert not planned["problems"] and not [item for item in planned["breaking"] if item["reason"] == "type changed"]
    assert atoll("apply").exit_code == 0


def test_a_type_is_held_against_the_table_and_not_against_a_program_that_never_made_one(
    atoll: Atoll, ready: Any, folder: Path
) -> None:
    (folder / "program.sql").write_text(VIEW_ALONE)
    atoll("apply")
    made(ready, "lake.ops.customers", customer="string", orders="long", amount="decimal(38,2)")
    (folder / "program.sql").write_text(VIEW_ALONE.replace(*RETYPED))
    atoll("apply", "--any-type", "--restate-from", "2020-01-01")
    (folder / "program.sql").write_text(VIEW_ALONE.replace(*RETYPED).replace("count(*) AS orders", "count(*) + 1 AS orders"))
    still = json.loads(atoll("plan", "--json").stdout)
    assert [problem for problem in still["problems"] if "the column amount of lake.ops.customers" in problem]
    (folder / "program.sql").write_text(VIEW_ALONE)
    back = json.loads(atoll("plan", "--json").stdout)
    assert not back["problems"] and not back["breaking"]


def test_history_is_made_again_by_the_same_program_where_something_has_changed(atoll: Atoll, ready: Any, folder: Path) -> None:
    atoll("apply")
    unchanged = atoll("apply", "--restate-from", "2020-01-01")
    assert unchanged.exit_code == 1 and "nothing of this program has changed since 2020-01-01T00:00:00Z" in unchanged.stderr
    assert "atoll run" in unchanged.stderr and atoll("plan", "--restate-from", "2020-01-01").stderr == unchanged.stderr
