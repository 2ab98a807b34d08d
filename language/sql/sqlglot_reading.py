"""SQL as sqlglot's stock dialects read it: its tree, and what is wrong where there is none."""

from __future__ import annotations

import re

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

from language.sql.dialect import sqlglot_dialect
from language.sql.query import first_word
from language.text.diagnostics import Problem, Span
from language.text.nesting import SHORT, beyond_depth, too_deep

_TOKEN = re.compile(r"<Token token_type: .*?, text: (.*?), line: .*>", re.DOTALL)
_QUERY = re.compile(r"(?:[\s(]|--[^\n]*\n|/\*(?s:.*?)\*/)*+(?:SELECT|WITH|FROM|TABLE)\b", re.IGNORECASE)
_MISSING = re.compile(r"Required keyword: '(\w+)' missing for <class '[\w.]*\.(\w+)'>")


def reads(text: str) -> bool:
    """Whether SQL begins as a query does; of anything else sqlglot makes a Command, and says so in the log."""
    return _QUERY.match(text) is not None


def parsed(span: Span, dialect: str, text: str) -> exp.Expr:
    """The tree of `text`, which stands for what is written at `span`, of its length. Raises Problem."""
    try:
        tree = sqlglot.parse_one(text, dialect=sqlglot_dialect(dialect))
    except ParseError as error:
        raise _parse_problem(span, error) from error
    except RecursionError:
        raise too_deep(first_word(span)) from None
    except (SqlglotError, ValueError, TypeError, AttributeError, IndexError, KeyError) as error:  # odd text trips sqlglot
        raise Problem(first_word(span), f"this is not {dialect} SQL", "write plain SQL here") from error
    if len(text) > SHORT:
        node = beyond_depth(tree)
        if node is not None:
            raise too_deep(place(node, span))
    return tree


def place(node: exp.Expr, span: Span) -> Span:
    """Where a node of the SQL at `span` stands, as near as sqlglot tells; the first word if it tells nothing."""
    ends = [(n.meta["start"], n.meta["end"] + 1) for n in node.walk() if "start" in n.meta and "end" in n.meta]
    if not ends:
        return first_word(span)
    return Span(span.source, span.start + min(start for start, _ in ends), span.start + max(end for _, end in ends))


def _parse_problem(span: Span, error: ParseError) -> Problem:
    details = error.errors[0] if error.errors else {}
    description = str(details.get("description") or "this SQL cannot be read").rstrip(".")
    description = _TOKEN.sub(r"`\1`", description)
    if missing := _MISSING.match(description):
        description = f"something is missing in this {missing[2].lower()}"
    highlight, line, column = str(details.get("highlight") or ""), details.get("line"), details.get("col")
    found = first_word(span)
    if line and column:
        lines = span.text.splitlines(keepends=True)
        end = span.start + sum(map(len, lines[: line - 1])) + column
        if span.start < end <= span.end:
            start = max(end - max(len(highlight), 1), span.start)
            found = Span(span.source, start, end)
    what = "this SQL cannot be read: " if not description.startswith("this SQL") else ""
    return Problem(found, f"{what}{description[:1].lower()}{description[1:]}", "check the SQL before and at this place")
