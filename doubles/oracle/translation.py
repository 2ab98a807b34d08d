"""Oracle's SQL as PostgreSQL has it, by sqlglot; what PostgreSQL would take and Oracle does not is refused as Oracle does."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from doubles.oracle.errors import OracleError

_BIND = re.compile(r""""[^"]*"|'(?:[^']|'')*'|:(\w+)""")
# What sqlglot does not read, as functions of the prelude.
_WRITTEN_OTHERWISE = (
    (re.compile(r"XMLSERIALIZE\(CONTENT (\w+) AS CLOB\)"), r"XML_TEXT(\1)"),
    (re.compile(r"JSON_SERIALIZE\((\w+) RETURNING CLOB\)"), r"JSON_TEXT(\1)"),
    (re.compile(r"DBMS_LOB\.SUBSTR\("), "DBMS_LOB_SUBSTR("),
    (re.compile(r"DBMS_FLASHBACK\.GET_SYSTEM_CHANGE_NUMBER"), "SYSTEM_CHANGE_NUMBER()"),
)
_PAIRS = 50  # of a function's 100 arguments
_HAS_ZONE = re.compile(r"[+-]\d\d:\d\d\s*$")


@dataclass
class Translated:
    """text: PostgreSQL's, with %s for each bind.  binds: their names in that order.
    first_names: the same, each once, in Oracle's order.  as_of: the change whose state is asked for.
    """

    text: str
    binds: list[str]
    first_names: list[str]
    as_of: int | None = None
    is_query: bool = False


def translate(text: str, change_number: Callable[[], int]) -> Translated:
    """Raises OracleError for what Oracle refuses, and what the double does not know."""
    binds: list[str] = []

    def marked(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0]
        binds.append(found[1])
        return f"bind_{len(binds)}_"

    text = _BIND.sub(marked, text.strip())
    for pattern, other in _WRITTEN_OTHERWISE:
        text = pattern.sub(other, text)
    try:
        tree = sqlglot.parse_one(text, read="oracle")
    except SqlglotError as error:
        raise OracleError(900, f"invalid SQL statement (the double: {str(error).splitlines()[0][:100]})") from None
    _refuse(tree, text)
    versions = [table.args["version"] for table in tree.find_all(exp.Table) if table.args.get("version")]
    as_of = {int(version.expression.name) for version in versions}
    for node in reversed(list(tree.walk())):  # from the leaves on: what is written otherwise holds what was before
        made = _written(node, change_number)
        if node is tree:
            tree = made
        elif made is not node:
            node.replace(made)
    written = tree.sql("postgres").replace("%", "%%")
    order = [int(number) for number in re.findall(r"bind_(\d+)_", written, re.IGNORECASE)]
    written = re.sub(r'"?bind_\d+_"?', "%s", written, flags=re.IGNORECASE)
    names = list(dict.fromkeys(binds))
    return Translated(written, [binds[number - 1] for number in order], names, max(as_of, default=None), isinstance(tree, exp.Query))


def _refuse(tree: exp.Expr, text: str) -> None:
    for node in tree.walk():
        if isinstance(node, exp.Limit) and not isinstance(node, exp.Fetch):
            raise OracleError(933, "SQL command not properly ended")
        if isinstance(node, exp.Select):
            if not node.args.get("from_"):
                raise OracleError(923, "FROM keyword not found where expected")
            for item in node.expressions:
                if isinstance(item.unalias(), exp.Predicate | exp.And | exp.Or | exp.Not):
                    raise OracleError(923, "FROM keyword not found where expected")
        if isinstance(node, exp.Boolean):
            raise OracleError(904, f'"{node.sql().upper()}": invalid identifier')
        alias = node.args.get("alias")
        if isinstance(node, exp.Table | exp.Subquery) and isinstance(alias, exp.TableAlias) and alias.this is not None:
            start = alias.this.meta.get("start")
            if start is not None and re.search(r"\bAS\s*$", text[:start], re.IGNORECASE):
                raise OracleError(933, "SQL command not properly ended")


def _written(node: exp.Expr, change_number: Callable[[], int]) -> exp.Expr:
    if isinstance(node, exp.Column) and node.name.upper() == "ROWID" and not node.this.quoted:
        return exp.Anonymous(this="rowid_of", expressions=[exp.to_identifier("tableoid"), exp.to_identifier("ctid")])
    if (
        isinstance(node, exp.Identifier)
        and not node.quoted
        and not re.fullmatch(r"bind_\d+_|rowid|tableoid|ctid", node.name, re.IGNORECASE)
    ):
        return exp.Identifier(this=node.name.upper(), quoted=True)
    if isinstance(node, exp.Literal) and node.is_string and not node.this:
        return exp.Null()
    if isinstance(node, exp.Table):
        node.set("version", None)
    if isinstance(node, exp.TableSample):
        node.set("method", exp.Var(this="SYSTEM"))
    if isinstance(node, exp.DateStrToDate):
        return exp.cast(node.this, "timestamp(0)", dialect="postgres")
    if isinstance(node, exp.StrToTime) and isinstance(node.this, exp.Literal) and "TO_TIMESTAMP" not in node.sql():
        return _moment(node.this)
    if isinstance(node, exp.StrToDate | exp.StrToTime | exp.TsOrDsToDate):
        return exp.Anonymous(this="to_date", expressions=[node.this, exp.Literal.string("")])
    if isinstance(node, exp.CurrentTimestamp):
        return exp.Anonymous(this="sysdate")
    if isinstance(node, exp.JSONObject):
        objects = [_json_object(node.expressions[first : first + _PAIRS]) for first in range(0, len(node.expressions), _PAIRS)]
        return exp.Anonymous(this="json_joined", expressions=objects)
    if isinstance(node, exp.DPipe):  # nothing and a text are the text
        joined = exp.Anonymous(this="concat", expressions=[node.this, node.expression])
        return exp.Anonymous(this="nullif", expressions=[joined, exp.Literal.string("")])
    if isinstance(node, exp.Substring):
        return exp.Anonymous(this="substr", expressions=[node.this, node.args["start"], *filter(None, [node.args.get("length")])])
    if isinstance(node, exp.Anonymous) and node.name.upper() == "SYSTEM_CHANGE_NUMBER":
        return exp.Literal.number(change_number())
    return node


def _json_object(pairs: list[exp.Expr]) -> exp.Expr:
    return exp.Anonymous(this="json_build_object", expressions=[part for pair in pairs for part in (pair.this, pair.expression)])


def _moment(literal: exp.Literal) -> exp.Expr:
    """TIMESTAMP '…', with a zone or without."""
    return exp.cast(literal, "timestamptz" if _HAS_ZONE.search(literal.name) else "timestamp", dialect="postgres")
