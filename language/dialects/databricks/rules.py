"""What Databricks' SQL has otherwise than Spark's: a query there is Spark's in ANSI mode, over tables of Delta.

https://docs.databricks.com/aws/en/sql/language-manual/sql-ref-ansi-compliance
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from language.dialects.databricks.query import DatabricksQuery
from language.dialects.spark.rules import RULES as SPARK
from language.sql.findings import Told
from language.sql.listed.predicate import ListedPredicate
from language.sql.listed.rules import not_read
from shared_metadata.program.schema import SchemaColumn
from shared_metadata.program.type_names import parsed, words


def _unread(path: str, column: SchemaColumn) -> Told | None:
    """A table with a column of a type that Atoll keeps in no table of Databricks'."""
    if not {"uuid", "time"} & set(words(parsed(column.type))):
        return None
    cause = f"Databricks keeps no table of Atoll's that has a {column.type}, as `{path}` has in the column `{column.name}`"
    return cause, "collect it by a query that makes a text of it"


RULES = replace(
    SPARK,
    engine="Databricks",
    query=DatabricksQuery,
    operators={
        **SPARK.operators,
        exp.AtTimeZone: not_read("Databricks has no AT TIME ZONE", "write from_utc_timestamp(…, 'zone')"),
        exp.JSONExtract: not_read(
            "Databricks has paths into JSON alone, which are not known here", "write get_json_object(a, '$.b')"
        ),
    },
    refused_name=lambda name: None,
    unread=_unread,
)


class Predicate(ListedPredicate):
    rules = RULES
