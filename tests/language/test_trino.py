"""What is Trino's alone among dialects that are typed by lists: the rest is in `test_listed`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from language import ProgramErrors, compile_with_positions
from language.cache.statements import Memo
from language.dialects.trino.rules import RULES
from language.sql.listed.signatures import UNTOLD
from shared_metadata.contract.declaration import Slice
from shared_metadata.program.source_schemas import ConnectionSchemas
from shared_metadata.program.type_names import TypeName

HERE = Path(__file__).parent / "typed"


def test_what_a_function_gives_may_be_unknown_for_some_arguments_alone() -> None:
    assert RULES.functions.result("sign", [TypeName("decimal", sizes=(5, 1))]) == UNTOLD


def test_a_program_is_the_same_out_of_what_the_memo_knows(slices: Mapping[str, Slice]) -> None:
    schemas = {"ops": ConnectionSchemas.from_json((HERE / "schemas" / "ops.json").read_text())}
    sources, memo = {"trino.sql": (HERE / "trino.sql").read_text()}, Memo()
    first = compile_with_positions(sources, slices, schemas, memo)
    again = compile_with_positions(sources, slices, schemas, Memo(memo.to_bytes()))
    assert again.program == first.program and any(flow.places for flow in again.program.flows.values())


def test_without_snapshots_a_misspelled_function_is_told(slices: Mapping[str, Slice]) -> None:
    text = "CREATE WAREHOUSE far USING remote;CREATE MATERIALIZED VIEW far.v.a EVERY '1 hour' REPLACE AS SELECT lwer('x') AS x;"
    with pytest.raises(ProgramErrors, match="Trino has no function `lwer`"):
        compile_with_positions({"p.sql": text}, slices)


@pytest.mark.parametrize("word", ["lake", "far"])
def test_what_is_published_is_read_in_the_dialect_of_the_warehouse_that_it_reads(word: str, slices: Mapping[str, Slice]) -> None:
    """Also where another one's name stands before it, in a comment."""
    text = f"""CREATE WAREHOUSE lake USING iceberg; CREATE WAREHOUSE far USING remote;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO {word}.ops.t EVERY '1 day' REPLACE AS SELECT id FROM ops.public.t;
INSERT INTO ops.public.out EVERY '1 day' REPLACE AS SELECT /* not lake.x or far.x */ id FROM {word}.ops.t;"""
    found = compile_with_positions({"p.sql": text}, slices).resolved.statements[-1]
    assert found.query is not None and found.query.dialect == {"lake": "duckdb", "far": "trino"}[word]
