"""Expressions of one SELECT, written over from one dialect to another: each by a form that both have, or told why not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlglot import exp

from language.sql.meanings.forms import Form, Written
from language.sql.meanings.kinds import WORDS, by_cast, fits, is_constant, is_such, unit_of
from language.sql.query import BATCH_BOUNDS
from language.sql.scope import UNKNOWN, Scope, Typed
from language.translate import special
from language.translate.asked import gives
from language.translate.comparing import comparable
from language.translate.pieces import BOOLEAN, MOMENT, Piece, filled, parts_of, settled, type_of
from shared_metadata.program.type_names import TypeName

LONGEST = 60  # characters of an expression that is told
ON_THE_LIST = "write it by what is on the list (docs/warehouses.md), or name the engine that it is written for"
Tell = Callable[[exp.Expr, str, str], None]
Rows = Callable[[exp.Expr, Scope], tuple[exp.Expr, Sequence[Typed]]]


class Between(NamedTuple):
    """The dialects that a query is written from and to.  title: of the second, as people call its engine."""

    source: Written
    target: Written
    title: str


class Expressions:
    """tell: takes what cannot be written over.  rows: a query within an expression, written over, and its columns."""

    def __init__(self, between: Between, scope: Scope, tell: Tell, rows: Rows) -> None:
        self.source, self.target, self.title = between
        self.scope, self.tell, self.rows = scope, tell, rows
        self._done: dict[int, Piece] = {}

    def written(self, node: exp.Expr, *, over: bool = False) -> Piece:
        """An expression in the other dialect.

        over: whether the call is computed over a window, or some rows alone: it must stay one call.
        """
        if id(node) not in self._done:
            self._done[id(node)] = self._written(node, over)
        return self._done[id(node)]

    def condition(self, node: exp.Expr) -> exp.Expr:
        return self.written(node).node

    def brought(self, node: exp.Expr, given: TypeName, kind: TypeName) -> exp.Expr:
        """What the other dialect gives as one type, as the type that the first has for it."""
        return node if given == kind else self.target.cast(node, str(kind))

    def _written(self, node: exp.Expr, over: bool) -> Piece:
        if isinstance(node, exp.Column):
            return self._column(node)
        if isinstance(node, (exp.Literal, exp.Boolean, exp.Null)):
            return self._constant(node)
        for form, parts in self.source.of(node):
            found = self._by_form(node, form, parts, over)
            if found is not None:
                return found
        if isinstance(node, exp.Paren):
            inner = self.written(node.this)
            return Piece(exp.Paren(this=inner.node), inner.kind)
        if isinstance(node, (exp.And, exp.Or, exp.Not, exp.Between)) or (
            isinstance(node, exp.Is) and isinstance(node.expression, exp.Null)
        ):
            return self._rebuilt(node)
        if isinstance(node, (exp.Case, exp.If)):
            return special.case(self, node)
        if isinstance(node, exp.In):
            return special.among(self, node)
        if isinstance(node, exp.Cast) and not isinstance(node, exp.TryCast):
            return special.cast(self, node)
        if isinstance(node, exp.Window):
            return special.window(self, node)
        if isinstance(node, exp.Filter) and not isinstance(node.parent, exp.Window):
            return special.some_rows(self, node)
        if isinstance(node, (exp.Subquery, exp.Exists)):
            return special.query(self, node)
        if isinstance(node, exp.Anonymous) and node.name.lower() == "coalesce":
            return special.coalesce(self, node)
        if isinstance(node, exp.Anonymous) and node.name.lower() in BATCH_BOUNDS:
            return Piece(node.copy(), MOMENT)
        return self.unknown(node)

    def _column(self, node: exp.Column) -> Piece:
        names = tuple(part.name.lower() for part in node.parts)
        found = self.scope.find(names[:-1], names[-1])
        if len(found) == 1:
            return Piece(node.copy(), found[0].kind)  # where it has none, that is told where the column is made
        cause = f"`{'.'.join(names)}` is no column of what this SELECT reads, so what it means elsewhere is not known"
        remedy = "write the expression itself in place of its alias, and name fields of a struct in a view of their own"
        self.tell(node, cause, remedy)
        return Piece(node, None)

    def _constant(self, node: exp.Expr) -> Piece:
        if isinstance(node, exp.Null):
            return Piece(node.copy(), UNKNOWN, "NULL")
        text = node.sql(self.source.name)
        if isinstance(node, exp.Boolean):
            return Piece(node.copy(), BOOLEAN, text)
        if node.is_string:
            return Piece(node.copy(), TypeName("string"), self._text(node.name))
        kind = gives(self.source.name, text, ())
        if kind is None or gives(self.target.name, text, ()) != kind:
            self.tell(node, f"{text} has another type elsewhere", "CAST it to the type that it has")
            return Piece(node, None)
        return Piece(node.copy(), kind, text)

    @staticmethod
    def _text(value: str) -> str:
        doubled = value.replace("'", "''")
        return f"'{doubled}'"

    def _rebuilt(self, node: exp.Expr) -> Piece:
        """The same operator of what its parts become."""
        made, kinds = node.copy(), list[TypeName | None]()
        for name, part in node.args.items():
            if isinstance(part, exp.Expr):
                inner = self.written(part)
                kinds.append(inner.kind)
                made.set(name, settled(part, inner.node, made))
        sound = None not in kinds and (not isinstance(node, exp.Between) or comparable(self, node, *kinds))
        return Piece(made, BOOLEAN if sound else None)

    # -- forms

    def _by_form(self, node: exp.Expr, form: Form, parts: Sequence[exp.Expr], over: bool) -> Piece | None:
        """The node by one of its forms; None where its parts are not those of the form's meaning, or the other has no form for it."""
        if any(is_constant(word) and not is_such(word, part) for word, part in zip(form.parts, parts, strict=True)):
            return None
        there = self.target.forms.get(form.meaning)
        pieces, kinds = list[Piece](), list[TypeName]()
        for word, part in zip(form.parts, parts, strict=True):
            if is_constant(word):
                constant = part.copy()
                if isinstance(constant, exp.Interval):
                    constant.set("unit", exp.Var(this=unit_of(constant.args["unit"])))
                pieces.append(Piece(constant, None, self._asked(constant)))
                continue
            piece = self.written(part)
            pieces.append(piece)
            if piece.kind is None:
                return Piece(node, None)
            kinds.append(piece.kind)
            if not fits(word, piece.kind, kinds):
                return None
        return self._said(node, (form, there[0]), parts, pieces, over) if there is not None else None

    def _asked(self, part: exp.Expr) -> str:
        if isinstance(part, exp.Literal) and part.is_string:
            return self._text(part.name)
        return part.sql() if isinstance(part, exp.Interval) else part.sql(self.source.name)  # all take INTERVAL '1' DAY

    def _said(
        self, node: exp.Expr, forms: tuple[Form, Form], parts: Sequence[exp.Expr], pieces: Sequence[Piece], over: bool
    ) -> Piece:
        here, there = forms
        whole = isinstance(there.pattern, exp.Anonymous) and not (
            there.pattern.find(exp.Distinct) and isinstance(node.parent, exp.Window)
        )
        if over and not whole:
            cause = f"over a window or some rows, `{self._words(node)}` is no single call in {self.title}"
            self.tell(node, cause, "compute it in a query of its own")
            return Piece(node, None)
        windowed = isinstance(node.parent, exp.Window)
        kind, given = (
            type_of(written.name, form.text, pieces, over=windowed) for written, form in ((self.source, here), (self.target, there))
        )
        if kind is None or given is None or not (kind == given or by_cast(given, kind)):
            cause = f"`{self._words(node)}` gives {kind or 'what is not known'} here and {given or 'what is not known'} there"
            self.tell(node, cause, "CAST what it is made from to types of which both make the same")
            return Piece(node, None)
        made = filled(there.pattern, parts, [piece.node for piece in pieces], same=here.text == there.text)
        return Piece(made if over else self.brought(made, given, kind), kind, given=given)

    # -- what there is no form for

    def unknown(self, node: exp.Expr) -> Piece:
        """Tells what cannot be written over, after what of its parts cannot."""
        before = [self.written(part) for part in parts_of(node)]
        if any(piece.kind is None for piece in before):
            return Piece(node, None)
        words, title = self._words(node), self.title
        meant = [form for form, _ in self.source.of(node)]
        wanted = [WORDS[word] for form in meant for word in form.parts if word in WORDS]
        if meant and all(form.meaning not in self.target.forms for form in meant):
            cause, remedy = f"nothing is known that means in {title} what `{words}` does", ON_THE_LIST
        elif meant:
            kinds = ", ".join(str(piece.kind) for piece in before)
            cause = f"`{words}` of ({kinds}) is not known to mean the same in {title}"
            remedy = f"write {' and '.join(dict.fromkeys(wanted))} in it" if wanted else "CAST what it is made from"
        else:
            cause, remedy = f"`{words}` is not on the list of what means the same in {title}", ON_THE_LIST
        self.tell(node, cause, remedy)
        return Piece(node, None)

    def _words(self, node: exp.Expr) -> str:
        if isinstance(node, exp.Anonymous):
            return f"{node.name}(…)" if node.expressions else f"{node.name}()"
        text = node.sql(self.source.name)
        return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
