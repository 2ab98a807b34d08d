"""`atoll discover`, over slices' functions that run in this process: the answers of Lambda, and the slices' own discover step."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from console.target import Target
from shared_metadata import naming
from shared_metadata.contract.discovery import DiscoverStep
from shared_metadata.errors import DefinitionError, SecretError
from shared_metadata.program import Mode
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import Concern, ConnectionSchemas, SourceNote, TableDefaults
from slices.registry import installed

Atoll = Callable[..., Result]
PROGRAM = """
CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
CREATE CONNECTION idle TO postgres WITH (secret = 'idle');
INSERT INTO lake.crm FROM crm TABLES (Account) EVERY '15 minutes';
INSERT INTO lake.ops FROM ops.public TABLES (planes) EVERY '1 day';
INSERT INTO lake.ops.late EVERY '1 hour' APPEND
AS SELECT f.id FROM ops.public.flights f JOIN ops."Old"."Delays" d ON d.id = f.id;
INSERT INTO ops.published.score EVERY '1 day' MERGE ON (id) AS SELECT id FROM lake.ops.planes;
"""


def schema(**types: str) -> Schema:
    return Schema(tuple(SchemaColumn(name, kind, True, name, f"pg {kind}") for name, kind in types.items()))


class Sources:
    """What the two systems hold, table by table, and the account in which their slices' functions run."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Schema]] = {
            "crm": {"Account": schema(id="string")},
            "ops": {name: schema(id="long", name="string") for name in ("public.planes", "public.flights", "Old.Delays", "public.x")},
        }
        self.deployed = {"collect.salesforce", "collect.postgres", "harness.postgres"}
        self.calls: list[tuple[str, str, tuple[str, ...]]] = []
        self.secret_error: Exception | None = None

    # -- the session of the account

    region_name = "eu-central-1"

    def client(self, service: str, **_: Any) -> Any:
        assert service == "lambda"
        return self

    class exceptions:
        class ResourceNotFoundException(Exception): ...

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        for slice_id in self.deployed:
            if FunctionName == naming.function(slice_id, "discover"):
                return self._run(slice_id, json.loads(Payload))
        raise self.exceptions.ResourceNotFoundException

    def _run(self, slice_id: str, event: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((slice_id, event["connection"]["name"], tuple(event.get("tables") or ())))
        step = DiscoverStep(installed()[slice_id], self, lambda connection, _: Catalog(self.tables[connection.name]))  # type: ignore[arg-type]
        try:
            body, failed = step(event, Context()), {}
        except Exception as error:
            body, failed = {"errorType": type(error).__name__, "errorMessage": str(error)}, {"FunctionError": "Unhandled"}
        return {"Payload": io.BytesIO(json.dumps(body).encode()), **failed}

    # -- the services of the step

    def secret(self, reference: str, *, place: str) -> Mapping[str, Any]:
        if self.secret_error:
            raise self.secret_error
        return {}

    @property
    def sources(self) -> Sources:
        return self

    def put(self, *_: Any) -> None: ...


class Context:
    aws_request_id = "1"

    def get_remaining_time_in_millis(self) -> int:
        return 300_000


SEEN = {"public.told": ("by gone", "what is new")}


class Catalog:
    def __init__(self, tables: Mapping[str, Schema]) -> None:
        self._tables = tables

    def tables(self) -> list[str]:
        return sorted(self._tables)

    def describe(self, tables: Sequence[str]) -> dict[str, Schema | None]:
        return {name: self._tables.get(name) for name in tables}

    def warnings(self, tables: Sequence[str] | None) -> dict[str, str]:
        return {name: "rows are hidden; GRANT it" for name in tables or self._tables if name.endswith("guarded")}

    def notes(self, tables: Sequence[str]) -> dict[str, list[SourceNote]]:
        note = SourceNote(Concern.CURSOR, "at has no zone; write AT TIME ZONE 'Asia/Kolkata'", "at")
        captured = SourceNote(Concern.CAPTURE, "its server keeps any amount of log")
        return {name: [note, captured] for name in tables if name.endswith("local")}

    def defaults(self, tables: Sequence[str]) -> dict[str, TableDefaults]:
        return {name: TableDefaults(("id",), "at", Mode.MERGE, *SEEN.get(name, ())) for name in tables if name.endswith("told")}

    def close(self) -> None: ...


@pytest.fixture
def sources(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Sources:
    (folder / "program.sql").write_text(PROGRAM)
    found = Sources()
    monkeypatch.setattr("console.discover.open_target", lambda _: Target("test", found))
    return found


def snapshot(folder: Path, connection: str) -> dict[str, Schema | None]:
    return dict(ConnectionSchemas.from_json((folder / "schemas" / f"{connection}.json").read_text()).tables)


def test_a_number_that_is_collected_as_text_is_told_with_its_cast(atoll: Atoll, sources: Sources) -> None:
    columns = (
        SchemaColumn("amount", "string", source="amount", source_type="numeric"),
        SchemaColumn("total due", "string", source="Total Due", source_type="numeric"),
        SchemaColumn("fee", "decimal(12,2)", source="fee", source_type="numeric(12,2)"),
        SchemaColumn("note", "string", source="note", source_type="text"),
    )
    sources.tables["ops"] = {**sources.tables["ops"], "public.flights": Schema(columns)}
    shown = atoll("discover", "ops").stdout
    assert "public.flights.amount: numeric without digits: text; CAST(amount AS DECIMAL(38, 9)) makes it a number" in shown
    assert 'CAST("Total Due" AS DECIMAL(38, 9))' in shown and shown.count("numeric without digits") == 2
    (connection,) = json.loads(atoll("discover", "ops", "--json").stdout)["connections"]
    assert set(connection["advice"]) == {"public.flights.amount", "public.flights.total due"}


def test_every_table_that_the_program_names_is_written_to_its_connections_snapshot(
    atoll: Atoll, sources: Sources, folder: Path
) -> None:
    result = atoll("discover")
    assert result.exit_code == 0, result.stderr
    names = ["Old.Delays", "public.flights", "public.planes"]
    assert snapshot(folder, "crm") == {"Account": schema(id="string")}
    assert snapshot(folder, "ops") == {**{name: schema(id="long", name="string") for name in names}, "published.score": None}
    assert sources.calls == [
        ("collect.salesforce", "crm", ("Account",)),
        ("collect.postgres", "ops", tuple(names)),
        ("harness.postgres", "ops", ("published.score",)),
    ]
    assert "ops: 4 tables; schemas/ops.json written" in result.stdout and "+ public.planes: 2 columns" in result.stdout
    assert "published.score is not there yet: the first batch that is published makes it" in result.stdout


def test_a_connection_without_columns_to_look_at_is_left_out(atoll: Atoll, sources: Sources, folder: Path) -> None:
    hook = "CREATE CONNECTION hook TO webhook WITH (secret = 'hook');"
    sends = "INSERT INTO hook.planes EVERY '1 day' MERGE ON (id) AS SELECT id FROM lake.ops.planes;"
    (folder / "program.sql").write_text(f"{PROGRAM}\n{hook}\n{sends}")
    result = atoll("discover")
    assert result.exit_code == 0 and not (folder / "schemas" / "hook.json").exists(), result.stderr
    asked = atoll("discover", "hook")
    assert asked.exit_code == 1 and "nothing tells what columns a table of `hook` has" in asked.stderr


def test_discovering_again_changes_nothing_and_says_so(atoll: Atoll, sources: Sources, folder: Path) -> None:
    atoll("discover")
    before = {file: (file.read_text(), file.stat().st_mtime_ns) for file in (folder / "schemas").iterdir()}
    result = atoll("discover")
    assert "crm: 1 table; schemas/crm.json is up to date" in result.stdout
    assert {file: (file.read_text(), file.stat().st_mtime_ns) for file in (folder / "schemas").iterdir()} == before
    assert atoll("discover", "--check").exit_code == 0


def test_what_changed_is_told_column_by_column(atoll: Atoll, sources: Sources, folder: Path) -> None:
    atoll("discover")
    del sources.tables["ops"]["Old.Delays"]
    sources.tables["ops"]["public.flights"] = schema(name="int", gate="string")
    sources.tables["ops"]["public.planes"] = schema(name="string", id="long")
    checked = atoll("discover", "ops", "--check")
    assert checked.exit_code == 2 and "schemas/ops.json differs" in checked.stdout
    assert snapshot(folder, "ops")["Old.Delays"] is not None
    result = atoll("discover", "ops")
    assert result.exit_code == 0 and snapshot(folder, "ops")["Old.Delays"] is None
    for line in (
        "- Old.Delays: is not at the source any more",
        "- id: long (pg long)",
        "+ gate: string (pg string)",
        "~ name: string (pg string) ▸ int (pg int)",
        "its columns stand in another order",
    ):
        assert line in result.stdout


def test_a_misspelt_table_is_shown_in_its_place_with_what_was_meant(atoll: Atoll, sources: Sources, folder: Path) -> None:
    (folder / "program.sql").write_text(PROGRAM.replace("(planes)", "(plaens)").replace("lake.ops.planes", "lake.ops.plaens"))
    result = atoll("discover", "ops")
    assert result.exit_code == 0 and snapshot(folder, "ops")["public.plaens"] is None
    assert "program.sql:7:46: the source `ops` has no table `public.plaens`" in result.stderr
    assert "^^^^^^" in result.stderr and "did you mean `public.planes`?" in result.stderr
    answer = json.loads(atoll("discover", "ops", "--json").stdout)
    assert [missing["line"] for missing in answer["connections"][0]["missing"]] == [7]
    (folder / "program.sql").write_text(PROGRAM)
    atoll("discover", "ops")
    assert "public.plaens" not in snapshot(folder, "ops")


def test_named_tables_are_added_and_stay_until_the_source_loses_them(atoll: Atoll, sources: Sources, folder: Path) -> None:
    atoll("discover", "ops")
    result = atoll("discover", "ops", "--tables", "public.x, public.y")
    assert "! public.y is not there; did you mean public.x?" in result.stderr
    assert len(snapshot(folder, "ops")) == 5 and sources.calls[-1] == ("collect.postgres", "ops", ("public.x", "public.y"))
    atoll("discover", "ops")
    assert snapshot(folder, "ops")["public.x"] == schema(id="long", name="string")
    del sources.tables["ops"]["public.x"]
    assert "- public.x: is neither at the source nor in the program" in atoll("discover", "ops").stdout
    assert "public.x" not in snapshot(folder, "ops")


def test_the_names_of_what_is_there_can_be_listed(atoll: Atoll, sources: Sources, folder: Path) -> None:
    result = atoll("discover", "ops", "--list")
    assert result.stdout.splitlines()[0] == "ops: 4 tables" and "  public.x" in result.stdout
    assert json.loads(atoll("discover", "crm", "--list", "--json").stdout) == {"crm": ["Account"]}
    assert not (folder / "schemas").exists()


def test_a_program_that_does_not_compile_is_discovered_as_far_as_it_can_be_read(atoll: Atoll, sources: Sources, folder: Path) -> None:
    (folder / "program.sql").write_text(PROGRAM + "INSERT INTO lake.ops FROM ops TABLES (oops EVERY '1 day';\nCREATE NONSENSE;")
    result = atoll("discover", "ops")
    assert result.exit_code == 0 and "public.planes" in snapshot(folder, "ops")
    assert "The program has 2 mistakes" in result.stderr and "atoll check" in result.stderr


def test_a_broken_snapshot_is_written_anew(atoll: Atoll, sources: Sources, folder: Path) -> None:
    (folder / "schemas").mkdir()
    (folder / "schemas" / "crm.json").write_text("<<<<<<< HEAD")
    assert atoll("discover", "crm", "--check").exit_code == 2
    assert atoll("discover", "crm").exit_code == 0 and "Account" in snapshot(folder, "crm")


def test_the_snapshot_stands_beside_the_program(atoll: Atoll, sources: Sources, folder: Path) -> None:
    (folder / "jobs").mkdir()
    (folder / "program.sql").rename(folder / "jobs" / "one.sql")
    assert atoll("discover", "crm", "--program", "jobs").exit_code == 0
    assert (folder / "jobs" / "schemas" / "crm.json").exists()


def test_a_slice_that_is_not_deployed_is_named_with_the_command(atoll: Atoll, sources: Sources, folder: Path) -> None:
    sources.deployed.clear()
    result = atoll("discover", "ops")
    assert result.exit_code == 1 and "collect.postgres is not deployed" in result.stderr
    assert "atoll deploy CollectPostgresSlice" in result.stderr
    assert not (folder / "schemas").exists()


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (SecretError("the secret atoll/crm does not exist", place="p", remedy="make it"), "SecretError"),
        (ValueError("odd"), "AtollError"),
    ],
)
def test_what_the_function_says_is_what_the_command_says(atoll: Atoll, sources: Sources, error: Exception, name: str) -> None:
    sources.secret_error = error
    answer = json.loads(atoll("discover", "crm", "--json").stdout)
    assert answer["errors"][0]["error"] == name
    result = atoll("discover", "crm")
    assert result.exit_code == 1 and "help: " in result.stderr
    if isinstance(error, DefinitionError):
        assert "error: p: the secret atoll/crm does not exist" in result.stderr and "help: make it" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cmr"], "did you mean `crm`?"),
        (["--tables", "x"], "--tables goes with one connection"),
        (["idle"], "no statement collects from `idle`"),
        (["--program", "nowhere.sql"], "there is no file nowhere.sql"),
    ],
)
def test_a_wrong_input_is_refused(atoll: Atoll, sources: Sources, arguments: list[str], said: str) -> None:
    result = atoll("discover", *arguments)
    assert result.exit_code == 1 and said in result.stderr and "help: " in result.stderr
    assert sources.calls == []


