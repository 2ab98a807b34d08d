"""Redshift's SQL as a dialect: that of a warehouse which keeps rows itself, and runs elsewhere."""

from __future__ import annotations

from language.dialects.redshift.query import RedshiftQuery
from language.dialects.redshift.rules import RULES, Predicate
from language.sql.listed.dialect import listed_dialect

DIALECT = listed_dialect("redshift", RULES, RedshiftQuery, Predicate)
