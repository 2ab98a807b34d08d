"""Builds what tells the rows of a chunk apart whose values their types cannot hold, after it could not be read as a whole; no I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from shared_metadata.contract.parquet import rejected_rows
from shared_metadata.contract.parquet.duckdb_session import literal
from shared_metadata.program.schema import Schema, SchemaColumn
from systems.sql_source.chunks import chunk_sql, left_sql, rows_of_chunk
from systems.sql_source.dialect import Dialect
from systems.sql_source.parts import Part
from systems.sql_source.relation import OWN, untrue


def which_sql(part: Part, first: int, end: int, dialect: Dialect) -> str:
    """The source's answer is one row: of each of `checked` whether it has such values."""
    found = ", ".join(f"{dialect.any_of(misfit)} AS m{number}" for number, misfit in enumerate(part.misfits) if misfit)
    return f"SELECT {found} FROM {rows_of_chunk(part, first, end, dialect)}"


def checked(part: Part, schema: Schema) -> list[str]:
    """The columns that may have such values, each with its type."""
    return [f"{name} ({kind})" for name, kind, misfit in _columns(part, schema) if misfit]


def readable_sql(part: Part, first: int, end: int, schema: Schema, dialect: Dialect) -> str:
    """The other rows, as `chunk_sql` gives them."""
    return f"{chunk_sql(part, first, end, schema, dialect)} WHERE {untrue(_any(part))}"


def rejected_sql(
    part: Part, first: int, end: int, schema: Schema, keys: Collection[str], hidden: Collection[str], dialect: Dialect
) -> str:
    """The rows, each with its reason and, as JSON, its values as the source has them; those of hidden columns are left out: in a
    document that does not fit its type it is not known where the masked fields are. keys: columns that are not null either."""
    reasons = [
        rejected_rows.reason(misfit, f"{name} is {'null, or ' * (name in keys)}no {kind}")
        for name, kind, misfit in _columns(part, schema)
        if misfit
    ]
    values = {
        name: dialect.shown(f"c{number}", part.expressions[number], kind, misfit)
        for number, (name, kind, misfit) in enumerate(_columns(part, schema))
        if name not in hidden
    }
    rows = rows_of_chunk(part, first, end, dialect)
    return f"SELECT {dialect.joined(reasons)} AS reason, {dialect.document(values)} AS data FROM {rows} WHERE {_any(part)}"


def there_sql(part: Part, first: int, end: int, schema: Schema, left: Sequence[SchemaColumn], dialect: Dialect) -> str:
    """The keys of the rows, as `left_sql` gives them; one of which a part is none of its type was never collected."""
    return f"{left_sql(part, first, end, schema, left, dialect)} WHERE {_any(part)}"


def copy_rejected(sql: str, batch: str, url: str, dialect: Dialect) -> str:
    """DuckDB's statement that writes them."""
    rows = f"{rejected_rows.select(batch, 'collect', 'reason', 'data')} FROM {dialect.answer(sql)}"
    return f"COPY ({rows}) TO {literal(url)} (FORMAT parquet, COMPRESSION snappy)"


def _columns(part: Part, schema: Schema) -> Iterator[tuple[str, str, str]]:
    columns = (column for column in schema.columns if column.name not in OWN)
    for column, misfit in zip(columns, part.misfits, strict=True):
        yield column.name, column.type, misfit


def _any(part: Part) -> str:
    return " OR ".join(misfit for misfit in part.misfits if misfit)
