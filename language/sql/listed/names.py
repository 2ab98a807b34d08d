"""What a name means in an expression: a column, a field of one, a column of the SELECT itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from language.sql.listed.elements import field
from language.sql.scope import NOTHING, Typed
from language.text.diagnostics import did_you_mean

if TYPE_CHECKING:
    from language.sql.findings import Findings
    from language.sql.listed.expressions import Expressions
    from language.sql.listed.rules import Rules


def column(of: Expressions, node: exp.Column) -> Typed:
    if isinstance(node.this, exp.Star):
        return NOTHING
    parts = node.parts
    names = tuple(part.name.lower() for part in parts)
    found = of.scope.find(names[:-1], names[-1])
    if not found and len(names) == 1 and names[0] in of.aliases:
        unquoted(of.rules, of.findings, node.this)
        return of.aliases[names[0]]
    if not found and len(names) > 1:
        return _field(of, node, names)
    if len(found) != 1:
        return _unnamed(of, node, names, len(found))
    for part in parts:
        unquoted(of.rules, of.findings, part)
    of.findings.used(found[0].refs, of.use, node)
    return found[0]


def unquoted(rules: Rules, findings: Findings, name: exp.Expr | None) -> None:
    """Refuses a word of the engine's SQL as a name without quotes: it reads it as that word, and sqlglot as the name."""
    if isinstance(name, exp.Identifier) and not name.quoted and name.name.lower() in rules.no_names:
        word = name.name
        findings.problem(name, f"`{word}` is a word of {rules.engine}'s SQL", f'write it in quotes where it is a name: "{word}"')


def _field(of: Expressions, node: exp.Column, names: tuple[str, ...]) -> Typed:
    """A field of a column, which may be named with its table."""
    for owned in range(len(names) - 1):
        found = of.scope.find(names[:owned], names[owned])
        kind = field(found[0].kind, names[owned + 1 :]) if len(found) == 1 else None
        if kind is not None:
            of.findings.used(found[0].refs, of.use, node)
            return Typed(kind, found[0].refs)
    return _unnamed(of, node, names, 0)


def _unnamed(of: Expressions, node: exp.Column, names: tuple[str, ...], found: int) -> Typed:
    word = ".".join(names)
    if found:
        of.findings.problem(node, f"`{word}` is ambiguous: {found} tables of FROM have it", "write the table before it")
    elif names[-1] in of.scope.merged:
        of.findings.problem(node, f"USING makes `{names[-1]}` one column, of no table", f"name it alone: {names[-1]}")
    else:
        remedy = did_you_mean(names[-1], [*of.scope.names()]) + "name a column of the tables in FROM"
        of.findings.problem(node, f"there is no column `{word}`", remedy)
    return NOTHING
