"""A query in Databricks' SQL, as its text alone tells it: its texts and names are a program's, as in Spark's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from sqlglot import TokenType

from language.dialects.spark.query import SparkQuery


@dataclass(frozen=True, eq=False)
class DatabricksQuery(SparkQuery):
    """https://docs.databricks.com/aws/en/sql/language-manual/sql-ref-syntax-qry-select"""

    engine: ClassVar[str] = "Databricks"
    unknown: ClassVar[Mapping[TokenType, tuple[str, str]]] = {
        TokenType.FETCH: ("Databricks has no FETCH FIRST", "write LIMIT"),
        TokenType.QUALIFY: ("QUALIFY is not known here", "filter by WHERE in a query around this one"),
    }
    dialect: str = "databricks"
