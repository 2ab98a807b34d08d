"""SOQL as a dialect: a source's. Its names are kept as they are written."""

from functools import partial

from language.dialects.soql.query import SoqlQuery, collected, read
from language.sql.dialect import AsSource, Dialect, as_written
from language.sql.one_table import leaving
from language.sql.one_table_typing import typed

DIALECT = Dialect(
    name="soql",
    sqlglot="",
    fold=as_written,
    spelled=as_written,
    kept=(SoqlQuery,),
    source=AsSource(read, collected, leaving, partial(typed, noun="field")),
    null_equals=True,
)
