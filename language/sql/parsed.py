"""A statement's query, parsed by sqlglot's stock dialect: the tables it reads, each with its place in the program."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Protocol

import sqlglot
from sqlglot import Dialect, TokenType, exp
from sqlglot.errors import ParseError, SqlglotError

from language.text.diagnostics import Problem, Span
from language.text.nesting import SHORT, beyond_depth, too_deep
from language.text.places import of_kind
from shared_metadata.soql import LITERAL

OWN_COLUMNS = frozenset({"_batch", "_deleted"})  # that Atoll adds to tables
BATCH_BOUNDS = frozenset({"batch_start", "batch_end"})
_FILE_READERS = (exp.ReadCSV, exp.ReadParquet)
_FILE_FUNCTIONS = re.compile(r"read_\w+|\w+_scan|\w+_query|query|query_table|glob|sniff_csv|parquet_\w+")
_TOKEN = re.compile(r"<Token token_type: .*?, text: (.*?), line: .*>", re.DOTALL)
_QUERY = re.compile(r"(?:[\s(]|--[^\n]*\n|/\*(?s:.*?)\*/)*+(?:SELECT|WITH|FROM|TABLE)\b", re.IGNORECASE)
_MISSING = re.compile(r"Required keyword: '(\w+)' missing for <class '[\w.]*\.(\w+)'>")


@dataclass(frozen=True, eq=False)
class TableReference:
    """A table in a FROM clause: its dotted parts as written, each with its place; CTEs are none."""

    parts: tuple[str, ...]
    spans: tuple[Span, ...]
    node: Any = None  # sqlglot's, of a source's query

    @property
    def span(self) -> Span:
        return self.spans[0].to(self.spans[-1])

    @property
    def folded(self) -> tuple[str, ...]:
        return tuple(part.lower() for part in self.parts)


@dataclass(frozen=True, eq=False)
class ParsedQuery:
    """A query's text; its tree, made when it is first asked for; its `tables` in the order of the text."""

    span: Span
    dialect: str

    @cached_property
    def tree(self) -> exp.Query:
        """Raises Problem where the text is not one SELECT or set operation."""
        tree = _parse(self.span, self.dialect) if reads(self.span.text) else None
        if not isinstance(tree, exp.Query) or isinstance(tree, exp.Table):
            raise Problem(first_word(self.span), "a query must be a SELECT", "write AS SELECT …")
        return tree

    def __getstate__(self) -> dict[str, object]:
        return {"span": self.span, "dialect": self.dialect, "uses_batch_bounds": self.uses_batch_bounds}

    @cached_property
    def nodes(self) -> tuple[exp.Expr, ...]:
        """All of the tree, as it was parsed."""
        return tuple(self.tree.walk())

    @cached_property
    def tables(self) -> tuple[TableReference, ...]:
        ctes: dict[int, dict[str, int]] = {}
        found = [self._reference(t) for t in of_kind(self.nodes, exp.Table) if not _is_function(t) and not _is_cte(t, ctes)]
        return tuple(sorted(found, key=lambda reference: reference.span.start))

    @cached_property
    def uses_batch_bounds(self) -> bool:
        return any(node.name.lower() in BATCH_BOUNDS for node in of_kind(self.nodes, exp.Anonymous))

    @property
    def first_word(self) -> Span:
        return first_word(self.span)

    @property
    def common_tables(self) -> frozenset[str]:
        """The folded names of its CTEs."""
        return frozenset(cte.alias.lower() for cte in of_kind(self.nodes, exp.CTE))

    def output_names(self) -> Iterator[tuple[str, Span] | None]:
        """Each output column's folded name and place, as far as the text tells them; None where it does not."""
        for select in self.tree.selects:
            named = isinstance(select, exp.Alias | exp.Column) and not select.is_star
            yield (select.alias_or_name.lower(), self.place(select)) if named else None

    def column_names(self) -> Iterator[tuple[tuple[str, ...], tuple[Span, ...]]]:
        """The parts of each column's name, with their places."""
        for column in self.tree.find_all(exp.Column):
            parts = [part for part in column.parts if isinstance(part, exp.Identifier)]
            yield tuple(part.name for part in parts), tuple(map(self.place, parts))

    def name_at_source(self, reference: TableReference) -> str:
        """A table's name as its source means it, without the connection."""
        identifiers = reference.node.parts[1:]
        return ".".join(source_name(i.name, bool(i.args.get("quoted")), self.dialect) for i in identifiers)

    def place(self, node: exp.Expr) -> Span:
        """Where a node of the query stands."""
        return place(node, self.span)

    def where(self) -> Span | None:
        """The text after the first WHERE that stands in no parentheses, to the query's end."""
        depth = 0
        for token in sqlglot.tokenize(self.span.text, read=sqlglot_dialect(self.dialect)):
            depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
            if depth == 0 and token.token_type is TokenType.WHERE:
                text = self.span.text[token.end + 1 :]
                return Span(self.span.source, self.span.end - len(text.lstrip()), self.span.end)
        return None

    def _reference(self, table: exp.Table) -> TableReference:
        return TableReference(tuple(part.name for part in table.parts), tuple(self.place(part) for part in table.parts), table)


