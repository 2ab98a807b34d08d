"""A word of SQL as a column's name: `check` refuses it at the word with quotes as the remedy, in every statement."""

from __future__ import annotations

import duckdb
import pytest

from language import ProgramErrors, compile_program
from language.dialects.postgres.catalogue import reserved
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import ConnectionSchemas
from slices.registry import installed
from tests.conformance.organize import quoted

HEAD = """CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops.t EVERY '1 hour' REPLACE AS SELECT * FROM ops.public.t;
"""
VIEW = "CREATE MATERIALIZED VIEW lake.v.a EVERY '1 hour' REPLACE"
FORMS = {
    "an item": VIEW + " AS SELECT id, {} AS last FROM lake.ops.t;",
    "within an aggregate": VIEW + " AS SELECT id, max({}) AS last FROM lake.ops.t GROUP BY id;",
    "in WHERE": VIEW + " AS SELECT id FROM lake.ops.t WHERE {} > 'a';",
    "in EXPECT": VIEW + " EXPECT e: ({} > 'a') OR FAIL AS SELECT * FROM lake.ops.t;",
    "published": "INSERT INTO ops.public.out EVERY '1 hour' MERGE ON (id) AS SELECT id, max({}) AS last FROM lake.ops.t GROUP BY id;",
    "collected": "INSERT INTO lake.c.t EVERY '1 hour' REPLACE AS SELECT id, {} AS last FROM ops.public.t;",
}
VALUES = {"false", "null", "true"}
OTHERWISE = {"default", "select"}  # which begin something else, and are told as that
WORDS = [
    str(word)
    for (word,) in duckdb.execute(
        "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved' ORDER BY 1"
    ).fetchall()
]


def schema(**columns: str) -> Schema:
    kinds = {"long": "bigint", "string": "text"}
    return Schema(tuple(SchemaColumn(name, kind, source=name, source_type=kinds[kind]) for name, kind in columns.items()))


def mistakes(form: str, word: str, written: str) -> list[tuple[str, str]]:
    """The words at each mistake's place, and its remedy."""
    tables = {"public.t": schema(**{"id": "long", word: "string"}), "public.out": schema(id="long", last="string")}
    text = HEAD + FORMS[form].format(written)
    try:
        compile_program({"p.sql": text}, installed(), {"ops": ConnectionSchemas("ops", "postgres", tables)})
    except ProgramErrors as errors:
        lines = text.splitlines()
        return [(lines[d.line - 1][d.column - 1 : d.column - 1 + d.length], d.remedy) for d in errors.diagnostics]
    return []


def taken(form: str, word: str) -> bool:
    """Whether the engine of the statement reads the word as a column, or as a value of its own, where it stands."""
    if form == "collected":
        return word not in reserved() or word in VALUES
    with duckdb.connect() as connection:
        connection.execute(f'CREATE TABLE t (id BIGINT, "{word}" VARCHAR)')
        try:
            connection.sql(f"SELECT id, {word} AS last FROM t")
        except duckdb.Error:
            return False
        return True


@pytest.mark.sampled(6)
@pytest.mark.parametrize("form", FORMS)
def test_a_word_that_the_engine_takes_for_no_name_is_told_at_its_place_with_quotes(form: str) -> None:
    refused = [word for word in WORDS if word not in OTHERWISE and not taken(form, word)]
    assert len(refused) > 50
    told = {word: [(at, quoted(word) in remedy) for at, remedy in mistakes(form, word, word)] for word in refused}
    assert told == {word: [(word, True)] for word in refused}
    assert [word for word in refused if mistakes(form, word, quoted(word))] == []
