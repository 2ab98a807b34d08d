"""A publication's columns are held against the table's own words for its types, by what its slice says of them."""

from __future__ import annotations

import pytest

from language.sql.typing import QueryColumn
from language.typed.published import check_target
from shared_metadata.program.schema import Schema, SchemaColumn
from slices.registry import installed

# slice ▸ (the values' type, the column's type in a warehouse, the table's own word for it, what is said; '' where it is taken)
TOLD = [
    ("harness.postgres", "double", "int", "integer", "takes no double"),
    ("harness.postgres", "decimal(10,4)", "int", "integer", "takes no decimal"),
    ("harness.postgres", "decimal(10,0)", "int", "integer", ""),
    ("harness.postgres", "timestamptz", "date", "date", "takes no timestamptz"),
    ("harness.postgres", "decimal(10,4)", "decimal(6,2)", "numeric(6,2)", "would round"),
    ("harness.postgres", "decimal(5,2)", "decimal(6,2)", "numeric(6,2)", ""),
    ("harness.postgres", "string", "string", "tstzrange", "moment of publishing"),
    ("harness.postgres", "string", "string", "time with time zone", "moment of publishing"),
    ("harness.postgres", "list<string>", "string", "date[]", "moment of publishing"),
    ("harness.postgres", "string", "string", "name", "beginning of a longer text"),
    ("harness.postgres", "string", "string", '"char"', "beginning of a longer text"),
    ("harness.postgres", "string", "string", "interval day", "would round"),
    ("harness.postgres", "string", "string", "interval", ""),
    ("harness.postgres", "string", "string", "character varying(80)", ""),
    ("harness.postgres", "string", "string", "mood", ""),
    ("harness.postgres", "long", "double", "double precision", ""),
    ("harness.mysql", "double", "int", "int(11)", "takes no double"),
    ("harness.mysql", "decimal(10,4)", "decimal(9,2)", "decimal(9,2)", "takes no decimal"),
    ("harness.mysql", "timestamptz", "date", "date", "takes no timestamptz"),
    ("harness.mysql", "timestamp", "timestamp", "datetime(3)", ""),
    ("harness.mysql", "string", "string", "enum('a','b')", ""),
    ("harness.mysql", "int", "int", "int(10) unsigned", ""),
    ("harness.dynamodb", "long", "string", "S", "a part of its key that is a text"),
    ("harness.dynamodb", "timestamptz", "string", "S", ""),
    ("harness.dynamodb", "decimal(38,9)", "decimal(38,0)", "N", ""),
]


@pytest.mark.parametrize(("slice_id", "ours", "theirs", "word", "said"), TOLD)
def test_check_refuses_what_every_batch_would(slice_id: str, ours: str, theirs: str, word: str, said: str) -> None:
    columns = (QueryColumn("x", ours, (), 0, 1),)
    schema = Schema((SchemaColumn("x", theirs, source="x", source_type=word),))
    causes = [problem.cause for problem in check_target(columns, "ops.public.t", schema, installed()[slice_id])]
    assert [said in cause for cause in causes] == ([True] if said else []), causes


@pytest.mark.parametrize("slice_id", ["harness.postgres", "harness.dynamodb"])
def test_a_column_that_a_table_has_not_is_refused_unless_it_takes_any(slice_id: str) -> None:
    columns = (QueryColumn("x", "string", (), 0, 1), QueryColumn("more", "struct<a: int>", (), 2, 3))
    schema, declared = Schema((SchemaColumn("x", "string", source="x", source_type=""),)), installed()[slice_id]
    causes = [problem.cause for problem in check_target(columns, "ops.public.t", schema, declared)]
    assert causes == ([] if declared.capabilities.open_columns else ["the table `ops.public.t` has no column `more`"])
