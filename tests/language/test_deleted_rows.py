"""A query sees what is marked `_deleted` of those inputs only whose mark it names, in whatever place."""

from __future__ import annotations

from pathlib import Path

import pytest

from language.compiler import compile_sources
from shared_metadata.program.source_schemas import ConnectionSchemas
from slices.registry import installed

AIRLINE = Path(__file__).parents[2] / "examples" / "airline"
SCHEMAS = {name: ConnectionSchemas.from_json((AIRLINE / "schemas" / f"{name}.json").read_text()) for name in ("crm", "ops")}
ACCOUNT, OPPORTUNITY = "lake.crm.account", "lake.crm.opportunity"
NAMED = {
    f"SELECT count(*) AS n FROM {ACCOUNT}": (),
    f"SELECT * FROM {ACCOUNT}": (),
    f"SELECT n FROM (SELECT * FROM {ACCOUNT}) AS a (n)": (),
    f"SELECT count(*) AS n FROM {ACCOUNT} WHERE NOT _deleted": (ACCOUNT,),
    f"SELECT id, _Deleted FROM {ACCOUNT}": (ACCOUNT,),
    f"SELECT count(*) FILTER (WHERE _deleted) AS n FROM {ACCOUNT}": (ACCOUNT,),
    f"SELECT a.id FROM {ACCOUNT} AS a JOIN {OPPORTUNITY} AS o ON o.accountid = a.id AND NOT o._deleted": (OPPORTUNITY,),
    f"SELECT a.id FROM {ACCOUNT} AS a JOIN {OPPORTUNITY} AS o ON o.accountid = a.id AND o._deleted = a._deleted": (
        ACCOUNT,
        OPPORTUNITY,
    ),
    f"WITH a AS (SELECT id, _deleted AS gone FROM {ACCOUNT}) SELECT id FROM a WHERE gone": (ACCOUNT,),
}


@pytest.mark.parametrize("query", NAMED)
def test_marked_rows_are_seen_where_the_mark_is_named(query: str) -> None:
    text = (AIRLINE / "program.sql").read_text() + f"\nCREATE MATERIALIZED VIEW lake.crm.seen EVERY '1 minute' REPLACE AS {query};"
    program = compile_sources({"program.sql": text}, installed(), SCHEMAS).program
    assert program.flows["lake.crm.seen"].sees_deleted == NAMED[query]


def test_statements_whose_where_lets_rows_go_have_the_mark() -> None:
    text = (AIRLINE / "program.sql").read_text()
    for where, marked in (("", False), ("\nWHERE dep_delay > 0", True)):
        changed = text.replace("FROM ops.public.flights;", f"FROM ops.public.flights{where};")
        compiled = compile_sources({"program.sql": changed}, installed(), SCHEMAS)
        assert compiled.lineage is not None
        columns = [column.name for column in compiled.lineage.datasets["lake.ops.flights"].columns]
        assert ("_deleted" in columns) is marked
        assert compiled.program.flows["lake.ops.flights"].reports_left is marked
