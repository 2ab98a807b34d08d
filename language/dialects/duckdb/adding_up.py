"""Whether the batches of a query add up: what it makes of several intervals is what it makes of each of them, taken together.

That is so where each row of the result is made of rows of one interval: of one alone, or of a group that no interval's bound cuts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from language.dialects.duckdb.syntax_tree import Tree, called, nodes_in
from language.sql.query import BATCH_BOUNDS

# All that the SELECT may have, and its table in FROM: neither an order with a limit, nor a sample, nor another table.
_SELECT = frozenset(
    ("type", "select_list", "from_table", "where_clause", "having", "group_expressions", "group_sets", "aggregate_handling")
)
_TABLE = frozenset(("type", "alias", "query_location", "schema_name", "table_name", "catalog_name"))
_ACROSS = frozenset(("WINDOW", "SUBQUERY"))  # what sees other rows than its own
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 7 * 86400}
_FROM = (("COMPARE_GREATERTHANOREQUALTO", "left", "right"), ("COMPARE_LESSTHANOREQUALTO", "right", "left"))
_TO = (("COMPARE_LESSTHAN", "left", "right"), ("COMPARE_GREATERTHAN", "right", "left"))


def adds_up_by(tree: Tree, interval_seconds: int, aggregates: Collection[str]) -> str:
    """The folded column of the query's only table by whose window, from batch_start() to before batch_end(), its batches add up.

    '' where they do not, or where this does not tell. tree: of `Engine.tree`.  aggregates: the names of all that may be one.
    """
    select = tree["statements"][0]["node"]
    table = select.get("from_table") or {}
    if (
        select["type"] != "SELECT_NODE"
        or table.get("type") != "BASE_TABLE"
        or not (select.keys() <= _SELECT and table.keys() <= _TABLE)
    ):
        return ""
    if select.get("aggregate_handling", "STANDARD_HANDLING") != "STANDARD_HANDLING":
        return ""
    names = {str(table.get("alias") or table["table_name"]).lower()}
    conditions = list(_conjuncts(select.get("where_clause")))
    windows = [
        {_compared(one, ways, bound, names) for one in conditions} - {""}
        for ways, bound in ((_FROM, "batch_start"), (_TO, "batch_end"))
    ]
    nodes = list(nodes_in(select))
    bounds = sum(str(node.get("function_name")).lower() in BATCH_BOUNDS for node in nodes)
    if windows[0] != windows[1] or len(windows[0]) != 1 or bounds != 2 or any(node.get("class") in _ACROSS for node in nodes):
        return ""
    (column,) = windows[0]
    groups = select.get("group_expressions") or ()
    if not groups:
        return "" if "having" in select or "group_sets" in select or called(select).intersection(aggregates) else column
    if len(select["group_sets"]) != 1:
        return ""
    whole = any(_is_within(_meant(group, select["select_list"]), column, interval_seconds, names) for group in groups)
    return column if whole else ""


def _conjuncts(condition: Tree | None) -> Iterator[Tree]:
    if condition is None:
        return
    if condition["type"] == "CONJUNCTION_AND":
        for child in condition["children"]:
            yield from _conjuncts(child)
    else:
        yield condition


def _compared(condition: Tree, ways: Collection[tuple[str, str, str]], bound: str, names: Collection[str]) -> str:
    """The column that a condition compares with a bound in one of these ways; '' for none."""
    for kind, column, other in ways:
        if condition["type"] == kind and str(condition[other].get("function_name")).lower() == bound:
            return _column(condition[column], names)
    return ""


def _column(node: Tree, tables: Collection[str]) -> str:
    """The folded name of a column of the table; '' for anything else."""
    if node.get("class") != "COLUMN_REF":
        return ""
    *table, column = (str(name).lower() for name in node["column_names"])
    return column if not table or (len(table) == 1 and table[0] in tables) else ""


def _meant(group: Tree, items: Collection[Tree]) -> Tree:
    """What is grouped by: the item of the SELECT where its place is given."""
    place = group.get("value", {}).get("value") if group.get("class") == "CONSTANT" else None
    return list(items)[place - 1] if isinstance(place, int) and 0 < place <= len(items) else group


def _is_within(group: Tree, column: str, interval_seconds: int, tables: Collection[str]) -> bool:
    """Whether all rows of a group are of one interval: it is the column itself, or cut to a unit that divides the interval.

    Intervals begin at multiples of their length, and units do; weeks both on Mondays.
    """
    if _column(group, tables) == column:
        return True
    if str(group.get("function_name")).lower() != "date_trunc" or len(group.get("children", ())) != 2:
        return False
    unit, cut = group["children"]
    seconds = _SECONDS.get(str(unit.get("value", {}).get("value")).lower())
    return seconds is not None and interval_seconds % seconds == 0 and _column(cut, tables) == column
