"""Trino's functions: which there are, and what each gives for arguments of some types, as its documentation says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from language.dialects.trino.types import MAX_PRECISION, MOMENTS, as_decimal, becomes, common, is_number
from language.sql.scope import UNKNOWN
from shared_metadata.program.type_names import TypeName

FILE = Path(__file__).with_name("catalogue.json")
_WORDS = re.compile(r"[A-Za-z_0-9]+(?: with time zone)?|[(),]|\.\.\.")
_VARIABLES = frozenset("NDTU")
# The digits of a decimal that is made of another: https://trino.io/docs/current/functions/decimal.html
_DECIMALS: Mapping[str, Callable[[int, int], tuple[int, int]]] = {
    "decimal": lambda precision, scale: (precision, scale),
    "decimal38": lambda precision, scale: (MAX_PRECISION, scale),
    "whole": lambda precision, scale: (min(MAX_PRECISION, precision - scale + min(scale, 1)), 0),
    "longer": lambda precision, scale: (min(MAX_PRECISION, precision + 1), scale),
}
UNTOLD = TypeName("untold")  # what a function gives that takes the arguments, and is not known here


@dataclass(frozen=True)
class Signature:
    """rest: whether the last argument may be repeated."""

    arguments: tuple[TypeName, ...]
    gives: TypeName
    rest: bool = False


@dataclass(frozen=True)
class Functions:
    """varying: those that are no functions of their arguments.  others: of which only the name is known.  reserved: words."""

    signatures: dict[str, list[Signature]]
    aggregates: frozenset[str]
    windows: frozenset[str]
    varying: frozenset[str]
    others: frozenset[str]
    reserved: frozenset[str]

    @property
    def names(self) -> frozenset[str]:
        return self.others | self.signatures.keys()

    def result(self, name: str, arguments: Sequence[TypeName]) -> TypeName | None:
        """What a function gives for these; None where no signature takes them."""
        return next((kind for each in self.signatures[name] if (kind := _result(each, arguments)) is not None), None)


@cache
def functions() -> Functions:
    kept = json.loads(FILE.read_text(encoding="utf-8"))
    found: dict[str, list[Signature]] = {}
    groups = {group: {line.partition("(")[0] for line in kept[group]} for group in ("aggregates", "windows")}
    for line in (*kept["aggregates"], *kept["windows"], *kept["functions"]):
        name, _, rest = line.partition("(")
        found.setdefault(name, []).append(_signature(rest))
    varying, others, reserved = (frozenset(kept[group]) for group in ("varying", "others", "reserved"))
    return Functions(found, frozenset(groups["aggregates"]), frozenset(groups["windows"]), varying, others, reserved)


def _signature(text: str) -> Signature:
    """text: what follows the opening parenthesis, 'T, bigint) T'."""
    words, arguments = _WORDS.findall(text), []
    while words[0] != ")":
        arguments.append(_pattern(words))
        repeats = words.pop(0) == "..." if words[0] in (",", "...") else False
    words.pop(0)
    return Signature(tuple(arguments), _pattern(words), bool(arguments) and repeats)


def _pattern(words: list[str]) -> TypeName:
    word, parts = words.pop(0), []
    if words and word in ("array", "map") and words[0] == "(":
        while words.pop(0) != ")":
            parts.append(_pattern(words))
    return TypeName(word, tuple(parts))


def _result(signature: Signature, arguments: Sequence[TypeName]) -> TypeName | None:
    wanted = [*signature.arguments]
    if signature.rest and len(arguments) >= len(wanted):
        wanted += wanted[-1:] * (len(arguments) - len(wanted))
    if len(wanted) != len(arguments):
        return None
    bound: dict[str, TypeName] = {}
    if not all(_fits(pattern, kind, bound) for pattern, kind in zip(wanted, arguments, strict=True)):
        return None
    if signature.gives.word in _DECIMALS:
        return TypeName("decimal", sizes=_DECIMALS[signature.gives.word](*as_decimal(arguments[0])))
    return _filled(signature.gives, bound)


def _fits(pattern: TypeName, kind: TypeName, bound: dict[str, TypeName]) -> bool:
    if pattern.word in _VARIABLES:
        able = {"N": is_number(kind), "D": kind.word in MOMENTS}.get(pattern.word, True)
        found = common(bound[pattern.word], kind) if pattern.word in bound else kind
        if (not able and kind != UNKNOWN) or found is None:
            return False
        bound[pattern.word] = found
        return True
    if pattern.parts:
        same = kind.word == pattern.word and len(kind.parts) == len(pattern.parts)
        return same and all(_fits(part, inner, bound) for part, inner in zip(pattern.parts, kind.parts, strict=True))
    if pattern.word == "decimal":
        return kind.word == "decimal"
    return becomes(kind, pattern)


def _filled(pattern: TypeName, bound: dict[str, TypeName]) -> TypeName:
    if pattern.word in _VARIABLES:
        return bound[pattern.word]
    return TypeName(pattern.word, tuple(_filled(part, bound) for part in pattern.parts)) if pattern.parts else pattern