def test_an_answer_in_pieces_is_put_together(atoll: Atoll, sources: Sources, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared_metadata.contract.discovery.ANSWER_BYTES", 1)
    assert atoll("discover", "ops").exit_code == 0
    assert len(snapshot(folder, "ops")) == 4 and len(sources.calls) == 4


def test_a_table_of_which_a_batch_would_fail_is_told_with_what_to_do(atoll: Atoll, sources: Sources) -> None:
    sources.tables["ops"]["public.guarded"] = schema(id="long")
    shown = atoll("discover", "ops", "--tables", "public.guarded,public.x")
    assert "  ! public.guarded: rows are hidden; GRANT it" in shown.stderr and "public.x:" not in shown.stderr
    listed = atoll("discover", "ops", "--list")
    assert "    ! rows are hidden; GRANT it" in listed.stderr and "  public.guarded" in listed.stdout
    listed = json.loads(atoll("discover", "--list", "--json").stdout)
    assert listed["crm"] == ["Account"] and "public.guarded" in listed["ops"]
    assert listed["ops.warnings"] == {"public.guarded": "rows are hidden; GRANT it"} and "crm.warnings" not in listed
    (connection,) = json.loads(atoll("discover", "ops", "--tables", "public.guarded", "--json").stdout)["connections"]
    assert connection["warnings"] == {"public.guarded": "rows are hidden; GRANT it"}


def test_how_a_table_is_collected_by_itself_is_told_and_kept(atoll: Atoll, sources: Sources, folder: Path) -> None:
    moment = SchemaColumn("at", "timestamptz", True, "at", "timestamp with time zone")
    sources.tables["ops"]["public.told"] = Schema((SchemaColumn("id", "int", False, "id", "integer"), moment))
    shown = atoll("discover", "ops", "--tables", "public.told").stdout
    merged = "MERGE, unless a statement says otherwise; MERGE is ON (id); CURSOR is at"
    assert f"  = public.told: {merged}; a batch reads what is new; deletes are told by gone" in shown
    sources.tables["ops"]["public.untold"] = sources.tables["ops"]["public.told"]
    assert f"  = public.untold: {merged}; deletes are not seen" in atoll("discover", "ops", "--tables", "public.untold").stdout
    atoll("discover", "ops", "--tables", "public.flights")
    kept = ConnectionSchemas.from_json((folder / "schemas" / "ops.json").read_text())
    assert kept.defaults["public.told"] == TableDefaults(("id",), "at", Mode.MERGE, *SEEN["public.told"])
    answer = json.loads(atoll("discover", "ops", "--tables", "public.told", "--json").stdout)
    expected = {"key": ["id"], "cursor": "at", "mode": "MERGE", "deletes": "by gone", "reads": "what is new"}
    assert answer["connections"][0]["defaults"] == {"public.told": expected}
    head = "CREATE WAREHOUSE lake USING iceberg;\nCREATE CONNECTION ops TO postgres WITH (secret = 'ops');\n"
    (folder / "program.sql").write_text(f"{head}INSERT INTO lake.ops FROM ops.public TABLES (told) EVERY '1 hour';")
    explained = json.loads(atoll("explain", "lake.ops.told", "--json").stdout)
    assert (explained["mode"], explained["key"], explained["cursor"]) == ("MERGE", ["id"], "at")


def test_what_a_cursor_would_not_see_is_told_and_kept_for_check(atoll: Atoll, sources: Sources, folder: Path) -> None:
    at = SchemaColumn("at", "timestamp", True, "at", "timestamp without time zone")
    sources.tables["ops"]["public.local"] = Schema((SchemaColumn("id", "int", False, "id", "integer"), at))
    shown = atoll("discover", "ops", "--tables", "public.local")
    assert "  ! public.local: at has no zone" in shown.stderr and shown.exit_code == 0
    atoll("discover", "ops")
    file = folder / "schemas" / "ops.json"
    kept = ConnectionSchemas.from_json(file.read_text())
    assert list(kept.notes) == ["public.local"] and kept.to_json() == file.read_text()
    by_cursor = "INSERT INTO lake.ops.local EVERY '1 hour' MERGE ON (id) CURSOR at AS SELECT id, at FROM ops.public.local;"
    whole = "INSERT INTO lake.ops.whole EVERY '1 hour' REPLACE AS SELECT id, at FROM ops.public.local;"
    head = "CREATE WAREHOUSE lake USING iceberg;\nCREATE CONNECTION ops TO postgres WITH (secret = 'ops');\n"
    program = folder / "program.sql"
    program.write_text(head + by_cursor + whole)
    told = atoll("check").stdout
    assert told.count("Note: ") == 1 and "Note: program.sql:3:13: lake.ops.local, of public.local: at has no zone" in told
    program.write_text(head + by_cursor.replace("SELECT id, at", "SELECT id, at AT TIME ZONE 'Asia/Kolkata' AS at"))
    assert "Note" not in atoll("check").stdout
    program.write_text(head + by_cursor.replace("CURSOR at", "CAPTURE"))
    told = atoll("check").stdout
    assert told.count("Note: ") == 1 and "lake.ops.local, of public.local: its server keeps any amount of log" in told
