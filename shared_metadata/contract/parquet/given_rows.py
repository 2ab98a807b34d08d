"""Rows that a test gives, as texts or by a query, become Parquet files of a table's columns, and such files texts again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from shared_metadata.contract.parquet.duckdb_errors import told
from shared_metadata.contract.parquet.duckdb_session import identifier, literal, open_duckdb
from shared_metadata.contract.parquet.duckdb_types import duckdb_type
from shared_metadata.errors import DefinitionError
from shared_metadata.program.schema import SchemaColumn

Cells = Sequence[str | None]
_FLOATING = ("float", "double")
_EXACT = ("int", "long", "decimal")
_SAME_DIGITS = 12  # of numbers of these types, which sums in another order have otherwise behind them


@dataclass
class BadCell(Exception):
    """A value that is none of its column's type.  row: its number, from 0, where rows are texts."""

    row: int
    cell: str
    column: SchemaColumn


class GivenRows:
    """One DuckDB that reads and writes within a folder alone."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._written = folder, 0
        self._connection = open_duckdb()
        self._connection.execute(f"SET allowed_directories = [{literal(f'{folder}/')}]; SET enable_external_access = false")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def of_texts(self, names: Sequence[str], rows: Sequence[Cells], columns: Sequence[SchemaColumn]) -> str:
        """The file of rows whose cells are those of the columns with these names; others are null. Raises BadCell."""
        given = [next(column for column in columns if column.name == name) for name in names]
        shown = [f"({number}, {', '.join(map(_text, row))})" for number, row in enumerate(rows or [[None] * len(names)])]
        source = f"(VALUES {', '.join(shown)}) AS given (n, {', '.join(_cells(names))})"
        for cell, column in zip(_cells(names), given, strict=True):
            self._check("n", cell, column, source)
        made = dict(zip(names, _cells(names), strict=True))
        values = ", ".join(f"CAST({made.get(c.name, 'NULL')} AS {duckdb_type(c.type)}) AS {identifier(c.name)}" for c in columns)
        return self._write(f"SELECT {values} FROM {source}{'' if rows else ' WHERE false'}")

    def names_of(self, query: str) -> list[str]:
        """The folded names of a query's columns. Raises DefinitionError where it cannot run."""
        return [str(row[0]).lower() for row in self._fetch(f"DESCRIBE {query}")]

    def of_query(self, query: str, names: Sequence[str], columns: Sequence[SchemaColumn]) -> str:
        """The file of a query's rows; names: of its columns, those of the table that it gives. Raises DefinitionError, BadCell."""
        for column in columns:
            if column.name in names and "<" not in column.type:  # the text of a list may be read as another
                self._check("0", f"CAST({identifier(column.name)} AS VARCHAR)", column, f"({query}\n) AS given")
        values = ", ".join(
            f"CAST({identifier(c.name) if c.name in names else 'NULL'} AS {duckdb_type(c.type)}) AS {identifier(c.name)}"
            for c in columns
        )
        return self._write(f"SELECT {values} FROM ({query}\n) AS given")

    def _check(self, number: str, cell: str, column: SchemaColumn, source: str) -> None:
        """Raises BadCell for the first row, by its number, whose text is no value of the column."""
        wrong = f"{cell} IS NOT NULL AND {_unlike(cell, column.type)}"
        for row, text in self._fetch(f"SELECT {number}, {cell} FROM {source} WHERE {wrong} ORDER BY 1 LIMIT 1"):
            raise BadCell(row, text, column)

    def read(self, files: Sequence[str], columns: Sequence[SchemaColumn]) -> Iterator[Cells]:
        """The rows' values in these columns as DuckDB writes them."""
        if not files:
            return
        texts = ", ".join(identifier(c.name) if c.type in _FLOATING else f"CAST({identifier(c.name)} AS VARCHAR)" for c in columns)
        for row in self._fetch(f"SELECT {texts} FROM read_parquet([{', '.join(map(literal, files))}])"):
            yield [f"{value:.{_SAME_DIGITS}g}" if isinstance(value, float) else value for value in row]

    def _write(self, query: str) -> str:
        self._written += 1
        file = self._folder / f"given-{self._written}.parquet"
        self._fetch(f"COPY ({query}\n) TO {literal(str(file))} (FORMAT parquet)")
        return str(file)

    def _fetch(self, sql: str) -> list[tuple[Any, ...]]:
        import duckdb

        try:
            return self._connection.execute(sql).fetchall()
        except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException, duckdb.PermissionException) as error:
            raise DefinitionError(
                str(error).partition("\n")[0], remedy="write one SELECT of the rows, which reads no table"
            ) from None
        except duckdb.Error as error:
            raise DefinitionError(told(error), remedy="correct the values") from None


def _cells(names: Sequence[str]) -> list[str]:
    return [f"c{number}" for number in range(len(names))]


def _unlike(cell: str, type_name: str) -> str:
    """Whether a text is no value of a type; DuckDB's casts round it to one where it has more digits."""
    made = f"TRY_CAST({cell} AS {duckdb_type(type_name)})"
    if not type_name.startswith(_EXACT):
        return f"{made} IS NULL"
    given, kept = f"TRY_CAST({cell} AS DECIMAL(38, 15))", f"TRY_CAST({made} AS DECIMAL(38, 15))"
    return f"({made} IS NULL OR {given} <> {kept})"


def _text(cell: str | None) -> str:
    return literal(cell) if cell is not None else "NULL"
