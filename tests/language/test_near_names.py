"""A dataset that is not there is told with the one that was meant, however much of its name is written."""

from __future__ import annotations

import pytest

from language import compile_program
from language.text.diagnostics import ProgramErrors
from slices.registry import installed

PROGRAM = """CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.o FROM ops.o TABLES (trades, quotes) EVERY '1 hour';
INSERT INTO lake.p.orders EVERY '1 hour' REPLACE AS SELECT * FROM ops.public.orders;
CREATE MATERIALIZED VIEW lake.v.daily EVERY '1 hour' REPLACE AS SELECT id FROM lake.p.orders;
{}"""
VIEW = "CREATE MATERIALIZED VIEW lake.v.x EVERY '1 hour' REPLACE AS SELECT id FROM {};"
PUBLICATION = "INSERT INTO ops.public.x EVERY '1 hour' REPLACE AS SELECT id FROM {};"


@pytest.mark.parametrize("statement", [VIEW, PUBLICATION])
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("lake.o.trade", "lake.o.trades"), ("lake.o.Trade", "lake.o.trades"), ("lake.oo.trades", "lake.o.trades"),
        ("lake.p.order", "lake.p.orders"), ("lake.v.dayly", "lake.v.daily"), ("lak.o.trades", "lake"),
        ("o.trades", "lake.o.trades"), ("o.trade", "lake.o.trades"), ("p.orders", "lake.p.orders"), ("v.daly", "lake.v.daily"),
        ("trades", "lake.o.trades"), ("Quotes", "lake.o.quotes"), ("qotes", "lake.o.quotes"), ("daily", "lake.v.daily"),
    ],
)  # fmt: skip
def test_the_nearest_dataset_is_named_in_full(statement: str, written: str, meant: str) -> None:
    with pytest.raises(ProgramErrors) as caught:
        compile_program({"p.sql": PROGRAM.format(statement.format(written))}, installed())
    (found,) = caught.value.diagnostics
    assert f"did you mean `{meant}`?" in found.remedy
    assert found.source_line[found.column - 1 : found.column - 1 + found.length] in (written, written.partition(".")[0])


@pytest.mark.parametrize("written", ["lake.o.xyzzy", "xyzzy", "plugh.xyzzy"])
def test_what_is_near_to_nothing_is_guessed_at_by_nothing(written: str) -> None:
    with pytest.raises(ProgramErrors) as caught:
        compile_program({"p.sql": PROGRAM.format(VIEW.format(written))}, installed())
    assert "did you mean" not in str(caught.value)


def test_a_query_s_own_table_is_meant_before_one_of_the_program() -> None:
    query = "CREATE MATERIALIZED VIEW lake.v.x EVERY '1 hour' REPLACE AS WITH trade AS (SELECT 1 AS id) SELECT id FROM trades;"
    with pytest.raises(ProgramErrors, match="did you mean `trade`"):
        compile_program({"p.sql": PROGRAM.format(query)}, installed())
