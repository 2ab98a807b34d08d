"""How deep a statement may nest: beyond reason, sqlglot's compiled parser overflows the C stack, or takes quadratic time."""

from __future__ import annotations

from sqlglot import exp

from language.text.diagnostics import Problem, Span
from language.text.tokens import Chunk, Kind, Token

MOST = 100  # brackets and CASEs in each other; and calls or subscripts one after another, as in a[1][2]
SHORT = 2000  # characters of a query that cannot be too deep for its tree to be worked on
DEEPEST = (
    1000  # operators in each other, as in a AND b AND c: https://duckdb.org/docs/stable/configuration/overview, max_expression_depth
)
MOST_SETS = 250  # set operations in each other: sqlglot's annotator takes the square of their number
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_REMEDY = "split it into several views"


def check_nesting(chunk: Chunk) -> None:
    """Raises Problem at the first token of a statement that is nested too deeply."""
    text = chunk.tokens.first.span.to(chunk.tokens.last.span).text
    if sum(map(text.count, _OPENING)) + text.upper().count("CASE") <= MOST:
        return
    opened, links, after_dot = [""], [0], False  # links: per level, how many brackets open with nothing but names after dots between
    for token in chunk.tokens:
        what = _bracket(token)
        if what in _OPENING or what == "CASE":
            links[-1] += 1
            if links[-1] > MOST:
                raise Problem(token.span, f"more than {MOST} calls or subscripts follow one another", _REMEDY)
            if len(opened) > MOST:
                raise Problem(token.span, f"this is nested too deeply: more than {MOST} parentheses or CASEs in each other", _REMEDY)
            opened.append(what)
            links.append(0)
        elif what in _CLOSING or (what == "END" and opened[-1] == "CASE"):
            while what != "END" and opened[-1] == "CASE":
                opened.pop(), links.pop()
            if len(opened) > 1:
                opened.pop(), links.pop()
        elif not after_dot and not token.is_symbol("."):
            links[-1] = 0
        after_dot = token.is_symbol(".")


def _bracket(token: Token) -> str:
    """'CASE' and 'END' for these words, a symbol for itself, else ''."""
    if token.kind is Kind.SYMBOL:
        return token.text
    return token.text.upper() if token.is_word("CASE", "END") else ""


def too_deep(span: Span) -> Problem:
    """What is said of a statement that only the work on it shows to be nested too deeply."""
    return Problem(span, "this is nested too deeply to be read", _REMEDY)


def beyond_depth(tree: exp.Expr) -> exp.Expr | None:
    """A node of the tree that stands deeper in it than any system would take."""
    stack = [(tree, 0, 0)]
    while stack:
        node, depth, sets = stack.pop()
        sets += isinstance(node, exp.SetOperation)
        if depth > DEEPEST or sets > MOST_SETS:
            return node
        stack += [(child, depth + 1, sets) for child in node.iter_expressions()]
    return None
