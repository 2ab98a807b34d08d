"""How texts of JSON spell the keys that are columns: these go by their names in any case, and JSON tells `Id` from `id`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared_metadata.contract.parquet.duckdb_session import literal

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Keys:
    """Spellings of wanted names. spelled: name ▸ how objects spell it, where they do otherwise or in several ways.

    twice: some object has one of them twice, in whatever case, and nothing tells which value is meant.
    """

    spelled: Mapping[str, Sequence[str]] = field(default_factory=dict)
    twice: bool = False

    def of(self, name: str) -> Sequence[str]:
        return self.spelled.get(name, (name,))

    def is_twice(self, text: str, wanted: Sequence[str]) -> str:
        """The condition of an object, `text`, that has a wanted key twice; '' where none has."""
        if not self.twice:
            return ""
        return f"len({_wanted(text, wanted)}) <> len(list_distinct({_wanted(text, wanted)}))"


def keys_of(connection: duckdb.DuckDBPyConnection, rows: str, text: str, wanted: Sequence[str]) -> Keys:
    """Looks through all rows. rows: a relation.  text: its column, in which each value is a JSON object."""
    if not wanted:
        return Keys()
    each = f"(SELECT DISTINCT json_keys({text}) AS keys, {_wanted('keys', wanted, listed=True)} AS mine FROM {rows})"
    sql = (
        f"SELECT list_position({_folded(wanted)}, lower(key)) AS place, list(DISTINCT key ORDER BY key), bool_or(twice) FROM ("
        f"SELECT unnest(keys) AS key, len(mine) <> len(list_distinct(mine)) AS twice FROM {each}) "
        "WHERE place IS NOT NULL AND place > 0 GROUP BY place"
    )
    found = connection.execute(sql).fetchall()
    told = {wanted[place - 1]: spellings for place, spellings, _ in found}
    return Keys({n: tuple(s) for n, s in told.items() if s != [n]}, any(twice for *_, twice in found))


def is_object(text: str) -> str:
    """The condition that a text is a JSON object."""
    return f"CASE WHEN json_valid({text}) THEN json_type({text}) = 'OBJECT' ELSE false END"


def first_keys(connection: duckdb.DuckDBPyConnection, rows: str, text: str, place: str) -> list[str]:
    """The keys of objects, in the order in which they come; of those that differ in case the first.

    rows: a relation.  text: its column, in which each value is a JSON object.  place: the one that tells the order.
    """
    each = f"(SELECT unnest(json_keys({text})) AS key, {place} AS place FROM {rows})"
    sql = f"SELECT key FROM {each} GROUP BY key ORDER BY min(place), any_value(key)"
    names = [name for (name,) in connection.execute(sql).fetchall() if name]
    return list({name.lower(): name for name in reversed(names)}.values())[::-1]


def value_of(text: str, spellings: Sequence[str]) -> str:
    """The expression of what an object has under a key: a text, null where it has none."""
    values = [f"json_extract_string({text}, {pointer(name)})" for name in spellings]
    return values[0] if len(values) == 1 else f"coalesce({', '.join(values)})"


def pointer(name: str) -> str:
    """A key as a JSON pointer, https://datatracker.ietf.org/doc/html/rfc6901."""
    return literal("/" + name.replace("~", "~0").replace("/", "~1"))


def _wanted(keys: str, wanted: Sequence[str], *, listed: bool = False) -> str:
    """The list of an object's keys that are wanted, folded. keys: the object's text, or, where listed, the list of all its keys."""
    given = keys if listed else f"json_keys({keys})"
    return f"list_filter(list_transform({given}, lambda k: lower(k)), lambda k: list_contains({_folded(wanted)}, k))"


def _folded(names: Sequence[str]) -> str:
    return f"[{', '.join(f'lower({literal(name)})' for name in names)}]"
