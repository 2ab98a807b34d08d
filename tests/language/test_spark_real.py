"""What Spark's dialect says of types a real Spark says: of each expression of its table, and of each signature that it knows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from doubles.emr_serverless.parts import fetched
from language.dialects.spark.rules import RULES
from shared_metadata.program.type_names import TypeName
from slices.organize.spark.spelling import as_spark
from slices.organize.spark.sql_types import spark_type as written
from tests.language.listed.spark import GIVES, OVER_ROWS, TABLES
from tests.language.spark_oracle import asked
from tests.language.typed_query import typed
from tests.spark_lake import real_spark

pytestmark = [pytest.mark.deep, pytest.mark.budget(200), pytest.mark.timeout(600)]
# Columns of each type that a signature may ask for.
COLUMNS = {
    **{"boolean": "ok", "int": "n", "bigint": "id", "double": "delay", "string": "carrier", "binary": "raw", "date": "day"},
    **{
        "timestamp": "seen",
        "timestamp_ntz": "at",
        "decimal": "price",
        "N": "id",
        "D": "day",
        "T": "carrier",
        "U": "n",
        "float": "small",
    },
}
# What a signature's argument has to be beside its type, since Spark looks at its value.
SAID = {
    **{"percentile": ["delay", "0.5"], "percentile_approx": ["id", "0.5"], "approx_percentile": ["id", "0.5"]},
    **{"ntile": ["2"], "nth_value": ["carrier", "1"], "lag": ["carrier", "1", "carrier"], "lead": ["carrier", "1", "carrier"]},
    **{"sort_array": ["tags", "true"], "sha2": ["raw", "256"]},
}


def _ddl() -> str:
    columns = TABLES["far.ops.flights"]
    return ", ".join(f"{name} {as_spark(written(kind)).replace('`', '')}" for name, kind in columns.items())


def _argument(pattern: TypeName) -> str:
    """An expression of that type; `T` is a text, `U` a number, and `N` a long one."""
    inner = [_argument(part) for part in pattern.parts]
    if pattern.word == "array":
        return f"array({inner[0]})"
    return f"map({inner[0]}, {inner[1]})" if pattern.word == "map" else COLUMNS[pattern.word]


def _calls() -> Iterator[str]:
    """A call of each signature."""
    known = RULES.functions
    for name, signatures in known.signatures.items():
        for signature in signatures:
            arguments = [*map(_argument, signature.arguments)]
            if name in SAID and len(SAID[name]) >= len(arguments):
                arguments = SAID[name][: len(arguments)]
            call = f"{name}({', '.join(arguments)})" if name != "count" or arguments else "count(*)"
            yield call + (" OVER (ORDER BY id)" if name in known.windows else "")


def test_each_expression_has_the_type_that_a_real_spark_gives_it() -> None:
    real_spark()
    bounds = "TIMESTAMP_LTZ '2024-01-01 00:00:00 UTC'"
    queries = [as_spark(f"SELECT {one.replace('batch_end()', bounds)} AS x FROM flights") for one in (*GIVES, *OVER_ROWS)]
    found = dict(zip((*GIVES, *OVER_ROWS), asked(fetched(), {"flights": _ddl()}, queries), strict=True))
    assert found == {**GIVES, **OVER_ROWS}


def test_each_signature_gives_what_a_real_spark_gives() -> None:
    real_spark()
    calls = [*_calls()]
    ours = []
    for call in calls:
        one = typed(f"SELECT {call} AS x FROM far.ops.flights", TABLES, "spark")
        ours.append(one.columns[0].type if not one.problems else f"refused: {one.problems[0].cause}")
    theirs = asked(fetched(), {"flights": _ddl()}, [as_spark(f"SELECT {call} AS x FROM flights") for call in calls])
    different = [f"{call}: {mine} here, {real} there" for call, mine, real in zip(calls, ours, theirs, strict=True) if mine != real]
    assert different == [], "\n".join(different)
