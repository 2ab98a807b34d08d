"""What DuckDB's own catalogue says of its functions and words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FILE = Path(__file__).with_name("catalogue.json")  # `__main__` writes it
# Of these the catalogue says that they depend on their arguments alone.
IMPURE = frozenset(
    ("current_setting", "getvariable", "current_localtime", "current_localtimestamp", "version", "getenv", "reservoir_quantile")
)


class Catalogue:
    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._connection = connection

    @cached_property
    def impure_call(self) -> re.Pattern[str]:
        """Finds in the text of a plan a call of what is no function of its arguments alone."""
        names = "|".join(map(re.escape, sorted({*self.impure_functions, *IMPURE, "age"})))
        return re.compile(rf'"name":"(?:{names})"')

    def functions(self) -> Mapping[str, Sequence[str]]:
        """Names by what is asked of them, as DuckDB itself tells; that takes it 50 ms, so `catalogue.json` keeps them by its version.

        impure: whose result may differ between two calls with the same arguments; a macro without any tells of the session.
        """
        pure = "stability = 'CONSISTENT' AND NOT (function_type = 'macro' AND len(parameters) = 0)"
        asked = f"SELECT DISTINCT function_name, function_type, coalesce({pure}, true) FROM duckdb_functions() ORDER BY ALL"
        rows = self._connection.execute(asked).fetchall()
        return {
            "impure": sorted({name for name, _, pure in rows if not pure}),
            "table": sorted({name for name, kind, _ in rows if kind.startswith("table")}),
            "aggregate": sorted({name for name, kind, _ in rows if kind == "aggregate"}),
            "macro": sorted({name for name, kind, _ in rows if kind == "macro"}),
        }

    @cached_property
    def _kept(self) -> Mapping[str, Sequence[str]]:
        import duckdb

        kept = json.loads(FILE.read_text(encoding="utf-8"))
        found: Mapping[str, Sequence[str]] = kept["functions"] if kept["version"] == duckdb.__version__ else self.functions()
        return found

    @cached_property
    def impure_functions(self) -> frozenset[str]:
        return frozenset(self._kept["impure"])

    @cached_property
    def table_functions(self) -> frozenset[str]:
        return frozenset(self._kept["table"])

    @cached_property
    def aggregates(self) -> frozenset[str]:
        return frozenset(self._kept["aggregate"])

    @cached_property
    def macros(self) -> frozenset[str]:
        """Names that stand for an expression, which may hold an aggregate."""
        return frozenset(self._kept["macro"])

    @cached_property
    def reserved_words(self) -> frozenset[str]:
        """Words that cannot stand wherever a name may."""
        rows = self._connection.execute("SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'")
        return frozenset(row[0] for row in rows.fetchall())
