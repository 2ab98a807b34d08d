"""Rows that are made of lists and maps: UNNEST, and functions in LATERAL VIEW."""

from __future__ import annotations

from sqlglot import exp

from language.sql.listed.calls import name_of
from language.sql.listed.expressions import Expressions
from language.sql.scope import NOTHING, Source, Typed
from shared_metadata.program.lineage import Use
from shared_metadata.program.type_names import TypeName

_READ = frozenset(("this", "expressions", "alias", "offset", "view", "outer", "ordinality", "cross_apply"))


def rows(node: exp.Unnest | exp.Lateral, expressions: Expressions) -> Source:
    """What it makes of each row of the tables before it. Its columns have no types where it is told to be wrong."""
    findings, rules = expressions.findings, expressions.rules
    unnested = isinstance(node, exp.Unnest)
    name = "unnest" if unnested else name_of(rules, findings, node.this)
    if name not in rules.makers or any(part and key not in _READ for key, part in node.args.items()):
        findings.problem(node, "this cannot be read in FROM here", "read a table of the warehouse, or a query of WITH")
        return _unknown(node)
    given = node.expressions if unnested else node.this.expressions
    columns, known = list[tuple[str, Typed]](), True
    for part in given:
        typed = expressions.under(Use.JOIN, part)
        made = rules.makers[name](typed.kind) if typed.kind is not None else []
        if made is None and typed.kind is not None:
            cause = f"`{name}` makes no rows of {rules.types.said(typed.kind)}"
            findings.problem(part, cause, "give it a list or a map")
        known = known and bool(made)
        columns += [(called, Typed(kind, typed.refs)) for called, kind in made or ()]
    if node.args.get("offset"):
        columns.append(("", Typed(rules.types.long, nullable=False)))
    if not known:
        return _unknown(node)
    found = Source(node.alias.lower(), _called(node, columns, expressions))
    return found.padded() if node.args.get("outer") else found


def _unknown(node: exp.Expr) -> Source:
    alias, offset = node.args.get("alias"), node.args.get("offset")
    names = [*(alias.columns if alias is not None else ()), *([offset] if isinstance(offset, exp.Identifier) else [])]
    return Source(node.alias.lower(), {name.name.lower(): NOTHING for name in names})


def selected(item: exp.Expr, node: exp.Select, expressions: Expressions) -> Typed | None:
    """An item of a SELECT that makes a row of each element; None of any other."""
    findings, rules = expressions.findings, expressions.rules
    inner = item.unalias()
    name = name_of(rules, findings, inner)
    if not rules.makers_in_select or name not in rules.makers or len(inner.expressions) != 1:
        return None
    others = [each for each in node.expressions if each is not item and name_of(rules, findings, each.unalias()) in rules.makers]
    typed = expressions.typed(inner.expressions[0])
    made = rules.makers[name](typed.kind) if typed.kind is not None else []
    if made is None and typed.kind is not None:
        findings.problem(item, f"`{name}` makes no rows of {rules.types.said(typed.kind)}", "give it a list or a map")
    elif made and (len(made) > 1 or others or node.args.get("group") is not None):
        findings.problem(item, f"`{name}` makes rows, and here one column of them alone", rules.makers_remedy)
    return Typed(made[0][1] if made else None, typed.refs)


def _called(node: exp.Unnest | exp.Lateral, columns: list[tuple[str, Typed]], expressions: Expressions) -> dict[str, Typed]:
    """The columns by the names that they are given, or that they have by themselves."""
    alias, offset = node.args.get("alias"), node.args.get("offset")
    names = [column.name.lower() for column in alias.columns] if alias is not None else []
    if names and isinstance(offset, exp.Identifier):  # which the parser takes from the names
        names.append(offset.name.lower())
    if not names:
        names = [name for name, _ in columns]
    if len(names) != len(columns):
        expressions.findings.problem(
            node, f"this makes {len(columns)} columns, and names {len(names)}", "name each of them: AS t (a, b)"
        )
    elif not all(names):
        expressions.findings.problem(node, "the columns that this makes have no names", "name them: AS t (a, b)")
    return {name: typed for name, (_, typed) in zip(names, columns, strict=False) if name}


def of_list_or_map(kind: TypeName) -> list[tuple[str, TypeName]] | None:
    """A column of a list's elements, or of each field where these are structs; two of a map."""
    if kind.word == "map":
        return [("", part) for part in kind.parts]
    if kind.word != "array":
        return None
    return [("", part) for part in kind.parts[0].parts] if kind.parts[0].fields else [("", kind.parts[0])]
