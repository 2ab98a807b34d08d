"""Oracle's SQL as a dialect: a source's. Names without quotes stand in capitals there."""

from __future__ import annotations

from language.dialects.oracle.query import OracleQuery, collected, folded, read
from language.sql.dialect import AsSource, Dialect
from language.sql.one_table import leaving
from language.sql.one_table_typing import typed


def _spelled(name: str) -> str:
    """Quotes a name, which might be a keyword or have small letters. None of Oracle's has a quote in it."""
    return f'"{name}"'


DIALECT = Dialect(
    name="oracle",
    sqlglot="oracle",
    fold=folded,
    spelled=_spelled,
    kept=(OracleQuery,),
    source=AsSource(read, collected, leaving, typed),
)
