"""Whose fault it is that a table cannot be read is told by the SQLSTATE: a row's, the program's or the source's, or nobody's."""

from __future__ import annotations

from typing import Any

import pytest

from shared_metadata.errors import AtollError, DefinitionError, RowError
from shared_metadata.program import Mode
from slices.collect.postgres.tests.database import Database
from slices.collect.postgres.tests.test_source import collect, refusal, staged
from tests.conformance.collect import Collecting

TABLE = "CREATE TABLE t (id int, at timestamptz); INSERT INTO t VALUES (1, '2020-01-01Z'), (2, '2020-01-01Z');"
SECURED = f"{TABLE} ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
FUNCTION = "CREATE FUNCTION f(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN {} END $$;"
LATER = {"mode": Mode.MERGE, "key": ("id",), "cursor": "at"}
# What is at the source ▸ the error, and words of its cause and remedy; read is the view or table r.
CASES: dict[str, tuple[str, type[AtollError], tuple[str, ...]]] = {
    "a materialized view that is not populated": (
        f"{TABLE} CREATE MATERIALIZED VIEW r AS SELECT * FROM t WITH NO DATA",
        DefinitionError,
        ('materialized view "r" has not been populated', "REFRESH MATERIALIZED VIEW"),
    ),
    "a setting that is missing": (
        f"{TABLE} CREATE VIEW r AS SELECT * FROM t WHERE id::text <> current_setting('app.tenant')",
        DefinitionError,
        ("unrecognized configuration parameter", "ALTER ROLE"),
    ),
    "a function that writes": (
        f"{TABLE} {FUNCTION.format('DELETE FROM t; RETURN 1;')} CREATE VIEW r AS SELECT id, f(id) AS n, at FROM t",
        DefinitionError,
        ("25006", "read-only transaction"),
    ),
    "a subquery of several rows": (
        f"{TABLE} CREATE VIEW r AS SELECT id, (SELECT id FROM t) AS one, at FROM t",
        DefinitionError,
        ("21000", "more than one row"),
    ),
    "a grant below a view": (
        (
            f"{TABLE} {FUNCTION.format('RETURN 1;')} REVOKE ALL ON FUNCTION f FROM PUBLIC;"
            " CREATE VIEW r AS SELECT id, at FROM t WHERE f(id) = 1"
        ),
        DefinitionError,
        ("permission denied for function f", "GRANT"),
    ),
    "a value that cannot be": (f"{TABLE} CREATE VIEW r AS SELECT 1 / (id - 2) AS n, id, at FROM t", RowError, ("division by zero",)),
    "a text that is no number": (
        f"{TABLE} CREATE VIEW r AS SELECT ('secret-' || id)::int AS n, id, at FROM t",
        RowError,
        ("invalid input syntax for type integer",),
    ),
    "a function that refuses a row": (
        f"{TABLE} {FUNCTION.format('RAISE EXCEPTION $a$secret-%$a$, $1;')} CREATE VIEW r AS SELECT f(id) AS n, id, at FROM t",
        RowError,
        ("in words that may quote it",),
    ),
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("flow", [{}, LATER], ids=["whole", "by cursor"])
@pytest.mark.parametrize("what", CASES)
def test_errors_are_told_by_their_kind(collecting: Collecting, database: Database, what: str, flow: dict[str, Any]) -> None:
    setup, kind, words = CASES[what]
    database.run(setup)
    collect(collecting, "public.r", **flow)
    said = refusal(collecting)
    assert said.startswith(f"{kind.__name__}: program.atoll:7:3") and all(word in said for word in words), said
    assert "secret-" not in said and "Remedy:" in said


POLICIES = {
    "no policy": SECURED,
    "a policy for some rows": f"{SECURED} CREATE POLICY p ON t USING (id = 1);",
    "a policy for all rows": f"{SECURED} CREATE POLICY p ON t USING (true);",
    "a view that asks as its reader": f"{SECURED} CREATE VIEW r WITH (security_invoker) AS SELECT * FROM t;",
}


@pytest.mark.parametrize("flow", [{}, LATER], ids=["whole", "by cursor"])
@pytest.mark.parametrize("what", POLICIES)
def test_rows_that_policies_hide_are_an_error_with_the_table_and_the_grant(
    collecting: Collecting, database: Database, what: str, flow: dict[str, Any]
) -> None:
    database.run(POLICIES[what])
    collect(collecting, "public.r" if "VIEW" in POLICIES[what] else "public.t", **flow)
    said = refusal(collecting)
    assert said.startswith("DefinitionError") and 'policy for table "t"' in said and "BYPASSRLS" in said
    assert collecting.cloud.reader.latest_version(collecting.dataset) is None


@pytest.mark.parametrize("remedy", ["BYPASSRLS", "a view of the owner"])
def test_either_remedy_helps(collecting: Collecting, database: Database, remedy: str) -> None:
    database.run(POLICIES["a policy for some rows"])
    view = remedy != "BYPASSRLS"
    database.run("CREATE VIEW r AS SELECT * FROM t WHERE id = 1" if view else f'ALTER ROLE "{database.user}" BYPASSRLS')
    collect(collecting, "public.r" if view else "public.t")
    collecting.run()
    assert [row["id"] for row in staged(collecting)] == ([1] if view else [1, 2])
