"""Spark's SQL as a dialect: a warehouse's, whose engine runs elsewhere."""

from __future__ import annotations

from language.dialects.spark.query import SparkQuery
from language.dialects.spark.rules import RULES, Predicate
from language.sql.listed.dialect import listed_dialect

DIALECT = listed_dialect("spark", RULES, SparkQuery, Predicate)
