"""Every type of PostgreSQL's catalogue: what a text becomes there by the clock, or loses, is refused; and what would round."""

from __future__ import annotations

from contextlib import closing

import pytest

from shared_metadata.errors import DefinitionError
from slices.harness.postgres.catalog import read_table
from slices.harness.postgres.fitting import BY_THE_CLOCK, CUT, ROUNDS, fits
from slices.harness.postgres.logic import PostgresTypes
from slices.harness.postgres.tests.database import Database
from slices.harness.postgres.tests.direct import Direct
from systems.sql_target.table import TargetColumn, matched

WORDS = ("now", "today", "tomorrow", "yesterday", "12:00 America/New_York")
FORMS = ("{}", "[{},)", "{{[{},)}}", "{{{}}}", '{{"[{},)"}}', '{{"{{[{},)}}"}}', "({},)", "({},1)", "({{{}}})")
LONG = "x" * 100
SHOWN_OTHERWISE = {"bytea", "bytea[]"}  # which keep the bytes
_TYPES = """SELECT CASE typname WHEN 'bpchar' THEN 'bpchar' WHEN '_bpchar' THEN 'bpchar[]' ELSE t.oid::regtype::text END AS oid
FROM pg_catalog.pg_type t WHERE typnamespace = 'pg_catalog'::regnamespace
AND typtype IN ('b', 'r', 'm') AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_type e
WHERE e.oid = t.typelem AND e.typtype IN ('p', 'c')) ORDER BY 1"""
_TRIED = """CREATE FUNCTION tried(kind text, value text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE found text; BEGIN
EXECUTE format('SELECT (%L::%s)::text', value, kind) INTO found; RETURN found; EXCEPTION WHEN OTHERS THEN RETURN NULL; END $$"""
MADE = """CREATE DOMAIN day AS date; CREATE DOMAIN later AS day; CREATE TYPE pair AS (d later, n int); CREATE DOMAIN word AS name;
CREATE TYPE spoken AS (w word[]); CREATE TYPE span AS RANGE (subtype = time); CREATE DOMAIN price AS numeric(6,2);
CREATE DOMAIN dear AS price;
CREATE DOMAIN prices AS numeric(6,2)[]"""


def columns_of(target: Database, kinds: list[str]) -> dict[str, TargetColumn]:
    """Type ▸ a column of it, as the catalog has it."""
    listed = ", ".join(f"c{number} {kind}" for number, kind in enumerate(kinds))
    target.execute(f'CREATE TABLE every ({listed}); ALTER TABLE every OWNER TO "{target.secret["username"]}"')
    with closing(Direct(target, {"id": "string"}, table="every")) as publishing:
        found = read_table(publishing.connection, "public", "every")
    assert found
    return dict(zip(kinds, found.columns, strict=True))


@pytest.mark.budget(60)
def test_a_text_that_any_type_reads_by_the_clock_or_cuts_is_refused_there(target: Database) -> None:
    target.execute(f"{_TRIED}; {MADE}")
    listed = [str(row["oid"]) for row in target.execute(_TYPES)]
    kinds = [*listed, "later", "later[]", "pair", "pair[]", "word", "spoken", "span", "span[]"]
    columns = columns_of(target, kinds)
    texts = [(form.format(word), word) for word in (*WORDS, LONG) for form in FORMS]
    values = ", ".join("('" + text.replace("'", "''") + f"', '{word}')" for text, word in texts)
    asked = ", ".join("('" + kind.replace("'", "''") + "')" for kind in kinds)
    rows = target.execute(
        f"SELECT kind, word, tried(kind, text) AS said FROM (VALUES {asked}) k (kind), (VALUES {values}) v (text, word)"
    )
    changed = {(row["kind"], row["word"]) for row in rows if row["said"] is not None and row["word"].split()[-1] not in row["said"]}
    clocked, cut = {kind for kind, word in changed if word != LONG}, {kind for kind, word in changed if word == LONG}
    assert {"date", "tstzrange", "tstzmultirange", "date[]", "pair", "span", "time with time zone"} <= clocked
    assert {"name", '"char"', "name[]", "spoken"} <= cut
    wrong = set()
    for kind in (clocked | cut) - SHOWN_OTHERWISE:
        ours = "list<string>" if columns[kind].base.startswith("_") else "string"
        told = {PostgresTypes().misfit(columns[kind], ours)} | ({fits(kind, ours)} if kind in listed else set())
        wrong |= {(kind, why) for why in told if why not in (BY_THE_CLOCK, CUT)}
    assert not wrong
    taken = {"text", "character varying", "numeric", "jsonb", "inet", "int4range", "uuid", "interval", "bigint", "point", "xml"}
    assert {kind for kind in taken if PostgresTypes().misfit(columns[kind], "string")} == set()


ROUNDED = {  # type of the column ▸ types of values that it would round, and such that it takes
    "numeric(6,2)": (["decimal(10,4)", "double", "float", "string"], ["decimal(9,2)", "decimal(4,1)", "int", "long"]),
    "numeric(6)": (["decimal(9,2)"], ["int"]),
    "price": (["decimal(10,4)", "double", "string"], ["decimal(9,2)"]),
    "dear": (["decimal(10,4)", "double", "string"], ["decimal(9,2)"]),
    "numeric(6,2)[]": (["list<decimal(10,4)>", "list<double>"], ["list<decimal(9,2)>", "list<int>"]),
    "prices": (["list<decimal(10,4)>"], ["list<decimal(9,2)>"]),
    "money": (["decimal(10,4)", "string"], ["decimal(9,2)", "int"]),
    "interval day": (["string", "time"], []),
    "interval(0)": (["string", "time"], []),
    "interval": ([], ["string", "time"]),
    "numeric": ([], ["decimal(38,10)", "double", "string"]),
}


def test_what_a_column_would_round_is_refused_by_name(target: Database) -> None:
    target.execute(MADE)
    columns = columns_of(target, list(ROUNDED))
    for kind, (refused, taken) in ROUNDED.items():
        for ours in refused:
            assert PostgresTypes().misfit(columns[kind], ours) == ROUNDS, (kind, ours)
        for ours in taken:
            assert not PostgresTypes().misfit(columns[kind], ours), (kind, ours)


def test_the_first_batch_names_the_column_and_what_it_would_do(target: Database) -> None:
    target.execute("CREATE TABLE scorecard (id text PRIMARY KEY, x tstzrange)")
    target.execute(f'ALTER TABLE scorecard OWNER TO "{target.secret["username"]}"')
    with closing(Direct(target, {"id": "string", "x": "string"})) as publishing:
        table = read_table(publishing.connection, "public", "scorecard")
        assert table
        shape = [{"name": "id", "type": "string"}, {"name": "x", "type": "string"}]
        with pytest.raises(DefinitionError, match="column x of type tstzrange, in which a text such as 'now'"):
            matched(table, shape, ("id",), "here", PostgresTypes())
