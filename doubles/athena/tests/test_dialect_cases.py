"""The compiler's own cases of Trino's dialect: what it types, the double runs with that type, or says that it does not know it."""

from __future__ import annotations

from typing import Any

import pytest

from doubles.athena.errors import QueryFailed
from doubles.athena.kinds import BIGINT, BOOLEAN, DATE, DOUBLE, INTEGER, VARBINARY, VARCHAR, ZONED, decimal, moment
from doubles.athena.tests.test_types import schema_type
from shared_metadata.program.type_names import TypeName as Kind
from tests.language.listed.trino import GIVES, OVER_ROWS, TABLES
from tests.language.listed.trino import TAKEN as OF_TRINO
from tests.language.test_listed import TAKEN as OF_ALL

KINDS = {
    **{"long": BIGINT, "int": INTEGER, "string": VARCHAR, "double": DOUBLE, "decimal(10,2)": decimal(10, 2), "date": DATE},
    **{"timestamptz": moment(ZONED, 6), "timestamp": moment("timestamp", 6), "list<string>": Kind("array", (VARCHAR,))},
    **{"boolean": BOOLEAN, "binary": VARBINARY},
}
# What only stands for a moment until a slice puts it there, and what has no type but by a CAST.
NOT_KNOWN = {"batch_end()", "CAST(json_size(carrier, '$') AS bigint)"}


# Those that read one table alone: the tests' double has one.
TAKEN = [text for text in (*OF_ALL, *OF_TRINO) if "airlines" not in text]


@pytest.fixture(scope="module")
def flights(one_trino: Any) -> Any:
    columns = [(name, KINDS[kind]) for name, kind in TABLES["far.ops.flights"].items()]
    row = (
        "1, 2, 'UA', 1.5, 9.99, DATE '2024-01-02', TIMESTAMPTZ '2024-01-02 03:04:05+00', TIMESTAMP '2024-01-02 03:04:05', "
        "['u'], TRUE, 'x'::BLOB, TIMESTAMPTZ '2024-01-02 03:04:05+00'"
    )
    one_trino.fill(columns, [row])
    return one_trino


@pytest.mark.parametrize("expression", {**GIVES, **OVER_ROWS})
def test_a_case_of_the_dialect_has_its_type_and_runs(expression: str, flights: Any) -> None:
    text = f"SELECT {expression} AS x FROM far.ops.flights"
    if expression in NOT_KNOWN:
        with pytest.raises(QueryFailed, match="not known to this double"):
            flights.query(text)
        return
    assert [schema_type(column.value.kind) for column in flights.query(text).columns] == [{**GIVES, **OVER_ROWS}[expression]]
    flights.types(text)
    if not expression.startswith(
        ("CAST(carrier AS date", "TRY_CAST(carrier", "map(tags, tags)['a']")
    ):  # of a value that is not there
        assert len(flights.answers(text)) == 1


@pytest.mark.parametrize("text", TAKEN)
def test_a_query_that_the_dialect_takes_runs(text: str, flights: Any) -> None:
    flights.types(text)
    flights.answers(text)
