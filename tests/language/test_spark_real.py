"""What Spark's dialect says of types a real Spark says: of each expression of its table, and of each signature that it knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from doubles.emr_serverless.parts import fetched
from language.dialects.spark.rules import RULES
from shared_metadata.program.type_names import TypeName
from slices.organize.spark.spelling import as_spark
from slices.organize.spark.sql_types import spark_type as written
from tests.language.listed.spark import GIVES, OVER_ROWS, REFUSED, TABLES, TAKEN, WRONG
from tests.language.spark_oracle import asked
from tests.language.test_listed import REFUSED as REFUSED_OF_ALL
from tests.language.test_listed import TAKEN as TAKEN_OF_ALL
from tests.language.typed_query import typed
from tests.spark_lake import real_spark

pytestmark = [pytest.mark.deep, pytest.mark.nightly, pytest.mark.budget(200), pytest.mark.timeout(600)]
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
        "V": "n",
        "A": "carrier",
        "O": "carrier",
        "tinyint": "CAST(1 AS tinyint)",
        "float": "small",
    },
}
# Why a query is refused that Spark itself analyses: what it gives is no function of the inputs, stands in no table, hides a mistake,
# or fails once there are rows; and texts become no other values by themselves here.
OURS = (
    *("not known here", "something else each time", "which no table can hold", "two columns would be called", "no program holds"),
    *("in common", "there is no string", "there is no -", "on one side and", "not known to take (int)", "stands before neither"),
    *(
        "is no unit",
        "is no moment",
        "NATURAL JOIN",
        "USING makes",
        "a window stands within another",
        "ends before it begins",
        "column `_file`",
    ),
)
# What a signature's argument has to be beside its type, since Spark looks at its value.
SAID = {
    **{"percentile": ["delay", "0.5"], "percentile_approx": ["id", "0.5"], "approx_percentile": ["id", "0.5"]},
    **{"ntile": ["2"], "nth_value": ["carrier", "1"], "lag": ["carrier", "1", "carrier"], "lead": ["carrier", "1", "carrier"]},
    **{"date_trunc": ["'day'", "seen"], "trunc": ["day", "'MM'"]},
    **{"sort_array": ["tags", "true"], "sha2": ["raw", "256"]},
}


def _ddl() -> str:
    columns = TABLES["far.ops.flights"]
    return ", ".join(f"{name} {as_spark(written(kind)).replace('`', '')}" for name, kind in columns.items())


def _argument(pattern: TypeName) -> str:
    """An expression of that type; `T` is a text, `U` a number, and `N` a long one."""
    if pattern.word == "->":
        gives = {"boolean": "true", "int": "1"}.get(pattern.parts[-1].word, "x0")
        names = ", ".join(f"x{number}" for number in range(len(pattern.parts) - 1))
        return f"{names if len(pattern.parts) == 2 else f'({names})'} -> {gives}"
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
            if name not in RULES.of_groups | RULES.of_order:  # which stand in a query that groups, and behind WITHIN GROUP
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


def _asked(queries: Sequence[str]) -> list[str]:
    tables = {"flights": _ddl(), "airlines": "carrier string, name string"}
    return asked(fetched(), tables, [as_spark(query.replace("far.ops.", "")) for query in queries])


def test_a_query_that_is_taken_a_real_spark_runs() -> None:
    real_spark()
    queries = [*TAKEN_OF_ALL, *TAKEN]
    assert {query: found for query, found in zip(queries, _asked(queries), strict=True) if found.startswith("!")} == {}


def test_what_is_refused_a_real_spark_refuses_but_for_what_is_not_known_here() -> None:
    real_spark()
    known = {**REFUSED_OF_ALL, **REFUSED, **{f"SELECT {one} AS x FROM far.ops.flights": why for one, (_, why) in WRONG.items()}}
    queries = [query for query, why in known.items() if not any(word in why for word in OURS)]
    assert [query for query, found in zip(queries, _asked(queries), strict=True) if not found.startswith("!")] == []
