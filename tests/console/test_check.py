"""`atoll check`: mistakes of the program, of its files, and of what its slices accept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from console.init import PROGRAM
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import FOLDER, ConnectionSchemas
from tests.console.conftest import write_snapshot

Atoll = Callable[..., Result]
PRODUCT = """
CREATE CONNECTION product TO dynamodb WITH (tables = 'customers');
INSERT INTO product.customers EVERY '15 minutes' MERGE ON (customer) AS SELECT customer, orders FROM lake.ops.customers;
"""
OPS = "CREATE WAREHOUSE lake USING iceberg;\nCREATE CONNECTION ops TO postgres WITH (%s);\n"
ORDERS = "INSERT INTO lake.ops FROM ops.public TABLES (orders) EVERY '1 hour';\n"
CRM = "CREATE WAREHOUSE lake USING iceberg;\nCREATE CONNECTION crm TO salesforce WITH (secret = 'crm');\n"


def test_every_mistake_is_shown_with_place_caret_and_help(atoll: Atoll, folder: Path) -> None:
    text = "CREATE WAREHOUSE lake USING icebrg;\nINSERT INTO lake.x FROM nowhere TABLES (a) EVERY 'now';\n"
    (folder / "program.sql").write_text(text)
    result = atoll("check")
    assert result.exit_code == 1 and result.stdout == ""
    assert "program.sql:1:29: " in result.stderr and "program.sql:2:" in result.stderr
    assert "^^^^^^" in result.stderr and "help: " in result.stderr and "2 errors" in result.stderr


def test_mistakes_in_json_have_places(atoll: Atoll, folder: Path) -> None:
    (folder / "program.sql").write_text("CREATE WAREHOUSE lake USING icebrg;\n")
    result = atoll("check", "--json")
    [found] = json.loads(result.stdout)["errors"]
    assert result.exit_code == 1
    assert (found["file"], found["line"], found["column"], found["length"]) == ("program.sql", 1, 29, 6)
    assert found["message"] and "iceberg" in found["help"]


@pytest.mark.parametrize(("key", "kind", "said"), [("customer", "S", ""), ("id", "S", "told apart by id"), ("customer", "N", "as N")])
def test_a_publication_is_held_to_the_key_of_a_table_that_takes_any_other_column(
    atoll: Atoll, folder: Path, key: str, kind: str, said: str
) -> None:
    (folder / "program.sql").write_text(PROGRAM + PRODUCT)
    write_snapshot(folder)
    customers = Schema((SchemaColumn(key, {"S": "string", "N": "decimal(38,0)"}[kind], False, key, kind),))
    schemas = ConnectionSchemas("product", "dynamodb", {"customers": customers})
    (folder / FOLDER / "product.json").write_text(schemas.to_json())
    result = atoll("check")
    assert result.exit_code == (1 if said else 0) and said in result.stderr, result.stderr


def test_json_lists_flows_slices_and_inputs(atoll: Atoll, folder: Path) -> None:
    (folder / "program.sql").write_text(PROGRAM)
    answer = json.loads(atoll("check", "--json").stdout)
    assert answer["slices"] == ["collect.postgres", "harness.postgres", "organize.iceberg"]
    views = {flow["flow"]: flow for flow in answer["flows"]}
    assert views["lake.ops.customers"] == {
        "flow": "lake.ops.customers",
        "kind": "view",
        "slice": "organize.iceberg",
        "inputs": ["lake.ops.orders"],
    }


def test_a_folder_is_one_program(atoll: Atoll, folder: Path) -> None:
    parts = folder / "programs"
    parts.mkdir()
    (parts / "1.sql").write_text(OPS % "secret = 'ops'")
    (parts / "2.sql").write_text(ORDERS)
    (parts / "notes.txt").write_text("not a program")
    assert atoll("check", "programs").exit_code == 0
    assert atoll("check", "programs/1.sql", "programs/2.sql").exit_code == 0
    alone = atoll("check", "programs/2.sql")
    assert alone.exit_code == 1 and "programs/2.sql:1:" in alone.stderr


def test_a_missing_file_is_named(atoll: Atoll) -> None:
    result = atoll("check")
    assert result.exit_code == 1
    assert "there is no file program.sql" in result.stderr and "atoll init" in result.stderr


def test_an_empty_folder_is_named(atoll: Atoll, folder: Path) -> None:
    (folder / "programs").mkdir()
    assert "the folder programs has no *.sql file" in atoll("check", "programs").stderr


def test_a_file_that_is_not_utf8_is_named_with_its_line(atoll: Atoll, folder: Path) -> None:
    (folder / "program.sql").write_bytes(b"-- fine\n-- caf\xe9\n")
    result = atoll("check", "--json")
    [found] = json.loads(result.stdout)["errors"]
    assert result.exit_code == 1
    assert found["message"].startswith("program.sql:2: ") and found["help"] == "save the file as UTF-8"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("secret = 'ops', colour = 'red'", "program.sql:2:57: postgres has no option `colour`"),
        ("secret = 'ops', schema = ''", "the option `schema` takes a text in quotes, and no empty one"),
        ("secret = ''", "the option `secret` takes a text in quotes, and no empty one"),
        ("secret = 7", "the option `secret` takes a text in quotes, and no empty one"),
    ],
)
def test_options_are_held_against_the_slices_models(atoll: Atoll, folder: Path, options: str, said: str) -> None:
    (folder / "program.sql").write_text(OPS % options + ORDERS)
    result = atoll("check")
    assert result.exit_code == 1 and said in result.stderr and "^^^" in result.stderr
    assert "help: " in result.stderr and "secret" in result.stderr


def test_a_required_option_that_is_missing_is_named(atoll: Atoll, folder: Path) -> None:
    (folder / "program.sql").write_text((OPS % "secret = 'ops'").replace(" WITH (secret = 'ops')", "") + ORDERS)
    result = atoll("check")
    assert result.exit_code == 1 and "the option `secret` is missing" in result.stderr


def test_an_option_of_the_other_slice_of_the_system_is_accepted(atoll: Atoll, folder: Path) -> None:
    (folder / "program.sql").write_text(OPS % "secret = 'ops', receipts_schema = 'atoll'" + ORDERS)
    result = atoll("check")
    assert result.exit_code == 0, result.stderr


def test_what_a_source_cannot_do_is_placed_at_the_flow(atoll: Atoll, folder: Path) -> None:
    view = "INSERT INTO lake.crm.account EVERY '1 hour' AS SELECT id, count(*) AS n FROM crm.Account;\n"
    (folder / "program.sql").write_text(CRM + view)
    result = atoll("check")
    assert result.exit_code == 1 and "program.sql:3:" in result.stderr and "help: " in result.stderr


@pytest.mark.parametrize(
    ("clauses", "said"),
    [
        (
            "MERGE ON (id) CURSOR systemmodstamp AS SELECT Id, SystemModstamp FROM crm.Account WHERE Rating__c = 'good'",
            "Rating__c is calc",
        ),
        ("MERGE ON (id) CURSOR due__c AS SELECT Id, Due__c FROM crm.Account", "the cursor Due__c is calculated"),
    ],
)
def test_what_a_snapshot_says_of_a_sources_fields_is_judged_before_any_batch(
    atoll: Atoll, folder: Path, clauses: str, said: str
) -> None:
    fields = {"Id": "id", "SystemModstamp": "datetime", "Rating__c": "calculated string", "Due__c": "calculated datetime"}
    kinds = {"Id": "string", "Rating__c": "string"}
    columns = [
        {"name": name.lower(), "type": kinds.get(name, "timestamptz"), "source": name, "source_type": word}
        for name, word in fields.items()
    ]
    snapshot = {"connection": "crm", "system": "salesforce", "tables": {"Account": {"columns": columns}}}
    (folder / "program.sql").write_text(f"{CRM}INSERT INTO lake.crm.account EVERY '1 hour' {clauses};\n")
    assert atoll("check").exit_code == 0
    (folder / "schemas").mkdir()
    (folder / "schemas" / "crm.json").write_text(json.dumps(snapshot))
    result = atoll("check")
    assert result.exit_code == 1 and said in result.stderr and "program.sql:3:" in result.stderr and "help: " in result.stderr


@pytest.mark.parametrize("kind", ["json", "varchar(10)", "list<json>", "struct<>", ""])
def test_a_type_that_a_snapshot_was_given_by_hand_is_told_where_there_is_none_such(atoll: Atoll, folder: Path, kind: str) -> None:
    columns = [{"name": "id", "type": kind, "source": "id", "source_type": "bigint"}]
    snapshot = {"connection": "ops", "system": "postgres", "tables": {"public.orders": {"columns": columns}}}
    (folder / "program.sql").write_text(OPS % "secret = 'ops'" + ORDERS)
    (folder / "schemas").mkdir()
    (folder / "schemas" / "ops.json").write_text(json.dumps(snapshot))
    result = atoll("check")
    assert result.exit_code == 1 and "schemas/ops.json: this is no snapshot" in result.stderr
    assert "public.orders.id: " in result.stderr and "help: `atoll discover ops`" in result.stderr


def test_check_needs_no_account_and_reads_no_options_of_it(atoll: Atoll) -> None:
    assert "--profile" not in atoll("check", "--help").stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "The program has no statements. Begin with CREATE WAREHOUSE lake USING iceberg;"),
        ("-- nothing yet\n", "The program has no statements."),
        ("CREATE WAREHOUSE lake USING iceberg;\n", "The program collects nothing yet. Write CREATE CONNECTION ops TO"),
        (
            OPS % "secret = 'ops'",
            "The program makes no table yet. Collect what a connection has, as in INSERT INTO lake.ops FROM ops",
        ),
        (OPS.partition("\n")[2] % "secret = 'ops'", "The program has no warehouse, and so makes no table."),
    ],
)
def test_a_program_that_makes_nothing_says_so_with_the_next_step(
    atoll: Atoll, ready: Any, folder: Path, text: str, said: str
) -> None:
    (folder / "program.sql").write_text(text)
    assert atoll("check").stdout.startswith(said)
    for verb in ("plan", "apply"):
        done = atoll(verb)
        assert said in done.stdout, done.output


def test_a_program_that_makes_something_does_not(atoll: Atoll, ready: Any) -> None:
    assert "The program" not in atoll("plan").stdout
