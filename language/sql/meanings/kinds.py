"""What a form's parts may be: types of columns, and constants that every engine takes alike."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from language.sql.scope import UNKNOWN
from shared_metadata.program.type_names import TypeName

WHOLE, FLOATS = ("int", "long"), ("float", "double")
EXACT = (*WHOLE, "decimal")
ORDERED = (*EXACT, "string", "boolean", "date", "timestamp", "timestamptz")
_UNITS = ("year", "quarter", "month", "week", "day", "hour", "minute", "second")
_LONGEST = 1000  # characters that a constant asks for
# The words of a form's parts ▸ the types that they may have.
_TYPES = {
    **{"W": WHOLE, "X": EXACT, "N": (*EXACT, *FLOATS), "F": FLOATS, "A": ORDERED, "V": (*ORDERED, *FLOATS)},
    **{"M": ("date", "timestamp"), "Z": ("date", "timestamp", "timestamptz")},
}


def _text(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and bool(node.is_string)


def _number(node: exp.Expr) -> int:
    """A constant whole number; -1 for anything else."""
    return int(node.name) if isinstance(node, exp.Literal) and not node.is_string and node.name.isdigit() else -1


def unit_of(unit: exp.Expr) -> str:
    """An interval's, DAY or DAYS, as every engine has it."""
    return unit.name.upper().rstrip("S")


def _length(*units: str) -> Callable[[exp.Expr], bool]:
    def judged(node: exp.Expr) -> bool:
        unit, count = (node.args.get("unit"), node.this) if isinstance(node, exp.Interval) else (None, None)
        return isinstance(unit, exp.Var) and unit_of(unit) in units and isinstance(count, exp.Literal) and count.name.isdigit()

    return judged


# Constants.  like: a pattern in which a backslash cannot mean an escape.
_CONSTANTS: dict[str, Callable[[exp.Expr], bool]] = {
    "text": _text,
    "word": lambda node: _text(node) and bool(node.name),
    "number": lambda node: isinstance(node.this if isinstance(node, exp.Neg) else node, exp.Literal) and not _text(node),
    "like": lambda node: _text(node) and "\\" not in node.name,
    "unit": lambda node: _text(node) and node.name.lower() in _UNITS,
    "date_unit": lambda node: _text(node) and node.name.lower() in _UNITS[:5],
    "days": _length("DAY"),
    "months": _length("MONTH", "YEAR"),
    "times": _length("HOUR", "MINUTE", "SECOND"),
    "1+": lambda node: 0 < _number(node) <= _LONGEST,
    "0+": lambda node: 0 <= _number(node) <= _LONGEST,
}
WORDS = {
    "number": "a constant number",
    **{"text": "a constant text", "word": "a constant text that is not empty", "like": "a constant text without a backslash"},
    **{
        "unit": f"a constant of {', '.join(_UNITS)}",
        "date_unit": f"a constant of {', '.join(_UNITS[:5])}",
        "days": "INTERVAL '1' DAY",
        "months": "INTERVAL '1' MONTH or YEAR",
    },
    **{"times": "INTERVAL '1' HOUR, MINUTE or SECOND", "1+": "a constant from 1 on", "0+": "a constant from 0 on"},
}


def is_constant(word: str) -> bool:
    return word in _CONSTANTS


def is_such(word: str, node: exp.Expr) -> bool:
    """Whether a node is a constant of that word."""
    return _CONSTANTS[word](node)


def fits(word: str, kind: TypeName, former: list[TypeName]) -> bool:
    """Whether a type is one of that word.  former: the types of the parts before it, the first of which `same` repeats."""
    if kind == UNKNOWN:
        return False
    if word == "same":
        return kind == former[0]
    return word == "any" or kind.word in _TYPES.get(word, (word,))


def holds(kind: TypeName, *words: str) -> bool:
    """Whether a type is one of these, or has one within."""
    return kind.word in words or any(holds(part, *words) for part in kind.parts)


def by_cast(kind: TypeName, wanted: TypeName) -> bool:
    """Whether each value of one type is the same after a CAST to the other, or the CAST fails."""
    return kind.word in EXACT and wanted.word in EXACT and _scale(kind) == _scale(wanted)


def _scale(kind: TypeName) -> int:
    return kind.sizes[1] if kind.sizes else 0
