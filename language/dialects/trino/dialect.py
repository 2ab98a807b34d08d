"""Trino's SQL as a dialect: a warehouse's, whose engine runs elsewhere."""

from __future__ import annotations

from language.dialects.trino.query import TrinoQuery
from language.dialects.trino.rules import RULES, Predicate
from language.sql.listed.dialect import listed_dialect

DIALECT = listed_dialect("trino", RULES, TrinoQuery, Predicate)
