"""Snowflake's SQL as a dialect: that of a warehouse which keeps rows itself, and runs elsewhere."""

from __future__ import annotations

from language.dialects.snowflake.query import SnowflakeQuery
from language.dialects.snowflake.rules import RULES, Predicate
from language.sql.listed.dialect import listed_dialect

DIALECT = listed_dialect("snowflake", RULES, SnowflakeQuery, Predicate)
