"""What Databricks' SQL gives and refuses, for the suite of all dialects that are typed by lists: what Spark's does."""

from __future__ import annotations

import re

from tests.language.listed import spark

_NESTED = ("tags", "named", "place")  # columns of types that no table of Atoll's has there
_ANY_NESTED = re.compile(rf"\b(?:{'|'.join(_NESTED)})\b")
TABLES = {path: {name: kind for name, kind in columns.items() if name not in _NESTED} for path, columns in spark.TABLES.items()}


def _here(cases: dict[str, str]) -> dict[str, str]:
    return {item: told.replace("Spark", "Databricks") for item, told in cases.items() if not _ANY_NESTED.search(item)}


GIVES = {
    **_here(spark.GIVES),
    "n::bigint": "long",
    "price::decimal(12, 3)": "decimal(12,3)",
    "CAST(seen AS timestamp_ntz)": "timestamp",
    r"carrier || 'it''s \ so'": "string",
    '"carrier"': "string",
    "round(price, 1)": "decimal(10,1)",
    "date_trunc('MONTH', at)": "timestamptz",
}
OVER_ROWS = _here(spark.OVER_ROWS)
WRONG = {
    item: (place, told.replace("Spark", "Databricks"))
    for item, (place, told) in spark.WRONG.items()
    if not _ANY_NESTED.search(item) and "_file" not in item
} | {
    "carrier:a": ("", "not known here"),
    "seen AT TIME ZONE 'UTC'": ("", "Databricks has no AT TIME ZONE"),
}
REFUSED = _here(spark.REFUSED)
NO_QUERY = [query for query in spark.NO_QUERY if "::" not in query and not _ANY_NESTED.search(query)]
TAKEN = [*(query for query in spark.TAKEN if not _ANY_NESTED.search(query)), "SELECT n AS _file FROM far.ops.flights"]
KINDS = ["decimal(12,4)"]
OTHERWISE: dict[str, str] = {}
