"""Which keys are one for Salesforce, though they differ here: it cuts blanks off, and compares most texts whatever their case."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.contract.results.results import Results
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.errors import DefinitionError
from slices.harness.salesforce.logic import Column, Writing

OpenResults = Callable[[Deadline], Results]
BLANKS = " || ".join(f"chr({code})" for code in (32, 9, 10, 13))


class Keys:
    """The keys of a result.  files: of that."""

    def __init__(self, writing: Writing, files: Sequence[str], open_results: OpenResults, place: str) -> None:
        self._key, self._files, self._open_results, self._place = writing.key, files, open_results, place
        self._checked = False

    def check(self, deadline: Deadline) -> None:
        """Raises DefinitionError where two rows would be one record, which either would write in turn."""
        if self._checked or not (key := self._folded):
            return
        twice = f"SELECT 1 FROM ({self._rows(key)}) GROUP BY k HAVING count(*) > 1"
        ((count,),) = self._ask(f"SELECT count(*) FROM ({twice})", deadline)
        self._checked = True
        if count:
            differ = "blanks" if key.field.case_sensitive else "case or blanks"
            what = f"{count} keys ({key.name}) are several rows that differ in {differ}, and one record for Salesforce"
            raise DefinitionError(what, place=self._place, remedy="make them one in the query, as by lower(trim(…))")

    def held(self, values: Collection[str], deadline: Deadline) -> set[str]:
        """Those that are, for Salesforce, keys of the result."""
        if not values or not (key := self._folded):
            return set()
        given = ", ".join(f"({literal(value)})" for value in values)
        query = f"SELECT v FROM (VALUES {given}) t(v) WHERE {_folded('v', key)} IN ({self._rows(key)})"
        return {value for (value,) in self._ask(query, deadline)}

    @property
    def _folded(self) -> Column | None:
        return self._key if self._files and self._key and self._key.field.is_text else None

    def _rows(self, key: Column) -> str:
        return f"SELECT {_folded(f'r.{identifier(key.name)}', key)} AS k FROM rows r"

    def _ask(self, query: str, deadline: Deadline) -> list[tuple[Any, ...]]:
        """query: over `rows`, those of the result."""
        results = self._open_results(deadline)
        try:
            return results.ask(query, self._files)
        finally:
            results.close()


def folded(value: str, key: Column) -> str:
    return value.strip() if key.field.case_sensitive else value.strip().lower()


def _folded(value: str, key: Column) -> str:
    cut = f"trim(CAST({value} AS VARCHAR), {BLANKS})"
    return cut if key.field.case_sensitive else f"lower({cut})"
