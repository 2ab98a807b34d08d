"""What Databricks' SQL gives and refuses, for the suite of all dialects that are typed by lists: what Spark's does."""

from __future__ import annotations

from tests.language.listed import spark

TABLES = spark.TABLES


def _here(cases: dict[str, str]) -> dict[str, str]:
    return {item: told.replace("Spark", "Databricks") for item, told in cases.items()}


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
WRONG = {item: (place, told.replace("Spark", "Databricks")) for item, (place, told) in spark.WRONG.items() if "_file" not in item} | {
    "carrier:a": ("", "not known here"),
    "seen AT TIME ZONE 'UTC'": ("", "Databricks has no AT TIME ZONE"),
}
REFUSED = _here(spark.REFUSED)
NO_QUERY = [query for query in spark.NO_QUERY if "::" not in query]
TAKEN = [*spark.TAKEN, "SELECT n AS _file FROM far.ops.flights"]
KINDS = spark.KINDS
OTHERWISE: dict[str, str] = {}
