"""What DuckDB computes: whether a value becomes one of another type, and whether a constant has a value."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from language.dialects.duckdb.answers import Tree
from language.dialects.duckdb.types import sample, sql_type
from shared_metadata.contract.parquet.duckdb_session import literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Of a cast that there is not, whatever the value; all else that it says of one is about the value.
_NO_CAST = re.compile(r"Unimplemented type for cast|^Not implemented Error|implicitly cast to any of the union member types")
_TEXT = {"id": "VARCHAR"}
_EMPTY_TEXT = '"is_null": false}'  # of a constant whose value `_TREE` leaves out


class Values:
    """Each question is asked once a process."""

    def __init__(self, connection: DuckDBPyConnection) -> None:
        import duckdb

        self._duckdb, self._connection = duckdb, connection
        self._valueless = (
            *(duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException),
            duckdb.NotSupportedError,  # of a time zone that it does not know
        )
        self._casts: dict[tuple[str, str], bool] = {}  # by two types, as SQL has them
        self._without_value: dict[str, str] = {}  # of a constant's text, why it has none
        self._refusals: dict[tuple[str, str], str] = {}  # of a value, to become one of a type

    def casts(self, source: Mapping[str, Any], target: Mapping[str, Any]) -> bool:
        """Whether any value of one type can become one of the other: asked with a value, since NULL becomes everything."""
        pair = sql_type(source), sql_type(target)
        if pair not in self._casts:
            self._casts[pair] = _NO_CAST.search(self._refusal(sample(source), pair[1])) is None
        return self._casts[pair]

    def reads(self, text: str, target: str) -> bool:
        """Whether a text is a value of a type."""
        return not self._refusal(literal(text), target)

    def without_value(self, expressions: Sequence[Tree]) -> list[str]:
        """Each constant expression of a parse tree ▸ what DuckDB has against computing it; '' for nothing. Each is asked once."""
        return self.refusals([self.written(expression) for expression in expressions])

    def refusals(self, texts: Sequence[str]) -> list[str]:
        """The same for expressions in SQL."""
        new = [text for text in dict.fromkeys(texts) if text not in self._without_value]
        if new:
            computed = self._computed(new)
            self._without_value |= {text: "" if computed is None else self._computed([text]) or "" for text in new}
        return [self._without_value[text] for text in texts]

    def written(self, expression: Tree) -> str:
        """The value as DuckDB writes it in SQL; NULL where it cannot."""
        child, target = expression.get("child", {}), expression.get("cast_type", {})
        if expression.get("class") == "CAST" and child.get("value", {}).get("type") == _TEXT and not expression.get("try_cast"):
            return f"CAST({literal(child['value'].get('value', ''))} AS {sql_type(target)})"
        node = {"type": "SELECT_NODE", "cte_map": {}, "select_list": [{**expression, "alias": ""}], "from_table": {"type": "EMPTY"}}
        tree = {"statements": [{"node": {**node, "aggregate_handling": "STANDARD_HANDLING"}}], "error": False}
        written = json.dumps(tree).replace(_EMPTY_TEXT, f'{_EMPTY_TEXT[:-1]}, "value": ""}}')
        try:
            row = self._connection.execute(f"SELECT json_deserialize_sql({literal(written)})").fetchone()
        except self._duckdb.Error:
            return "NULL"
        return str(row[0]).removeprefix("SELECT ") if row else "NULL"

    def _computed(self, texts: Sequence[str]) -> str | None:
        """None where all have a value; else what DuckDB says of the first that has none, '' of what it cannot even bind."""
        try:
            self._connection.execute(f"SELECT {', '.join(f'CAST(({text}) AS VARCHAR)' for text in texts)}").fetchall()
        except self._valueless as error:
            return str(error).partition("\n")[0].partition(" Error: ")[2] or "no value"
        except self._duckdb.Error:
            return ""
        return None

    def _refusal(self, value: str, target: str) -> str:
        """What DuckDB has against making the value one of the type; '' for nothing. Asked once."""
        if (value, target) not in self._refusals:
            self._refusals[value, target] = self._tried(f"SELECT CAST(CAST({value} AS {target}) AS VARCHAR)")
        return self._refusals[value, target]

    def _tried(self, query: str) -> str:
        try:
            self._connection.execute(query).fetchall()
        except self._duckdb.Error as error:
            return str(error) or "refused"
        return ""
