"""Queries over files as a dialect: a source's. Names of folders are kept as they are written, since paths tell case apart."""

from __future__ import annotations

from language.dialects.filescan.query import FilescanQuery, collected, read, typed
from language.sql.dialect import AsSource, Dialect, as_written
from language.sql.one_table import leaving


def _spelled(name: str) -> str:
    """Quotes a name, which might be a keyword."""
    return '"' + name.replace('"', '""') + '"'


DIALECT = Dialect(
    name="filescan",
    sqlglot="duckdb",
    fold=as_written,
    spelled=_spelled,
    kept=(FilescanQuery,),
    source=AsSource(read, collected, leaving, typed),
)
