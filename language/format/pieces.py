"""A statement as the pieces that its layout moves: the target, each clause, the query; each with its comments."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from language.format.query import format_query
from language.forms.syntax import (
    Clauses,
    CreateCoded,
    CreateConnection,
    CreateFunction,
    CreateWarehouse,
    DeclaredColumn,
    Insert,
    Name,
    Option,
    Parameter,
    Part,
    Statement,
)
from language.text.comments import Comment
from language.text.diagnostics import Span

WIDTH = 80  # of a list in parentheses; a longer one gets a line an item


@dataclass
class Piece:
    """The standard text of a part of a statement.

    start, end: the offsets of the text that it stands for.  rank: its place in the standard order.
    verbatim: a span kept as written, whose comments are already in `text`.
    """

    rank: int
    text: str
    start: int
    end: int
    verbatim: Span | None = None
    before: list[Comment] = field(default_factory=list)
    after: list[Comment] = field(default_factory=list)

    @property
    def indented(self) -> bool:
        return self.rank > _RANKS["target"] and self.rank != _RANKS["query"]

    def attach(self, comment: Comment, following: Piece | None) -> None:
        """Gives a comment that stands after this piece's start to this piece, or to the one that follows."""
        if self.verbatim is not None and self.verbatim.start <= comment.start < self.verbatim.end:
            return
        if comment.start < self.end:
            self.before.append(comment)
        elif comment.own_line and following is not None:
            following.before.append(comment)
        else:
            self.after.append(comment)


_RANKS = {
    name: rank
    for rank, name in enumerate(
        (
            "target",
            "tables",
            "every",
            "mode",
            "engine",
            "cursor",
            "capture",
            "partition_by",
            "masks",
            "expectations",
            "fresh_within",
            "tolerates",
            "bad_rows",
            "query",
        )
    )
}
_LINES = (("target", "tables"), ("every", "mode", "cursor", "capture", "partition_by"))


def pieces(statement: Statement) -> list[Piece]:
    """The statement's pieces in the order of its text."""
    span = statement.span
    if isinstance(statement, CreateWarehouse | CreateConnection):
        return [Piece(_RANKS["target"], _endpoint(statement), span.start, span.end)]
    if isinstance(statement, CreateFunction):
        return [*_function(statement)]
    if isinstance(statement, CreateCoded):
        return [*_coded(statement)]
    verb = "INSERT INTO" if isinstance(statement, Insert) else "CREATE MATERIALIZED VIEW"
    target = statement.target
    head = Piece(_RANKS["target"], f"{verb} {_name(target)}", span.start, target.span.end)
    return [head, *sorted(_clauses(statement.clauses), key=lambda piece: piece.start)]


def joined(found: list[Piece], width: int) -> list[Piece]:
    """The pieces as lines: all in one of at most `width` characters, or those together that share a line.

    A comment between two pieces keeps them apart.
    """
    single = " ".join(piece.text for piece in found)
    fits = len(single) < width and "\n" not in single
    if fits and not any(last.after or piece.before for last, piece in itertools.pairwise(found)):
        return [_join(found)]
    lines: list[list[Piece]] = []
    for piece in found:
        last = lines[-1][-1] if lines else None
        together = last is not None and any({_RANKS[n] for n in line} >= {last.rank, piece.rank} for line in _LINES)
        if last is not None and together and not last.after and not piece.before:
            lines[-1].append(piece)
        else:
            lines.append([piece])
    return [_join(line) for line in lines]


def _join(found: list[Piece]) -> Piece:
    first, last = found[0], found[-1]
    text = " ".join(piece.text for piece in found)
    return Piece(first.rank, text, first.start, last.end, before=first.before, after=last.after)


def _endpoint(statement: CreateWarehouse | CreateConnection) -> str:
    what, link = ("WAREHOUSE", "USING") if isinstance(statement, CreateWarehouse) else ("CONNECTION", "TO")
    head = f"CREATE {what} {statement.name.span.text} {link} {statement.system.span.text}"
    return f"{head} WITH {_options(statement.options)}" if statement.options else head


def _options(options: tuple[Option, ...]) -> str:
    return f"({', '.join(f'{o.span.text} = {_value(o.value_span)}' for o in options)})"


