"""The forms in which dialects say what means the same in them: a meaning is known by what it is of, and has a form in each dialect.

A form is a text in the dialect's SQL in which _1, _2 … stand for its parts. A meaning's parts are types or constants (`kinds.py`):
"plus(W, W)" is of two whole numbers. Those that several dialects write alike stand in `alike.py`; a dialect's own in its folder's
`forms.py`, which makes it one that queries are translated from and to. Each is tried by `tests/language/test_meanings.py`.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property

from sqlglot import exp

from language.sql.called_query import CalledQuery
from language.sql.meanings.alike import ALIKE, CASTS
from language.sql.meanings.kinds import is_constant
from language.text.diagnostics import SourceText, Span

_PART = re.compile(r"_\d")
_FLAGS = frozenset(("typed", "safe", "copy"))  # of sqlglot's alone


@dataclass(frozen=True)
class Forms:
    """What a dialect declares, as FORMS in its folder's `forms.py`.

    own: meaning ▸ its forms, of which the first is written and all are read; () where it has none, though others write it alike.
    casts: (type, type) ▸ whether a CAST of one to the other means here what it means elsewhere, where that is not what `CASTS` says.
    type_name: a schema's type as its SQL writes it. Raises KeyError for one that it cannot write.
    tree: a query's tree with its constants as they are.
    spelled: sqlglot's text in this dialect, as a program has it.
    among_rows: whether IN (SELECT …) is NULL where it is not known; else it is FALSE there, which a WHERE takes alike.
    """

    own: Mapping[str, tuple[str, ...]]
    type_name: Callable[[str], str]
    casts: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    tree: Callable[[CalledQuery], exp.Query] = lambda query: query.tree
    spelled: Callable[[str], str] = lambda text: text
    reads: Callable[[Span], CalledQuery] | None = None
    among_rows: bool = True


@dataclass(frozen=True)
class Form:
    """One way to say a meaning.  parts: its words."""

    meaning: str
    text: str
    pattern: exp.Expr = field(compare=False, repr=False)

    @cached_property
    def parts(self) -> tuple[str, ...]:
        inside = self.meaning.partition("(")[2].removesuffix(")")
        return tuple(inside.split(", ")) if inside else ()

    def matched(self, node: exp.Expr) -> list[exp.Expr] | None:
        """What stands at its parts in a node; None where the node is not of this form."""
        found: dict[str, exp.Expr] = {}
        if not _alike(self.pattern, node, found):
            return None
        return [found[f"_{number}"] for number in range(1, len(self.parts) + 1)]


@dataclass(frozen=True)
class Written:
    """All forms of a dialect.  name: the dialect's."""

    name: str
    declared: Forms
    forms: Mapping[str, tuple[Form, ...]]

    @cached_property
    def by_node(self) -> Mapping[str, tuple[Form, ...]]:
        """The forms that a node may be, by its kind; the longest first."""
        found: dict[str, list[Form]] = {}
        for form in sorted((form for forms in self.forms.values() for form in forms), key=_rank):
            found.setdefault(node_kind(form.pattern), []).append(form)
        return {kind: tuple(forms) for kind, forms in found.items()}

    def of(self, node: exp.Expr) -> Iterator[tuple[Form, list[exp.Expr]]]:
        """The forms that a node has, by their words alone, with what stands at their parts."""
        for form in self.by_node.get(node_kind(node), ()):
            parts = form.matched(node)
            if parts is not None:
                yield form, parts

    def cast(self, node: exp.Expr, kind: str) -> exp.Cast:
        """The CAST of an expression to a schema's type."""
        made = expression(f"CAST(_1 AS {self.declared.type_name(kind)})", self.name, self.declared)
        return exp.Cast(this=node, to=made.args["to"].copy())

    def casts(self, kind: str, wanted: str) -> bool:
        """Whether a CAST of one type to another is known to mean the same here as elsewhere."""
        return self.declared.casts.get((kind, wanted), wanted in CASTS.get(kind, ()))


def _rank(form: Form) -> tuple[int, int]:
    """The longest first, and of the same length those with most constants."""
    return -len(form.text), -sum(map(is_constant, form.parts))


def node_kind(node: exp.Expr) -> str:
    return f"{node.name.lower()}()" if isinstance(node, exp.Anonymous) else type(node).__name__


@cache
def translated_dialects() -> tuple[str, ...]:
    """The names of those that have forms."""
    from language.sql.dialect import installed

    return tuple(name for name in installed() if importlib.util.find_spec(f"language.dialects.{name}.forms") is not None)


@cache
def forms_of(name: str) -> Written:
    """A dialect's forms. Raises KeyError for one that has none."""
    if name not in translated_dialects():
        raise KeyError(name)
    declared: Forms = importlib.import_module(f"language.dialects.{name}.forms").FORMS
    texts = {**{meaning: (text,) for meaning, text in ALIKE.items()}, **declared.own}
    made = {
        meaning: tuple(Form(meaning, text, expression(text, name, declared)) for text in found) for meaning, found in texts.items()
    }
    return Written(name, declared, {meaning: forms for meaning, forms in made.items() if forms})


def read(name: str, declared: Forms, span: Span) -> tuple[CalledQuery, exp.Query]:
    """A query in a dialect, and its tree with its constants as they are. Raises Problem."""
    query = declared.reads(span) if declared.reads is not None else CalledQuery(span, name)
    return query, declared.tree(query)


def expression(text: str, name: str, declared: Forms) -> exp.Expr:
    """An expression of a dialect, each call as it is written."""
    sql = f"SELECT {text}"
    (found,) = read(name, declared, Span(SourceText("", sql), 0, len(sql)))[1].expressions
    return found.pop()  # type: ignore[no-any-return]


def is_part(node: exp.Expr) -> bool:
    return isinstance(node, exp.Column) and len(node.parts) == 1 and _PART.fullmatch(node.name) is not None


def _alike(pattern: object, node: object, found: dict[str, exp.Expr]) -> bool:
    if isinstance(pattern, list) and isinstance(node, list):
        return len(pattern) == len(node) and all(_alike(*pair, found) for pair in zip(pattern, node, strict=True))
    if not isinstance(pattern, exp.Expr):
        return str(pattern).lower() == str(node).lower()
    if not isinstance(node, exp.Expr):
        return False
    if is_part(pattern):
        return not isinstance(node, (exp.Star, exp.Distinct)) and found.setdefault(pattern.name, node) == node
    if node_kind(pattern) != node_kind(node):
        return False
    names = {name for one in (pattern, node) for name, part in one.args.items() if part and name not in _FLAGS}
    if isinstance(pattern, exp.Anonymous):
        names.discard("this")
    return all(_alike(pattern.args.get(name) or None, node.args.get(name) or None, found) for name in names)
