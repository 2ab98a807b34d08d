"""DuckDB as the judge of queries: parses and binds them over empty tables of their inputs' schemas; nothing is ever run.

One connection serves the process. It has one thread, so that a process can be forked beside it; it reaches no file and no network.
Its statements have no parameters: for the first of those the client imports pandas, where that is there, which takes half a second.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from language.dialects.duckdb.answers import Bound, BoundColumn, EngineError, Tree, columns_of, parsed_answer
from language.dialects.duckdb.catalogue import Catalogue
from language.dialects.duckdb.types import duckdb_type
from language.dialects.duckdb.values import Values
from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.program.schema import SchemaColumn

Tables = Mapping[str, tuple[SchemaColumn, ...]]
_TREE = "skip_null := true, skip_empty := true, skip_default := true"
_PLAN = "skip_null := true, skip_empty := true"  # a reference's number 0 is a default, and must be told
_TABLE = re.compile(r"^\s*TABLE\b", re.IGNORECASE)  # DESCRIBE TABLE t means something else
_NO_JSON = ("not implemented", "invalid input", "internal", "serialization")  # of what binds, and cannot be written as JSON
MOST_TREES = 20_000  # that are kept
MOST_PLANS = 200  # that are made by one call
_NO_FUNCTION = re.compile(r"(?:Scalar |Aggregate |Window )?Function with name .* does not exist")
_CASTING = '"BOUND_CAST"'
_BOUNDS = ("batch_start", "batch_end")


class Engine:
    def __init__(self) -> None:
        import duckdb

        self._duckdb = duckdb
        self._connection = duckdb.connect(
            config={
                "threads": 1,
                "enable_external_access": "false",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
            }
        )
        self._connection.execute("SET GLOBAL TimeZone = 'UTC'")
        self._connection.execute("SET enable_progress_bar = false")  # it would go to the command's own output
        for name in _BOUNDS:
            self._connection.execute(f"CREATE MACRO {name}() AS TIMESTAMPTZ '2000-01-01 00:00:00+00'")
        self._databases = {"memory"}
        self._tables: dict[str, tuple[SchemaColumn, ...]] = {}
        self._trees: dict[str, str] = {}
        self._plans: dict[str, tuple[Tables, str]] = {}  # made ahead, over these tables
        self._unknown: dict[tuple[str, bool], EngineError | None] = {}  # by a function's name, and whether it is one with OVER
        self._values: dict[str, bool] = {}  # by a name, whether it means something without a column
        self.catalogue, self.values = Catalogue(self._connection), Values(self._connection)

    def read_ahead(self, texts: Iterable[str]) -> None:
        """Parses many queries by one call, which costs a tenth of as many calls; `tree` then knows them."""
        new = [text for text in dict.fromkeys(texts) if text not in self._trees]
        if not new:
            return
        listed = ", ".join(map(literal, new))
        found = self._connection.execute(f"SELECT json_serialize_sql(q, {_TREE}) FROM (SELECT unnest([{listed}]) AS q)").fetchall()
        if len(self._trees) > MOST_TREES:
            self._trees.clear()
        self._trees |= dict(zip(new, (row[0] for row in found), strict=True))

    def tree(self, text: str) -> Tree:
        """The text's parse tree: `{'statements': [{'node': …}, …]}`. Raises EngineError."""
        if text not in self._trees:
            self.read_ahead([text])
        return parsed_answer(self._trees[text], text)

    def plan_ahead(self, queries: Sequence[tuple[str, Tables]]) -> None:
        """Makes the plans that `bind` will want of texts over their tables, many by one call.

        One that sees a table otherwise than those before it is left to `bind`.
        """
        self._plans.clear()
        for begin in range(0, len(queries), MOST_PLANS):
            tables: dict[str, tuple[SchemaColumn, ...]] = {}
            fitting = {}
            for text, seen in queries[begin : begin + MOST_PLANS]:
                if all(tables.setdefault(name, columns) == columns for name, columns in seen.items()):
                    fitting[text] = seen
            self._provide(tables)
            self._plans |= zip(fitting, zip(fitting.values(), self._serialized_plans(fitting), strict=True), strict=True)

    def serialized_tree(self, text: str) -> str:
        """The tree of a text that was parsed, as DuckDB writes it; '' where it is not kept."""
        return self._trees.get(text, "")

    def bind(self, text: str, tables: Tables, names: Sequence[str] = ()) -> Bound:
        """The query over its inputs.  tables: by the names that FROM has, 'lake.ops.flights'. Raises EngineError.

        names: of its columns where the text tells all of them, which saves binding it once more.
        """
        planned, serialized = self._plans.pop(text, (None, ""))
        if planned != tables:
            self._provide(tables)
            (serialized,) = self._serialized_plans([text])
        try:
            plans = parsed_answer(serialized, text)["plans"]
        except EngineError as error:
            if error.kind not in _NO_JSON:
                raise
            return Bound(self._described(text, tables), None, True)
        plan = plans[0] if len(plans) == 1 else None
        columns = columns_of(plan, names) if plan is not None else None
        impure, casts = self.catalogue.impure_call.search(serialized) is not None, _CASTING in serialized
        return Bound(columns or self._described(text, tables), plan, impure, casts)

    def _described(self, text: str, tables: Tables) -> tuple[BoundColumn, ...]:
        """Binds by another way, where names or the plan are missing: the plan calls some columns by numbers. Raises EngineError."""
        self._provide(tables)  # the plan may have been made ahead, and other tables since
        try:
            described = self._connection.execute("DESCRIBE " + _TABLE.sub("FROM", text)).fetchall()
            around = f"SELECT * FROM (\n{text}\n)"
            kinds = parsed_answer(self._serialized_plans([around])[0], around)["plans"][0]
        except self._duckdb.Error as error:
            raise EngineError("binder", str(error).partition("\n")[0].partition(": ")[2]) from None
        typed = columns_of(kinds, [str(row[0]) for row in described])
        if typed is None:
            raise EngineError("binder", "the columns of this query cannot be told")
        return typed

    def _serialized_plans(self, texts: Iterable[str]) -> list[str]:
        listed = ", ".join(map(literal, texts))
        query = f"SELECT json_serialize_plan(q, {_PLAN}) FROM (SELECT unnest([{listed}]) AS q)"
        return [row[0] for row in self._connection.execute(query).fetchall()]

    def _provide(self, tables: Tables) -> None:
        """Creates tables, a transaction for each database, which costs two thirds of one for each table; DuckDB takes no other."""
        statements: dict[str, list[str]] = {}
        for name, columns in tables.items():
            if self._tables.get(name) != columns:
                statements.setdefault(name.partition(".")[0], []).append(self._creation(name, columns))
        for created in statements.values():
            self._connection.execute(";".join(("BEGIN", *created, "COMMIT")))
        self._tables.update(tables)

    def _creation(self, name: str, columns: tuple[SchemaColumn, ...]) -> str:
        *path, table = name.split(".")
        if len(path) == 2 and path[0] not in self._databases:
            self._connection.execute(f"ATTACH ':memory:' AS {identifier(path[0])}")
            self._databases.add(path[0])
        if path and ".".join(path) not in self._databases:
            self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {'.'.join(map(identifier, path))}")
            self._databases.add(".".join(path))
        fields = ", ".join(f"{identifier(column.name)} {duckdb_type(column.type)}" for column in columns)
        return f"CREATE OR REPLACE TABLE {'.'.join(map(identifier, (*path, table)))} ({fields})"

    def unknown_function(self, name: str, *, over: bool) -> EngineError | None:
        """What DuckDB says of a name that no function has; None of one that some has.  over: whether it is one with OVER."""
        if (name, over) not in self._unknown:
            error, call = None, f"SELECT {identifier(name)}(){' OVER ()' if over else ''}"
            try:
                parsed_answer(self._serialized_plans([call])[0], call)
            except EngineError as found:
                error = found if _NO_FUNCTION.match(found.message) else None
            self._unknown[name, over] = error
        return self._unknown[name, over]

    def is_value(self, name: str) -> bool:
        """Whether a name means something where no column has it, as `current_date` does."""
        if name not in self._values:
            try:
                self._values[name] = bool(self.bind(f"SELECT {identifier(name)}", {}))
            except EngineError:
                self._values[name] = False
        return self._values[name]


def engine() -> Engine:
    """The process's own: a forked one makes another."""
    return _engine_of(os.getpid())


@cache
def _engine_of(process: int) -> Engine:
    return Engine()
