"""What queries of Databricks' say that other dialects say too: what Spark's say in ANSI mode, in its own words.

Each form is Spark's, of which a real Spark has shown what it means, and is documented to do the same there. LOWER has none: of
letters beyond ASCII its documentation tells nothing. https://docs.databricks.com/aws/en/sql/language-manual/sql-ref-ansi-compliance
"""

from __future__ import annotations

from dataclasses import replace

from language.dialects.databricks.query import DatabricksQuery
from language.dialects.spark.forms import FORMS as SPARK
from language.sql.meanings import own_texts

# A DATE so many days later is one there, as it says; the CAST makes sure of it.
_DAYS = {
    f"{name}_to_day(date, {by})": (f"CAST(_1 {sign} _2 AS date)",)
    for name, sign in (("moved", "+"), ("moved_back", "-"))
    for by in ("days", "months")
}
FORMS = replace(
    SPARK,
    own={**SPARK.own, **_DAYS, "lower(string)": ()},
    spelled=lambda text: own_texts.spelled(text, "databricks"),
    reads=DatabricksQuery,
)
