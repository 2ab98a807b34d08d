"""SOQL as a dialect: a source's. Its names are kept as they are written."""

from functools import partial

from language.dialects.soql.query import SoqlQuery, read
from language.sql.dialect import AsSource, Dialect, as_written
from language.sql.one_table import leaving, projection
from language.sql.one_table_typing import typed
from language.sql.projection import CollectedQuery


def _collected(query: SoqlQuery) -> CollectedQuery:
    """Nothing in it casts."""
    return CollectedQuery(projection(query))


DIALECT = Dialect(
    name="soql",
    sqlglot="",
    fold=as_written,
    spelled=as_written,
    kept=(SoqlQuery,),
    source=AsSource(read, _collected, leaving, partial(typed, noun="field")),
    null_equals=True,
)
