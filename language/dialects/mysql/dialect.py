"""MySQL's and MariaDB's SQL as a dialect: a source's. Names of tables are kept as they are written: servers may tell case apart."""

from __future__ import annotations

from language.dialects.mysql.query import MysqlQuery, collected, read
from language.sql.dialect import AsSource, Dialect, as_written
from language.sql.one_table import leaving
from language.sql.one_table_typing import typed


def _spelled(name: str) -> str:
    """Quotes a name, which might be a keyword."""
    return "`" + name.replace("`", "``") + "`"


DIALECT = Dialect(
    name="mysql",
    sqlglot="mysql",
    fold=as_written,
    spelled=_spelled,
    kept=(MysqlQuery,),
    source=AsSource(read, collected, leaving, typed),
)
