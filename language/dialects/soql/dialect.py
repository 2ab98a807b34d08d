"""SOQL as a dialect: a source's. Its names are kept as they are written."""

from language.dialects.soql.leaving import leaving
from language.dialects.soql.projection import collected
from language.dialects.soql.query import SoqlQuery, read
from language.dialects.soql.typing import typed
from language.sql.dialect import AsSource, Dialect, as_written

DIALECT = Dialect(
    name="soql",
    sqlglot="",
    fold=as_written,
    spelled=as_written,
    kept=(SoqlQuery,),
    source=AsSource(read, collected, leaving, typed),
)
