"""What DuckDB's own catalogue says of its functions and words; it is asked once a process."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Of these the catalogue says that they depend on their arguments alone.
IMPURE = frozenset(("current_setting", "getvariable", "current_localtime", "current_localtimestamp", "version", "getenv"))


class Catalogue:
    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._connection = connection

    @cached_property
    def impure_call(self) -> re.Pattern[str]:
        """Finds in the text of a plan a call of what is no function of its arguments alone."""
        names = "|".join(map(re.escape, sorted({*self.impure_functions, *IMPURE, "age"})))
        return re.compile(rf'"name":"(?:{names})"')

    @cached_property
    def _functions(self) -> Sequence[tuple[str, str, bool]]:
        """(name, kind, whether it is pure) of each, by DuckDB's own catalogue, of which one question costs as much as any other.

        A macro without arguments tells of the session ("current_user").
        """
        pure = "stability = 'CONSISTENT' AND NOT (function_type = 'macro' AND len(parameters) = 0)"
        rows = self._connection.execute(
            f"SELECT DISTINCT function_name, function_type, coalesce({pure}, true) FROM duckdb_functions()"
        )
        return rows.fetchall()

    @cached_property
    def impure_functions(self) -> frozenset[str]:
        """Functions whose result may differ between two calls with the same arguments."""
        return frozenset(name for name, _, pure in self._functions if not pure)

    @cached_property
    def table_functions(self) -> frozenset[str]:
        return frozenset(name for name, kind, _ in self._functions if kind.startswith("table"))

    @cached_property
    def aggregates(self) -> frozenset[str]:
        return frozenset(name for name, kind, _ in self._functions if kind == "aggregate")

    @cached_property
    def reserved_words(self) -> frozenset[str]:
        """Words that cannot stand wherever a name may."""
        rows = self._connection.execute("SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'")
        return frozenset(row[0] for row in rows.fetchall())
