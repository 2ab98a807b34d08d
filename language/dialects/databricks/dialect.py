"""Databricks' SQL as a dialect: that of a warehouse which keeps rows itself, and runs elsewhere."""

from __future__ import annotations

from language.dialects.databricks.query import DatabricksQuery
from language.dialects.databricks.rules import RULES, Predicate
from language.sql.listed.dialect import listed_dialect

DIALECT = listed_dialect("databricks", RULES, DatabricksQuery, Predicate)
