"""What SQL takes and no engine gives a meaning is refused at its place; what only looks like it is not."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from language import ProgramErrors, compile_program
from shared_metadata.contract.declaration import Slice
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import ConnectionSchemas
from slices.registry import installed

_HEAD = """CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
CREATE CONNECTION crm TO salesforce WITH (secret = 'crm');
INSERT INTO lake.ops.t EVERY '1 hour' MERGE ON (id) AS SELECT id, a, b FROM ops.public.t;
"""
VIEW = "CREATE MATERIALIZED VIEW lake.ops.v EVERY '1 hour' REPLACE {}AS SELECT id, a FROM lake.ops.t"
COLLECTED = "INSERT INTO lake.ops.w EVERY '1 hour' REPLACE AS SELECT id FROM ops.public.t WHERE {}"
REFUSED = {
    "a = NULL": "write IS NULL",
    "a == null": "write IS NULL",
    "a <> NULL": "write IS NOT NULL",
    "a != NULL::int": "write IS NOT NULL",
    "NULL = a": "write IS NULL",
    "NOT (a = NULL)": "write IS NULL",
    "a > NULL": "leave it out, or compare with a value",
    "a IN (1, NULL)": "leave it out; rows without a value are found by IS NULL",
    "a NOT IN (NULL, 1)": "leave it out; rows without a value are found by IS NULL",
    "CASE a WHEN NULL THEN true ELSE false END": "write WHEN … IS NULL",
}
TAKEN = [
    "a IS NULL",
    "(a IS NULL) = (id IS NULL)",
    "a IS NULL = (id > 3)",
    "a IS NOT NULL = true",
    "a IS NOT DISTINCT FROM NULL",
    "b = '= NULL'",
    "a = 1 /* = NULL */",
    "coalesce(a, NULL) = 1",
    "a IN (1, coalesce(NULL, 2))",
    "CASE WHEN a = 1 THEN NULL ELSE true END",
    '"null" = a',
]


def problems(statement: str, slices: Mapping[str, Slice]) -> list[tuple[str, str, str]]:
    """The words at each mistake's place, its cause and its remedy."""
    text = f"{_HEAD}{statement};\n"
    try:
        compile_program({"program.sql": text}, slices)
    except ProgramErrors as errors:
        lines = text.splitlines()
        return [(lines[d.line - 1][d.column - 1 :][: d.length], d.cause, d.remedy) for d in errors.diagnostics]
    return []


def with_expectation(predicate: str) -> str:
    return VIEW.format(f"EXPECT good: ({predicate}) OR FAIL ")


@pytest.mark.parametrize("condition", REFUSED)
def test_a_comparison_with_null_is_refused_wherever_it_stands(condition: str, slices: Mapping[str, Slice]) -> None:
    for statement in (f"{VIEW.format('')} WHERE {condition}", with_expectation(condition), COLLECTED.format(condition)):
        ((words, _, remedy),) = problems(statement, slices)
        assert words in condition and "null" in words.lower() and remedy == REFUSED[condition], statement


@pytest.mark.parametrize("condition", TAKEN)
def test_what_only_looks_like_one_is_taken(condition: str, slices: Mapping[str, Slice]) -> None:
    for statement in (f"{VIEW.format('')} WHERE {condition}", COLLECTED.format(condition)):
        assert [found for found in problems(statement, slices) if "NULL" in found[1]] == [], statement


def test_salesforce_compares_with_null_so(slices: Mapping[str, Slice]) -> None:
    assert problems("INSERT INTO lake.crm.c EVERY '1 hour' REPLACE AS SELECT Id FROM crm.Contact WHERE Name != null", slices) == []


def test_final_is_no_other_name_of_a_table(slices: Mapping[str, Slice]) -> None:
    ((words, cause, remedy),) = problems(f"{VIEW.format('')} FINAL WHERE a > 1", slices)
    assert (words, remedy) == ("FINAL", "leave it out: a table by MERGE has one row of each key") and "another name" in cause
    assert problems(f"{VIEW.format('')} AS final", slices) == []
    assert problems(f"{VIEW.format('')} final WHERE final.a > 1", slices) == []


def test_what_is_said_in_vain_hides_no_mistake_of_its_readers() -> None:
    columns = Schema(tuple(SchemaColumn(name, "int", source=name, source_type="integer") for name in ["id", "a", "b"]))
    schemas = {"ops": ConnectionSchemas("ops", "postgres", {"public.t": columns})}
    reader = "CREATE MATERIALIZED VIEW lake.v.r EVERY '1 hour' REPLACE AS SELECT nope FROM"
    for statement in (COLLECTED.format("a = NULL"), f"{VIEW.format('')} WHERE a = NULL"):
        dataset = statement.split(" EVERY")[0].split()[-1]
        text = f"{_HEAD.replace(' MERGE ON (id)', '')}{statement};\n{reader} {dataset};"
        with pytest.raises(ProgramErrors) as caught:
            compile_program({"program.sql": text}, installed(), schemas)
        assert [d.cause for d in caught.value.diagnostics][1:] == ["there is no column `nope` here"], statement
