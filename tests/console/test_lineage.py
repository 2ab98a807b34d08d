"""`atoll lineage` and `atoll explain`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from console.init import PROGRAM
from tests.console.conftest import write_snapshot

Atoll = Callable[..., Result]


@pytest.fixture
def project(folder: Path) -> Path:
    (folder / "program.sql").write_text(PROGRAM)
    write_snapshot(folder)
    return folder


def ends(edges: list[dict[str, str]], end: str) -> set[str]:
    return {".".join(filter(None, (edge[end], edge.get(f"{end}_column", "")))) for edge in edges}


def test_a_column_is_followed_from_the_source_to_what_is_published(atoll: Atoll, project: Path) -> None:
    found = json.loads(atoll("lineage", "lake.ops.customers.amount", "--up", "--down", "--json").stdout)
    assert found["target"] == [{"dataset": "lake.ops.customers", "column": "amount", "type": "decimal(38,2)"}]
    assert {"lake.ops.orders.amount", "ops.public.orders.amount", "lake.ops.orders.customer"} <= ends(found["up"], "from")
    assert ends(found["down"], "to") == {"ops.public.customer_totals.amount"}
    grouped = next(e for e in found["up"] if e["use"] == "group")
    assert grouped["from_column"] == "customer" and "to_column" not in grouped and grouped["position"].startswith("program.sql:")


def test_one_direction_alone(atoll: Atoll, project: Path) -> None:
    assert set(json.loads(atoll("lineage", "lake.ops.orders.id", "--up", "--json").stdout)) == {"target", "up"}
    assert set(json.loads(atoll("lineage", "lake.ops.orders.id", "--down", "--json").stdout)) == {"target", "down"}


def test_depth_ends_the_way(atoll: Atoll, project: Path) -> None:
    near = json.loads(atoll("lineage", "ops.public.customer_totals.amount", "--up", "--depth", "1", "--json").stdout)
    assert all(edge["to"] == "ops.public.customer_totals" for edge in near["up"])


def test_a_dataset_is_all_its_columns_and_a_source_is_named_as_there(atoll: Atoll, project: Path) -> None:
    assert len(json.loads(atoll("lineage", "lake.ops.customers", "--json").stdout)["target"]) == 3
    shown = atoll("lineage", "OPS.public.orders.customer", "--down").stdout
    assert "ops.public.orders.customer text" in shown
    assert "lake.ops.orders.customer string" in shown and "ops.public.customer_totals.customer string" in shown
    assert "rows of lake.ops.customers (expect, group)" in shown


def test_what_is_not_there_is_told_with_what_was_meant(atoll: Atoll, project: Path) -> None:
    wrong = atoll("lineage", "lake.ops.costumers")
    assert wrong.exit_code == 1 and "did you mean `lake.ops.customers`?" in wrong.stderr
    wrong = atoll("lineage", "lake.ops.customers.amont")
    assert wrong.exit_code == 1 and "did you mean `amount`?" in wrong.stderr and "it has customer, orders, amount" in wrong.stderr


def test_the_active_program_may_be_another(atoll: Atoll, ready: Any, folder: Path) -> None:
    assert atoll("apply").exit_code == 0
    (folder / "program.sql").write_text(PROGRAM.replace("sum(amount) AS amount", "sum(amount) AS total, max(id) AS amount"))
    here = json.loads(atoll("lineage", "lake.ops.customers.amount", "--up", "--depth", "1", "--json").stdout)
    applied = json.loads(atoll("lineage", "lake.ops.customers.amount", "--up", "--depth", "1", "--active", "--json").stdout)
    assert "lake.ops.orders.id" in ends(here["up"], "from") and "lake.ops.orders.id" not in ends(applied["up"], "from")


def test_explain_shows_what_will_run(atoll: Atoll, project: Path) -> None:
    text = PROGRAM.replace("SELECT customer, orders, amount FROM lake.ops.customers", "SELECT * FROM lake.ops.customers")
    (project / "program.sql").write_text(text)
    found = json.loads(atoll("explain", "ops.public.customer_totals", "--json").stdout)
    assert "FROM (SELECT customer, orders, amount FROM lake.ops.customers) AS customers" in found["query"]
    assert found["slices"] == ["harness.postgres", "organize.iceberg"] and found["key"] == ["customer"]
    view = json.loads(atoll("explain", "lake.ops.customers", "--json").stdout)
    assert view["inputs"] == {"lake.ops.orders": {"amount": ["value"], "customer": ["expect", "group", "value"]}}
    assert view["read_by"] == ["ops.public.customer_totals"]
    collected = json.loads(atoll("explain", "lake.ops.orders", "--json").stdout)
    assert collected["source"] == "ops.public.orders" and collected["slices"] == ["collect.postgres", "organize.iceberg"]


def test_explain_reads_well(atoll: Atoll, project: Path) -> None:
    shown = atoll("explain", "lake.ops.customers").stdout
    assert "lake.ops.customers  view, program.sql:" in shown and "every 15 minutes, REPLACE, run by organize.iceberg" in shown
    assert "  missed batches are made as one\n" in shown
    assert "expects has_customer: customer IS NOT NULL or warn" in shown and "read by ops.public.customer_totals" in shown


def test_explain_tells_every_clause_in_words(atoll: Atoll, project: Path) -> None:
    clauses = "EVERY '15 minutes' REPLACE PARTITION BY (customer) FRESH WITHIN '2 hours' TOLERATE lake.ops.orders STALE '1 day'"
    more = f"CREATE MATERIALIZED VIEW lake.ops.more {clauses} AS SELECT customer FROM lake.ops.orders;\n"
    (project / "program.sql").write_text(PROGRAM + more)
    shown = atoll("explain", "lake.ops.more").stdout
    assert "  partitioned by customer\n  to be fresh within 2 hours\n" in shown
    assert "  reads lake.ops.orders as it is, if that lags no more than 1 day\n" in shown
    collected = atoll("explain", "lake.ops.orders").stdout
    assert "  collects ops.public.orders" in collected


def test_explain_names_what_it_does_not_know(atoll: Atoll, project: Path) -> None:
    wrong = atoll("explain", "lake.ops.customer")
    assert wrong.exit_code == 1 and "did you mean `lake.ops.customers`?" in wrong.stderr


def test_what_is_masked_and_what_is_made_from_it_says_so(atoll: Atoll, project: Path) -> None:
    program = project / "program.sql"
    text = program.read_text().replace("USING iceberg;", "USING iceberg WITH (mask_key = 'mask');")
    program.write_text(text.replace("CURSOR updated_at\n", "CURSOR updated_at MASK (customer HASH)\n"))
    shown = atoll("lineage", "lake.ops.orders.customer", "--down").stdout
    assert "lake.ops.orders.customer string  masked: hash" in shown
    assert "ops.public.customer_totals.customer string  from masked lake.ops.orders.customer" in shown
    (found,) = json.loads(atoll("lineage", "lake.ops.orders.customer", "--up", "--json").stdout)["target"]
    assert found["masked"] == "hash" and "masked_from" not in found
    (published,) = json.loads(atoll("lineage", "ops.public.customer_totals.customer", "--up", "--json").stdout)["target"]
    assert published["masked_from"] == ["lake.ops.orders.customer"] and "masked" not in published
    assert "customer" in atoll("explain", "lake.ops.orders").stdout and "(masked: hash)" in atoll("explain", "lake.ops.orders").stdout


FIELDS = """
CREATE WAREHOUSE lake USING iceberg WITH (mask_key = 'mask');
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops.people EVERY '1 hour' MASK (who.email HASH, who.address.street DROP)
AS SELECT id, CAST(customer AS "struct<email: string, address: struct<street: string, city: string>>") AS who FROM ops.public.orders;
"""


def test_which_field_is_masked_is_said_of_its_column(atoll: Atoll, project: Path) -> None:
    snapshot = project / "schemas" / "ops.json"
    snapshot.write_text(snapshot.read_text().replace('"source_type": "text"', '"source_type": "jsonb"'))
    (project / "program.sql").write_text(FIELDS)
    shown = atoll("lineage", "lake.ops.people.who", "--up").stdout
    assert "lake.ops.people.who struct<email: string, address: struct<city: string>>  masked: email hash" in shown
    (found,) = json.loads(atoll("lineage", "lake.ops.people.who", "--up", "--json").stdout)["target"]
    assert found["masked"] == "email hash"
    assert "(masked: email hash)" in atoll("explain", "lake.ops.people").stdout


READERS = """CREATE MATERIALIZED VIEW lake.ops.cities EVERY '1 hour' REPLACE
AS SELECT id, who.address.city AS city FROM lake.ops.people;
CREATE MATERIALIZED VIEW lake.ops.emails EVERY '1 hour' REPLACE
AS SELECT who.email AS email FROM lake.ops.people WHERE who.email > '';
CREATE MATERIALIZED VIEW lake.ops.wholes EVERY '1 hour' REPLACE AS SELECT who FROM lake.ops.people;
"""


def test_a_field_is_followed_up_and_down(atoll: Atoll, project: Path) -> None:
    snapshot = project / "schemas" / "ops.json"
    snapshot.write_text(snapshot.read_text().replace('"source_type": "text"', '"source_type": "jsonb"'))
    (project / "program.sql").write_text(FIELDS + READERS)
    found = json.loads(atoll("lineage", "lake.ops.people.WHO.Address.city", "--json").stdout)
    assert found["target"] == [{"dataset": "lake.ops.people", "column": "who", "field": "address.city", "type": "string"}]
    assert ends(found["up"], "from") == {"ops.public.orders.customer"}
    assert ends(found["down"], "to") == {"lake.ops.cities.city", "lake.ops.wholes.who"}
    assert {edge.get("from_field") for edge in found["down"]} == {"address.city", None}
    whole = json.loads(atoll("lineage", "lake.ops.people.who", "--down", "--json").stdout)
    assert ends(whole["down"], "to") == {*ends(found["down"], "to"), "lake.ops.emails.email", "lake.ops.emails"}
    shown = atoll("lineage", "lake.ops.emails.email", "--up").stdout
    assert "lake.ops.people.who.email string  masked: hash" in shown and "rows by lake.ops.people.who.email (filter)" in shown
    city = atoll("lineage", "lake.ops.cities.city", "--up").stdout
    assert "from masked" not in city and "lake.ops.people.who.address.city string" in city
    wrong = atoll("lineage", "lake.ops.people.who.address.town")
    assert wrong.exit_code == 1 and "`lake.ops.people.who` has no field `address.town`" in wrong.stderr
    assert "it has email, address, address.city" in wrong.stderr