def place(node: exp.Expr, span: Span) -> Span:
    """Where a node of the SQL at `span` stands, as near as sqlglot tells; the first word if it tells nothing."""
    ends = [(n.meta["start"], n.meta["end"] + 1) for n in node.walk() if "start" in n.meta and "end" in n.meta]
    if not ends:
        return first_word(span)
    return Span(span.source, span.start + min(start for start, _ in ends), span.start + max(end for _, end in ends))


def edited(span: Span, edits: Iterable[tuple[Span, str]]) -> str:
    """The text at `span` with the text of each edit inside it replaced; edits must not overlap, but may repeat."""
    text, pieces, done = span.source.text, list[str](), span.start
    for edit, replacement in sorted(set(edits), key=lambda pair: pair[0].start):
        if span.start <= edit.start and edit.end <= span.end:
            pieces += text[done : edit.start], replacement
            done = edit.end
    return "".join([*pieces, text[done : span.end]])


class Query(Protocol):
    """A query as its text alone tells it, whatever reads it. All but the first two raise Problem where it is not one SELECT."""

    @property
    def span(self) -> Span: ...
    @property
    def dialect(self) -> str: ...
    @property
    def tables(self) -> tuple[TableReference, ...]: ...
    @property
    def uses_batch_bounds(self) -> bool: ...
    @property
    def common_tables(self) -> frozenset[str]: ...
    @property
    def first_word(self) -> Span: ...
    def output_names(self) -> Iterator[tuple[str, Span] | None]: ...


def parse_source_query(span: Span, dialect: str) -> ParsedQuery:
    """The query at `span` in a source's dialect; it must be one SELECT or set operation. Raises Problem where it is not."""
    query = ParsedQuery(span, dialect)
    _refuse_writing(query)
    _refuse_files(query)
    return query


@cache
def sqlglot_dialect(dialect: str) -> Dialect:
    """sqlglot's own of a slice's dialect; its default for what it has none of. Given by name, it would be made at every call."""
    return Dialect.get_or_raise(None if dialect == "soql" else dialect)


def source_name(text: str, quoted: bool, dialect: str) -> str:
    """A name as its system means it: without quotes, folded the way that system folds names written without them."""
    if dialect == "soql":
        return text
    return sqlglot_dialect(dialect).normalize_identifier(exp.to_identifier(text, quoted=quoted)).name


def reads(text: str) -> bool:
    """Whether SQL begins as a query does; of anything else sqlglot makes a Command, and says so in the log."""
    return _QUERY.match(text) is not None


def _parse(span: Span, dialect: str) -> exp.Expr:
    text = span.text if dialect != "soql" else LITERAL.sub(_placeholder, span.text)
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


def _placeholder(match: re.Match[str]) -> str:
    """A name as long as the literal, so that places stay right."""
    return match.group() if match["string"] else "d".ljust(len(match.group()), "_")


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


def first_word(span: Span) -> Span:
    """The first word of the text at `span`."""
    first = re.match(r"\S+", span.text)
    return Span(span.source, span.start, span.start + (first.end() if first else 1))


def _refuse_writing(query: ParsedQuery) -> None:
    writing = next(iter(of_kind(query.nodes, exp.DML, exp.DDL, exp.Command, exp.Into, exp.Lock)), None)
    if writing is not None and not isinstance(writing, exp.Query):
        raise Problem(query.place(writing), "a query only reads", "remove INSERT, UPDATE, DELETE, INTO or FOR UPDATE")


def _refuse_files(query: ParsedQuery) -> None:
    for function in of_kind(query.nodes, exp.Anonymous, *_FILE_READERS):
        in_from = isinstance(function.parent, exp.Table)
        if isinstance(function, _FILE_READERS) or (in_from and _FILE_FUNCTIONS.fullmatch(function.name.lower())):
            name = query.place(function).text.split("(")[0]
            raise Problem(
                query.place(function),
                f"`{name}` reads what no FROM clause names",
                "collect it into a warehouse with INSERT INTO, and read that",
            )


def _is_function(table: exp.Table) -> bool:
    return isinstance(table.this, exp.Func)


def _is_cte(table: exp.Table, ctes: dict[int, dict[str, int]]) -> bool:
    """Whether a WITH that is in sight names this table.  ctes: filled with the names of each WITH, by its id."""
    if len(table.parts) > 1:
        return False
    inside: exp.Expr = table
    node = table.parent
    while node is not None:
        with_ = node if isinstance(node, exp.With) else node.args.get("with_")
        if with_ is not None and inside is not with_:
            number = _numbers(with_, ctes).get(table.name.lower())
            if number is not None and (node is not with_ or with_.args.get("recursive") or number < (inside.index or 0)):
                return True  # a CTE may read those before it, and all of them where it is RECURSIVE
        inside, node = node, node.parent
    return False


def _numbers(with_: exp.With, ctes: dict[int, dict[str, int]]) -> dict[str, int]:
    """The names of a WITH, each with the number of the first CTE that has it."""
    if id(with_) not in ctes:
        ctes[id(with_)] = {cte.alias.lower(): number for number, cte in reversed(list(enumerate(with_.expressions)))}
    return ctes[id(with_)]
