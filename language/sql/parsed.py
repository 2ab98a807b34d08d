"""A query as sqlglot parses it: the tables it reads and the names in it, each with its place in the program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any, TypeVar

from sqlglot import TokenType, exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token

from language.sql.dialect import sqlglot_dialect
from language.sql.misplaced import NO_PARAMETERS
from language.sql.query import TableReference, first_word
from language.sql.sqlglot_reading import parsed, place, reads
from language.text.diagnostics import Problem, Span

_BEFORE_A_GAP = frozenset((TokenType.SELECT, TokenType.L_PAREN))
_AFTER_A_GAP = frozenset((TokenType.COMMA, TokenType.R_PAREN, TokenType.FROM, TokenType.WHERE, TokenType.GROUP_BY))
_PARAMETERS = frozenset((TokenType.PLACEHOLDER, TokenType.PARAMETER))
Node = TypeVar("Node", bound=exp.Expr)


@dataclass(frozen=True, eq=False)
class ParsedQuery:
    """A query's text; its tree, made when it is first asked for; its `tables` in the order of the text."""

    span: Span
    dialect: str

    @cached_property
    def tree(self) -> exp.Query:
        """Raises Problem where the text is not one SELECT or set operation."""
        return self.read_tree()

    def read_tree(self) -> exp.Query:
        tree = parsed(self.span, self.dialect, self.as_parsed, self.takes) if reads(self.span.text) else None
        if not isinstance(tree, exp.Query) or isinstance(tree, exp.Table):
            raise Problem(first_word(self.span), "a query must be a SELECT", "write AS SELECT …")
        return tree

    @property
    def as_parsed(self) -> str:
        """The text that sqlglot is given, of the same length."""
        return self.span.text

    @property
    def takes(self) -> str:
        """What to do about a text that cannot be read, where nothing else is known."""
        return "check the SQL before and at this place"

    def __getstate__(self) -> dict[str, object]:
        return {"span": self.span, "dialect": self.dialect}

    @cached_property
    def _nodes(self) -> Mapping[type[exp.Expr], list[tuple[int, exp.Expr]]]:
        """All of the tree, as it was parsed, each numbered."""
        found: dict[type[exp.Expr], list[tuple[int, exp.Expr]]] = {}
        for numbered in enumerate(self.tree.walk()):
            found.setdefault(type(numbered[1]), []).append(numbered)
        return found

    def of_kind(self, *kinds: type[Node]) -> list[Node]:
        """What `find_all` would find: the tree is walked once, and asked for many kinds."""
        found: list[Any] = [one for kind, nodes in self._nodes.items() if issubclass(kind, kinds) for one in nodes]
        return [node for _, node in sorted(found, key=itemgetter(0))]

    @cached_property
    def tables(self) -> tuple[TableReference, ...]:
        ctes: dict[int, dict[str, int]] = {}
        found = [self._reference(t) for t in self.of_kind(exp.Table) if not _is_function(t) and not is_cte(t, ctes)]
        return tuple(sorted(found, key=lambda reference: reference.span.start))

    @property
    def first_word(self) -> Span:
        return first_word(self.span)

    @property
    def common_tables(self) -> frozenset[str]:
        """The folded names of its CTEs."""
        return frozenset(cte.alias.lower() for cte in self.of_kind(exp.CTE))

    def output_names(self) -> Iterator[tuple[str, Span] | None]:
        """Each output column's folded name and place, as far as the text tells them; None where it does not."""
        yield from self._outputs

    @cached_property
    def _outputs(self) -> Sequence[tuple[str, Span] | None]:
        named = [isinstance(select, exp.Alias | exp.Column) and not select.is_star for select in self.tree.selects]
        return [
            (select.alias_or_name.lower(), self.place(select)) if told else None
            for select, told in zip(self.tree.selects, named, strict=True)
        ]

    def place(self, node: exp.Expr) -> Span:
        """Where a node of the query stands."""
        return place(node, self.span)

    def check_reads(self) -> None:
        """Raises Problem for a query that locks or writes, or has parameters."""
        for parameter in self.of_kind(exp.Placeholder, exp.Parameter):
            place, signs = self.place(parameter), [token for token in self.tokens if token.token_type in _PARAMETERS]
            if place == self.first_word and signs:  # sqlglot does not tell where it stands
                place = self.within(signs[0].start, signs[0].end + 1)
            raise Problem(place, *NO_PARAMETERS)
        writing = next(iter(self.of_kind(exp.DML, exp.DDL, exp.Command, exp.Into, exp.Lock)), None)
        if writing is not None and not isinstance(writing, exp.Query):
            raise Problem(self.place(writing), "a query only reads", "remove INSERT, UPDATE, DELETE, INTO or FOR UPDATE")

    @cached_property
    def tokens(self) -> list[Token]:
        try:
            return sqlglot_dialect(self.dialect).tokenize(self.as_parsed)
        except SqlglotError:
            return []

    def check_commas(self) -> None:
        """Raises Problem for a list with a gap, which sqlglot passes over."""
        for before, token in zip(self.tokens, self.tokens[1:], strict=False):
            gap = before.token_type == TokenType.COMMA and token.token_type in _AFTER_A_GAP
            if gap or (token.token_type == TokenType.COMMA and before.token_type in _BEFORE_A_GAP):
                raise Problem(self.within(token.start, token.end + 1), "something is missing before this", "remove the comma")

    def within(self, start: int, end: int) -> Span:
        """A place in the query's text as one of the program."""
        return Span(self.span.source, self.span.start + start, self.span.start + end)

    def _reference(self, table: exp.Table) -> TableReference:
        return TableReference(tuple(part.name for part in table.parts), tuple(self.place(part) for part in table.parts), table)


def _is_function(table: exp.Table) -> bool:
    return isinstance(table.this, exp.Func)


def is_cte(table: exp.Table, ctes: dict[int, dict[str, int]]) -> bool:
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
