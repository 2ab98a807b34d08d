"""DuckDB as the judge of queries: parses and binds them over empty tables of their inputs' schemas; nothing is ever run.

One connection serves the process. It has one thread, so that a process can be forked beside it; it reaches no file and no network.
Its statements have no parameters: for the first of those the client imports pandas, where that is there, which takes half a second.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple

from language.dialects.duckdb.types import duckdb_type, iceberg_type, sample, sql_type, type_of
from language.recursion import deep_recursion
from shared_metadata.contract.duckdb_session import identifier, literal
from shared_metadata.records import SchemaColumn

Tree = dict[str, Any]
Tables = Mapping[str, tuple[SchemaColumn, ...]]
_TREE = "skip_null := true, skip_empty := true, skip_default := true"
_PLAN = "skip_null := true, skip_empty := true"  # a reference's number 0 is a default, and must be told
_TABLE = re.compile(r"^\s*TABLE\b", re.IGNORECASE)  # DESCRIBE TABLE t means something else
_NO_JSON = ("not implemented", "invalid input", "internal", "serialization")  # of what binds, and cannot be written as JSON
_PASSING = {
    **dict.fromkeys(("LOGICAL_LIMIT", "LOGICAL_ORDER_BY", "LOGICAL_DISTINCT"), 0),
    **dict.fromkeys(("LOGICAL_UNION", "LOGICAL_EXCEPT", "LOGICAL_INTERSECT"), 0),
    "LOGICAL_MATERIALIZED_CTE": 1,
}
# Of a cast that there is not, whatever the value; all else that it says of one is about the value.
_NO_CAST = re.compile(r"Unimplemented type for cast|^Not implemented Error|implicitly cast to any of the union member types")
# Of these the catalogue says that they depend on their arguments alone.
IMPURE = frozenset(("current_setting", "getvariable", "current_localtime", "current_localtimestamp", "version", "getenv"))
MOST_TREES = 20_000  # that are kept
MOST_PLANS = 200  # that are made by one call
_NO_FUNCTION = re.compile(r"(?:Scalar |Aggregate |Window )?Function with name .* does not exist")
_TEXT = {"id": "VARCHAR"}
_EMPTY_TEXT = '"is_null": false}'  # of a constant whose value `_TREE` leaves out
_LITERAL = r'\{"class":"CONSTANT"'
# A part of a query's JSON that may be constant and is more than a literal; text in brackets is not told from a list's.
_OF_LITERALS = re.compile(
    rf'"(?:left|input|when_expr)":{_LITERAL}|"child":\{{"class":"CAST"'
    rf'|"child":{_LITERAL}(?![^{{}}]*"value":\{{"type":\{{"id":"VARCHAR"\}})'
    r'|"children":\[(?:(?!"class":"(?!CONSTANT"|CAST"))[^\[\]])+\]'
)
_OF_A_LITERAL = re.compile(rf'"child":{_LITERAL}')
_CASTING = '"BOUND_CAST"'
_BOUNDS = ("batch_start", "batch_end")


@dataclass
class EngineError(Exception):
    """What DuckDB has against a query.  kind: its own ('parser', 'binder', 'catalog' …), subtype too ('COLUMN_NOT_FOUND' …).

    position: in bytes of the text, None where it tells none.
    """

    kind: str
    message: str
    position: int | None = None
    subtype: str = ""
    name: str = ""


class BoundColumn(NamedTuple):
    """An output column.  type: a schema's, None for one that no table can hold.  said: DuckDB's word for it."""

    name: str
    type: str | None
    said: str


@dataclass(frozen=True)
class Bound:
    """A query that binds: its output columns, and its logical plan.

    plan: None for one that has no JSON form.  impure: whether the plan may call a function that is none of its arguments alone.
    casts: whether it makes a value one of another type.
    """

    columns: tuple[BoundColumn, ...]
    plan: Tree | None
    impure: bool = False
    casts: bool = False


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
        self._without_value: dict[str, str] = {}  # of a constant's text, why it has none
        self._refusals: dict[tuple[str, str], str] = {}  # of a value, to become one of a type

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
        return _answer(self._trees[text])

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

    def bind(self, text: str, tables: Tables, names: Sequence[str] = ()) -> Bound:
        """The query over its inputs.  tables: by the names that FROM has, 'lake.ops.flights'. Raises EngineError.

        names: of its columns where the text tells all of them, which saves binding it once more.
        """
        planned, serialized = self._plans.pop(text, (None, ""))
        if planned != tables:
            self._provide(tables)
            (serialized,) = self._serialized_plans([text])
        try:
            plans = _answer(serialized)["plans"]
        except EngineError as error:
            if error.kind not in _NO_JSON:
                raise
            return Bound(self._described(text, tables), None, True)
        plan = plans[0] if len(plans) == 1 else None
        columns = _columns_of(plan, names) if plan is not None else None
        impure, casts = self._impure.search(serialized) is not None, _CASTING in serialized
        return Bound(columns or self._described(text, tables), plan, impure, casts)

    def _described(self, text: str, tables: Tables) -> tuple[BoundColumn, ...]:
        """By another way, where names or the plan are missing: the plan calls some columns by numbers. Raises EngineError."""
        self._provide(tables)  # the plan may have been made ahead, and other tables since
        try:
            described = self._connection.execute("DESCRIBE " + _TABLE.sub("FROM", text)).fetchall()
            kinds = _answer(self._serialized_plans([f"SELECT * FROM (\n{text}\n)"])[0])["plans"][0]
        except self._duckdb.Error as error:
            raise EngineError("binder", str(error).partition("\n")[0].partition(": ")[2]) from None
        typed = _columns_of(kinds, [str(row[0]) for row in described])
        if typed is None:
            raise EngineError("binder", "the columns of this query cannot be told")
        return typed

    def _serialized_plans(self, texts: Iterable[str]) -> list[str]:
        listed = ", ".join(map(literal, texts))
        query = f"SELECT json_serialize_plan(q, {_PLAN}) FROM (SELECT unnest([{listed}]) AS q)"
        return [row[0] for row in self._connection.execute(query).fetchall()]

    def _provide(self, tables: Tables) -> None:
        """In a transaction for each database, which costs two thirds of one for each table; DuckDB takes no other."""
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

    @cached_property
    def _impure(self) -> re.Pattern[str]:
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

    def casts(self, source: Mapping[str, Any], target: Mapping[str, Any]) -> bool:
        """Whether any value of one type can become one of the other: asked with a value, since NULL becomes everything."""
        return _NO_CAST.search(self._refusal(sample(source), sql_type(target))) is None

    def reads(self, text: str, target: str) -> bool:
        """Whether a text is a value of a type."""
        return not self._refusal(literal(text), target)

    def unknown_function(self, name: str, *, over: bool) -> EngineError | None:
        """What DuckDB says of a name that no function has; None of one that some has.  over: whether it is one with OVER."""
        if (name, over) not in self._unknown:
            error = None
            try:
                _answer(self._serialized_plans([f"SELECT {identifier(name)}(){' OVER ()' if over else ''}"])[0])
            except EngineError as found:
                error = found if _NO_FUNCTION.match(found.message) else None
            self._unknown[name, over] = error
        return self._unknown[name, over]

    def computes_constants(self, text: str, *, but_texts: bool) -> bool:
        """Whether a text that was parsed may have a constant part that is more than a literal; told at little cost.

        but_texts: or more than a text that is cast.
        """
        tree = self._trees.get(text)
        if tree is None or "[" in text or "]" in text or _OF_LITERALS.search(tree):
            return True
        return not but_texts and _OF_A_LITERAL.search(tree) is not None

    def without_value(self, expressions: Sequence[Tree]) -> list[str]:
        """Of each constant expression of a parse tree what DuckDB has against computing it; '' for nothing. Each is asked once."""
        texts = [self._written(expression) for expression in expressions]
        new = [text for text in dict.fromkeys(texts) if text not in self._without_value]
        if new:
            computed = self._computed(new)
            self._without_value |= {text: "" if computed is None else self._computed([text]) or "" for text in new}
        return [self._without_value[text] for text in texts]

    def _written(self, expression: Tree) -> str:
        """As DuckDB writes it in SQL; NULL where it cannot."""
        child, target = expression.get("child", {}), expression.get("cast_type", {})
        if child.get("value", {}).get("type") == _TEXT and not expression.get("try_cast"):
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
        except (self._duckdb.ConversionException, self._duckdb.OutOfRangeException, self._duckdb.InvalidInputException) as error:
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


def _answer(text: str) -> Tree:
    with deep_recursion():
        found: Tree = json.loads(text)
    if found.get("error"):
        position = found.get("position")
        raise EngineError(
            str(found.get("error_type", "")),
            str(found.get("error_message", "")),
            int(position) if position is not None else None,
            str(found.get("error_subtype", "")),
            str(found.get("name", "")),
        )
    return found


def _columns_of(plan: Tree, names: Sequence[str]) -> tuple[BoundColumn, ...] | None:
    """The outputs of a plan; None where it does not tell their types, or as many as there are names."""
    while plan["type"] in _PASSING:
        plan = plan["children"][_PASSING[plan["type"]]]
    expressions = plan.get("expressions", ())
    if plan["type"] != "LOGICAL_PROJECTION" or len(names) != len(expressions):
        return None
    found = []
    for name, expression in zip(names, expressions, strict=True):
        kind = type_of(expression)
        if kind is None:
            return None
        found.append(BoundColumn(name, iceberg_type(kind), kind["id"]))
    return tuple(found)


def engine() -> Engine:
    """The process's own: a forked one makes another."""
    return _engine_of(os.getpid())


@cache
def _engine_of(process: int) -> Engine:
    return Engine()
