"""Reads a query's parse tree: the tables in FROM, the columns, functions and stars that it names, each with its place and clause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from language.dialects.duckdb.given_names import names_by_pattern, names_of_pivot
from language.dialects.duckdb.recursion import deep_recursion
from language.dialects.duckdb.said import Call, Column, Said, Scope, Star, Table, Whole
from language.dialects.duckdb.window_order import orders, orders_by_names
from shared_metadata.program.lineage import Use

Tree = dict[str, Any]
Names = frozenset[str]
# what a key of a query's node says of the columns below it; below all others it stays what it was
_CLAUSES = {
    "select_list": Use.VALUE,
    "where_clause": Use.FILTER,
    "having": Use.FILTER,
    "qualify": Use.FILTER,
    "group_expressions": Use.GROUP,
    "distinct_on_targets": Use.GROUP,
    "limit": Use.FILTER,
    "offset": Use.FILTER,
    "condition": Use.JOIN,
    "partitions": Use.ORDER,
    "orders": Use.ORDER,
    "filter": Use.FILTER,
    "filter_expr": Use.FILTER,
    "values": Use.VALUE,
    "function": Use.JOIN,
}
_NESTED = frozenset((dict, list))  # of JSON, all else being leaves
_LEAVES = ("COLUMN_REF", "CONSTANT")
_WIDE = {"JOIN": "natural", "PIVOT": "pivot", "SHOW_REF": ""}  # what speaks of all columns of all tables, and the word for it


def read(tree: Tree) -> Said:
    """What a query says.  tree: of `Engine.tree`."""
    reader = _Reader()
    with deep_recursion():
        for statement in tree["statements"]:
            reader.query(statement["node"], frozenset(), None)
    reader.find_wide_tables()
    return reader.said


class _Reader:
    def __init__(self) -> None:
        self.said = Said()
        self._scopes: list[Scope] = []
        self._given: dict[Scope, dict[str, Tree]] = {}  # of a SELECT, its items by the names that AS gives, folded

    def query(self, node: Tree, ctes: Names, outer: Scope | None, *, exists: bool = False) -> None:
        """A SELECT, a set operation, or a recursive CTE with its two sides.  ctes: that are in sight, folded."""
        for entry in (node.get("cte_map") or {}).get("map", ()):
            name, inner = entry["key"].lower(), entry["value"]["query"]["node"]
            self.said.common_tables.append(name)
            self.said.words |= {name, *map(str.lower, entry["value"].get("aliases", ()))}
            self.query(inner, ctes | {name} if inner["type"] == "RECURSIVE_CTE_NODE" else ctes, outer)
            ctes |= {name}
        if node["type"] != "SELECT_NODE":
            for side in self._sides(node):
                self.query(side, ctes, outer)
            self._walk(node.get("modifiers"), ctes, Scope(outer=outer), Use.ORDER)
            return
        scope = Scope(outer=outer, exists=exists)
        self._scopes.append(scope)
        self._given[scope] = {item["alias"].lower(): item for item in node.get("select_list", ()) if item.get("alias")}
        self._walk(node.get("from_table"), ctes, scope, Use.JOIN)
        self.said.samples |= node.get("sample") is not None
        for key, value in node.items():
            if key not in ("from_table", "cte_map"):
                self._walk(value, ctes, scope, _CLAUSES.get(key, Use.VALUE))

    @staticmethod
    def _sides(node: Tree) -> Iterator[Tree]:
        for key in ("left", "right", "query", "child"):
            if isinstance(node.get(key), dict):
                yield node[key]
        yield from node.get("children", ())

    def _walk(self, value: Any, ctes: Names, scope: Scope, use: Use) -> None:
        if value.__class__ is list:
            for each in value:
                if each.__class__ in _NESTED:
                    self._walk(each, ctes, scope, use)
            return
        if value.__class__ is not dict:
            return
        kind = value.get("type")
        if "node" in value and isinstance(value["node"], dict):  # a subquery
            self.query(value["node"], ctes, scope)
            return
        if value.get("subquery_type") in ("EXISTS", "NOT_EXISTS"):
            self.query(value["subquery"]["node"], ctes, scope, exists=True)
            return
        if "class" in value:
            self._expression(value, scope, use)
            if value["class"] in _LEAVES:
                return
        elif isinstance(kind, str):
            self._from(value, kind, ctes, scope)
        for key, child in value.items():
            if child.__class__ in _NESTED and (key != "value" or (child.__class__ is dict and "class" in child)):
                self._walk(child, ctes, scope, _CLAUSES.get(key, use) if key != "values" or kind == "EXPRESSION_LIST" else use)

    def _expression(self, value: Tree, scope: Scope, use: Use) -> None:
        at, kind = value.get("query_location", 0), value["class"]
        if alias := value.get("alias"):
            self.said.words.add(alias.lower())
            self.said.given.add(alias.lower())
            if "\\" in alias and any(node.get("class") == "STAR" for node in nodes_in(value)):
                self.said.given_names.append(names_by_pattern(alias))
        if kind == "COLUMN_REF":
            names = tuple(value["column_names"])
            self.said.words.update(map(str.lower, names))
            self.said.columns.append(Column(names, use, at, scope))
        elif kind in ("FUNCTION", "WINDOW"):
            self.said.windows |= kind == "WINDOW"
            self.said.calls.append(self._call(value, at, scope))
        elif kind == "PARAMETER":
            self.said.parameters = True
        elif kind == "STAR":
            without = (*value.get("exclude_list", ()), *(each["column"] for each in value.get("qualified_exclude_list", ())))
            without = tuple(str(name).lower() for name in without)
            renamed = tuple(str(each["key"]["column"]).lower() for each in value.get("rename_list", ()))
            replaced = tuple(str(each["key"]).lower() for each in value.get("replace_list", ()))
            star = Star(str(value.get("relation_name", "")).lower(), at, scope, without, renamed, replaced)
            self.said.stars.append(star)
            self.said.words |= star.spoken_of

    def _call(self, value: Tree, at: int, scope: Scope) -> Call:
        name = value["function_name"].lower()
        if value["class"] != "WINDOW":
            return Call(name, at, in_from=False)
        by_rows, unordered = any(value.get(end, "").endswith("_ROWS") for end in ("start", "end")), not orders(value)
        unless_columns = not unordered and not orders_by_names(value, self._given.get(scope, {}))
        return Call(name, at, False, unordered, by_rows, True, unless_columns)

    def _from(self, value: Tree, kind: str, ctes: Names, scope: Scope) -> None:
        alias, at = str(value.get("alias", "")), value.get("query_location", 0)
        columns = tuple(value.get("column_name_alias", ()))
        self.said.words |= {alias.lower(), *map(str.lower, columns)}
        self.said.given |= set(map(str.lower, columns))
        if kind == "BASE_TABLE":
            names = tuple(value[key] for key in ("catalog_name", "schema_name", "table_name") if value.get(key))
            if len(names) == 1 and names[0].lower() in ctes:
                scope.others.append((alias or names[0]).lower())
                return
            self.said.words.add(names[-1].lower())
            table = Table(names, alias, at, columns)
            scope.tables.append(table)
            self.said.tables.append(table)
        elif kind == "JOIN":
            if value.get("ref_type") == "NATURAL":
                scope.wide.append(kind)
            self.said.positional |= value.get("ref_type") == "POSITIONAL"
            self.said.words |= {name.lower() for name in value.get("using_columns", ())}
            self.said.using += [(name.lower(), at, scope) for name in value.get("using_columns", ())]
        elif kind == "TABLE_FUNCTION":
            self.said.calls.append(Call(value["function"]["function_name"].lower(), at, in_from=True))
            scope.others.append(alias.lower() or value["function"]["function_name"].lower())
        elif kind in _WIDE:
            scope.wide.append(kind)
            self.said.shows |= kind == "SHOW_REF"
            self.said.given_names += names_of_pivot(value)
            self.said.words |= {name.lower() for each in (value, *value.get("pivots", ())) for name in each.get("unpivot_names", ())}
        if kind == "SUBQUERY":
            scope.others.append(alias.lower())
        self.said.samples |= value.get("sample") is not None

    def find_wide_tables(self) -> None:
        """Those behind a star, beside NATURAL JOIN or PIVOT, and those named where a column may stand: as a whole row."""
        for scope in self._scopes:
            if scope.wide:
                self.said.wide |= set(scope.tables)
                self.said.whole += [Whole(tuple(scope.tables), scope, _WIDE[kind]) for kind in scope.wide]
        for star in self.said.stars:
            self.said.wide |= set(star.tables)
        for column in self.said.columns:
            around: Scope | None = column.scope
            while around is not None and len(column.names) == 1:
                found = tuple(table for table in around.tables if table.called == column.names[0].lower())
                self.said.wide |= set(found)
                self.said.whole += [Whole(found, column.scope, at=column.at)] if found else []
                around = around.outer


def outermost(node: Tree) -> Sequence[Tree]:
    """The items of the SELECT whose rows are the query's; of a set operation those of the leftmost."""
    while node["type"] != "SELECT_NODE":
        node = next(_Reader._sides(node))
    items: Sequence[Tree] = node["select_list"]
    return items


def nodes_in(value: Any) -> Iterator[Tree]:
    """Every node of a tree or a plan, and below it."""
    stack = [value]
    while stack:
        found = stack.pop()
        if isinstance(found, list):
            stack += found
        elif isinstance(found, dict):
            yield found
            stack += found.values()


def called(tree: Tree) -> set[str]:
    """The functions that a tree names, folded."""
    return {str(node["function_name"]).lower() for node in nodes_in(tree) if "function_name" in node}


def places_in(item: Tree) -> Iterator[int]:
    """The byte at which each thing below a node stands."""
    return (node["query_location"] for node in nodes_in(item) if "query_location" in node)
