"""The SQL of DuckDB that compares results and reads their rows; pure text. Users' columns stand qualified, or within a struct."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared_metadata.contract.parquet import rejected_rows
from shared_metadata.contract.parquet.duckdb_session import identifier, literal


def names(columns: Sequence[str], alias: str = "") -> str:
    prefix = f"{alias}." if alias else ""
    return ", ".join(prefix + identifier(name) for name in columns)


def parquet(urls: Sequence[str]) -> str:
    """These files as one relation."""
    return f"read_parquet([{', '.join(map(literal, urls))}], union_by_name = true)"


def key_faults(source: str, key: Sequence[str]) -> str:
    """How many keys occur more than once, and how many rows have a null in their key."""
    missing = " OR ".join(f"{identifier(name)} IS NULL" for name in key)
    twice = f"SELECT 1 FROM {source} GROUP BY {names(key)} HAVING count(*) > 1"
    return f"SELECT (SELECT count(*) FROM ({twice})), (SELECT count(*) FROM {source} WHERE {missing})"


def new_or_changed(source: str, former: str, columns: Sequence[str]) -> str:
    """Rows of `source` that `former` does not hold alike; nulls are alike."""
    return f"SELECT {names(columns)} FROM {source} EXCEPT SELECT {names(columns)} FROM {former}"


def vanished(source: str, former: str, key: Sequence[str]) -> str:
    """Keys of `former` that `source` has no more."""
    return f"SELECT {names(key)} FROM {former} EXCEPT SELECT {names(key)} FROM {source}"


def rows_without(source: str, other: str, columns: Sequence[str]) -> str:
    """`source` less one row for each like row of `other`."""
    return f"SELECT {names(columns)} FROM {source} EXCEPT ALL SELECT {names(columns)} FROM {other}"


def first_rows(rows: str, columns: Sequence[str], count: int, without: Sequence[int]) -> str:
    """The first rows of a file, but for those of these numbers."""
    but = f" AND {position(0)} NOT IN ({', '.join(map(str, without))})" if without else ""
    return f"SELECT {names(columns, 'r')} FROM {rows} r QUALIFY {position(0)} < {count}{but}"


def rows_between(rows: str, columns: Sequence[str], first: int, end: int) -> str:
    """The rows [first, end) of a file."""
    return f"SELECT {names(columns, 'r')} FROM {rows} r QUALIFY {position(0)} BETWEEN {first} AND {end - 1}"


def not_published_later(rows: str, later: str, key: Sequence[str]) -> str:
    """Those of `rows` whose key no later batch has published."""
    return f"SELECT * FROM {without_keys(f'({rows})', later, key)}"


def without_rejected(former: str, rejected: str, columns: Sequence[str]) -> str:
    """What of a former result was written."""
    return f"(SELECT {names(columns)} FROM {former} EXCEPT ALL SELECT {_typed(columns)} FROM {rejected} r)"


def with_held(written: str, rejected: str, columns: Sequence[str]) -> str:
    """The rows, with those whose former version stands in the target."""
    return f"(SELECT {names(columns)} FROM {written} UNION ALL SELECT {_typed(columns)} FROM {rejected} r WHERE r.held)"


def without_keys(rows: str, others: str, key: Sequence[str]) -> str:
    """Those of `rows` whose key is none of the others'."""
    same = " AND ".join(f"o.{identifier(name)} = r.{identifier(name)}" for name in key)
    return f"(SELECT r.* FROM {rows} r WHERE NOT EXISTS (SELECT 1 FROM {others} o WHERE {same}))"


def keys_of_either(rows: str, others: str, key: Sequence[str]) -> str:
    return f"(SELECT {names(key)} FROM {rows} UNION SELECT {names(key)} FROM {others})"


def _typed(columns: Sequence[str]) -> str:
    return ", ".join(f"{_of_typed(name, 'r')} AS {identifier(name)}" for name in columns)


def _of_typed(name: str, alias: str) -> str:
    return f"struct_extract({alias}.typed, {literal(name)})"


def position(first: int) -> str:
    """The number of a row of a file, counted from `first`. Not DuckDB's own file_row_number: a file may have such a column.

    https://duckdb.org/docs/stable/sql/dialect/order_preservation: an empty OVER clause counts rows in the file's order.
    """
    return f"{first} + row_number() OVER () - 1"


def csv_rows(url: str, marks: Sequence[str], values: Sequence[str], rows: tuple[int, int]) -> tuple[str, list[str]]:
    """The marks and values of the rows [from, to) of a file, called `r`; and what the columns of the values are called."""
    called = [f"c{number}" for number in range(len(values))]
    listed = [*(f"{mark} AS m{number}" for number, mark in enumerate(marks)), *map(" AS ".join, zip(values, called, strict=True))]
    return f"SELECT {', '.join(listed)} FROM {parquet([url])} r LIMIT {rows[1] - rows[0]} OFFSET {rows[0]}", called


def rejected(files: Mapping[str, int], types: Mapping[str, str], reasons: str, batch: str, standing: str, key: Sequence[str]) -> str:
    """Rejected rows, for people in `data`, and for the next comparison in `typed` and `held`.

    files: URL ▸ the number of its first row.  types: DuckDB's, of their columns.  reasons: the path of a CSV of numbers and reasons.
    standing: the keys in the target.
    """
    typed = ", ".join(f"{literal(name)}: {names([name], 'r')}" for name in types)
    rows = [f"SELECT {position(at)} AS number, {{{typed}}} AS typed FROM {parquet([url])} r" for url, at in files.items()]
    why = f"read_csv({literal(reasons)}, header = false, columns = {{'number': 'BIGINT', 'reason': 'VARCHAR'}})"
    same = " AND ".join(f"{names([name], 's')} = {_of_typed(name, 'f')}" for name in key)
    held = f"EXISTS (SELECT 1 FROM {standing} s WHERE {same})" if key and standing else "false"
    data = rejected_rows.as_json({name: (_of_typed(name, "f"), kind) for name, kind in types.items()})
    chosen = f"{rejected_rows.select(batch, 'harness', 'w.reason', data)}, f.typed AS typed, {held} AS held"
    return f"{chosen} FROM ({' UNION ALL '.join(rows)}) f JOIN {why} w ON w.number = f.number"