def _coded(statement: CreateCoded) -> Iterator[Piece]:
    takes, returns = (_list([_column(column) for column in columns]) for columns in (statement.takes, statement.returns))
    head, language = f"CREATE FUNCTION {_part(statement.name)} {takes} RETURNS TABLE {returns}", statement.language.span
    yield Piece(_RANKS["target"], head, statement.span.start, statement.returns[-1].type.end)
    options = f" WITH {_options(statement.options)}" if statement.options else ""
    yield Piece(_RANKS["engine"], f"USING {language.text}{options}", language.start, statement.span.end)


def _column(column: DeclaredColumn) -> str:
    return f"{_part(column.name)} {' '.join(column.type.text.split())}{' NOT NULL' * column.required}"


def _function(statement: CreateFunction) -> Iterator[Piece]:
    parameters = _list([_parameter(parameter) for parameter in statement.parameters])
    head = f"CREATE FUNCTION {_part(statement.name)} {parameters} RETURNS TABLE USING sql"
    yield Piece(_RANKS["target"], head, statement.span.start, statement.rest.start)
    query, text = statement.query, f"AS\n{format_query(statement.query)}"
    yield Piece(_RANKS["query"], text, statement.rest.start, query.end, query)


def _parameter(parameter: Parameter) -> str:
    if parameter.type is not None:
        return f"{_part(parameter.name)} {' '.join(parameter.type.text.split())}"
    columns = f" ({', '.join(map(_part, parameter.columns))})" if parameter.columns else ""
    return f"{_part(parameter.name)} TABLE{columns}"


def _value(span: Span) -> str:
    if span.text.startswith("-"):
        return "-" + span.text[1:].split()[-1]
    return span.text.upper() if span.text.lower() in ("true", "false") else span.text


def _clauses(clauses: Clauses) -> Iterator[Piece]:
    for field_, text in _texts(clauses):
        span = clauses.spans[field_]
        yield Piece(_RANKS[field_], text, span.start, span.end)
    for e in clauses.expectations:
        text = f"EXPECT {e.name.span.text}: ({e.predicate.text}) OR {e.action}"
        yield Piece(_RANKS["expectations"], text, e.span.start, e.span.end, e.predicate)
    for t in clauses.tolerates:
        text = f"TOLERATE {_name(t.dataset)} STALE {t.stale.span.text}"
        yield Piece(_RANKS["tolerates"], text, t.span.start, t.span.end)
    if clauses.bad_rows is not None:
        bad, span = clauses.bad_rows, clauses.bad_rows.span
        yield Piece(_RANKS["bad_rows"], f"TOLERATE {bad.text}{' PERCENT' * bad.percent} BAD ROWS", span.start, span.end)
    if clauses.query is not None:
        span, text = clauses.spans["query"], f"AS\n{format_query(clauses.query)}"
        yield Piece(_RANKS["query"], text, span.start, span.end, clauses.query)


def _texts(clauses: Clauses) -> Iterator[tuple[str, str]]:
    """The clauses that are laid out anew, by their fields."""
    if clauses.tables is not None:
        origin, tables = _name(clauses.tables.origin), [_name(table) for table in clauses.tables.tables]
        yield "tables", f"FROM {origin} TABLES {_list(tables)}"
    if clauses.every is not None:
        yield "every", f"EVERY {clauses.every.span.text}"
    if clauses.mode is not None:
        mode, key = clauses.mode.mode.value, clauses.mode.key
        yield "mode", f"{mode} ON {_list([_part(part) for part in key])}" if key else mode
    if clauses.cursor is not None:
        yield "cursor", f"CURSOR {_part(clauses.cursor.column)}{' RISING' * (clauses.cursor.rising is not None)}"
    if clauses.capture is not None:
        yield "capture", "CAPTURE"
    if clauses.partition_by:
        yield "partition_by", f"PARTITION BY {_list([_part(part) for part in clauses.partition_by])}"
    if clauses.masks:
        yield "masks", f"MASK {_list([f'{_name(masked.name)} {masked.how.upper()}' for masked in clauses.masks])}"
    if clauses.engine is not None:
        yield "engine", f"USING {_part(clauses.engine)}"
    if clauses.fresh_within is not None:
        yield "fresh_within", f"FRESH WITHIN {clauses.fresh_within.span.text}"


def _list(items: list[str]) -> str:
    line = f"({', '.join(items)})"
    return line if len(line) <= WIDTH else "(\n    " + ",\n    ".join(items) + "\n  )"


def _name(name: Name) -> str:
    return ".".join(_part(part) for part in name.parts)


def _part(part: Part) -> str:
    return part.span.text
