"""A dialect's functions: which there are, and what each gives for arguments of some types, as its catalogue lists them.

A catalogue is JSON. `aggregates`, `windows` and `functions` are lists of signatures, 'lag(T, bigint) T': N stands for any number, D
for any moment, O for any type that has an order, T, U and V for any type, A for any each time; `...` for an argument that may be
repeated, `(T, U) -> V` for a lambda; what is given may be a word of `Types.digits`, or `untold`. `varying` are those that are no
functions of their arguments, `outside` those that run other code, `others` those of which only the name is known; `reserved` are
words that are no plain name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from language.sql.listed.types import Types
from language.sql.scope import UNKNOWN
from shared_metadata.program.type_names import TypeName

_VARIABLES = frozenset("ADNOTUV")
_LAMBDA = "->"
UNTOLD = TypeName("untold")  # what a function gives that takes the arguments, and is not known here
ELSEWHERE = TypeName("elsewhere")  # what it gives where something within it is told to be wrong


@dataclass(frozen=True)
class Lambda:
    """gives: the type of its body, where its parameters are of these; None where it is told why there is none."""

    parameters: int
    gives: Callable[[Sequence[TypeName]], TypeName | None]


Argument = TypeName | Lambda


@dataclass(frozen=True)
class Signature:
    """rest: whether the last argument may be repeated."""

    arguments: tuple[TypeName, ...]
    gives: TypeName
    rest: bool = False


@dataclass(frozen=True)
class Functions:
    """See above.  written: those that are typed by what is written."""

    types: Types
    signatures: dict[str, list[Signature]]
    aggregates: frozenset[str]
    windows: frozenset[str]
    varying: frozenset[str]
    outside: frozenset[str]
    written: frozenset[str]
    others: frozenset[str]
    reserved: frozenset[str]

    @cached_property
    def names(self) -> frozenset[str]:
        return self.others | self.varying | self.outside | self.written | self.signatures.keys()

    def result(self, name: str, arguments: Sequence[Argument]) -> TypeName | None:
        """What a function gives for these; None where no signature takes them."""
        return next((kind for each in self.signatures[name] if (kind := _result(self.types, each, arguments)) is not None), None)


def catalogue(file: Path, types: Types, written: Iterable[str]) -> Functions:
    """The functions that a file lists.  written: the names of those that are typed by what is written, which may be listed too."""
    kept = json.loads(file.read_text(encoding="utf-8"))
    signs = [r"\w+", r"[(),]", r"\.\.\.", _LAMBDA]
    words = re.compile("|".join([*map(re.escape, sorted(types.spaced, key=len, reverse=True)), *signs]))
    found: dict[str, list[Signature]] = {}
    groups = {group: frozenset(line.partition("(")[0] for line in kept[group]) for group in ("aggregates", "windows")}
    for line in (*kept["aggregates"], *kept["windows"], *kept["functions"]):
        name, _, rest = line.partition("(")
        found.setdefault(name, []).append(_signature(words.findall(rest)))
    names = {group: frozenset(kept[group]) for group in ("varying", "outside", "others", "reserved")}
    return Functions(types, found, **groups, written=frozenset(written) - found.keys(), **names)


def _signature(words: list[str]) -> Signature:
    """words: what follows the opening parenthesis, 'T', ',', 'bigint', ')', 'T'."""
    arguments, repeats = [], False
    while words[0] != ")":
        arguments.append(_pattern(words))
        repeats = words.pop(0) == "..." if words[0] in (",", "...") else False
    words.pop(0)
    return Signature(tuple(arguments), _pattern(words), repeats)


def _pattern(words: list[str]) -> TypeName:
    word, parts = words.pop(0), []
    if word == "(" or (words and word in ("array", "map") and words[0] == "("):
        while word == "(" or words.pop(0) != ")":
            parts.append(_pattern(words))
            if word == "(" and words.pop(0) == ")":
                break
    if words and words[0] == _LAMBDA:
        words.pop(0)
        return TypeName(_LAMBDA, (*(parts if word == "(" else [TypeName(word, tuple(parts))]), _pattern(words)))
    return TypeName(word, tuple(parts))


def _result(types: Types, signature: Signature, arguments: Sequence[Argument]) -> TypeName | None:
    wanted = [*signature.arguments]
    if signature.rest and len(arguments) >= len(wanted):
        wanted += wanted[-1:] * (len(arguments) - len(wanted))
    if len(wanted) != len(arguments):
        return None
    bound: dict[str, TypeName] = {}
    lambdas = []
    for pattern, argument in zip(wanted, arguments, strict=True):
        if isinstance(argument, Lambda):
            if pattern.word != _LAMBDA or len(pattern.parts) != argument.parameters + 1:
                return None
            lambdas.append((pattern, argument))
        elif pattern.word == _LAMBDA or not _fits(types, pattern, argument, bound):
            return None
    for pattern, of in lambdas:  # once what the others are is known
        *parameters, gives = pattern.parts
        kind = of.gives([_filled(each, bound) for each in parameters])
        if kind is None:
            return ELSEWHERE
        before = dict(bound)
        if not _fits(types, gives, kind, bound):
            return None
        if all(bound[name] == had for name, had in before.items()):
            continue
        again = of.gives([_filled(each, bound) for each in parameters])  # what it gives is given to it again
        if not types.states_widen or again is None or not _fits(types, gives, again, bound):
            return None
    if signature.gives.word in types.digits:
        (first,) = [each for each in arguments[:1] if isinstance(each, TypeName)]
        return TypeName("decimal", sizes=types.digits[signature.gives.word](*types.as_decimal(first)))
    return _filled(signature.gives, bound)


def _fits(types: Types, pattern: TypeName, kind: TypeName, bound: dict[str, TypeName]) -> bool:
    if pattern.word in _VARIABLES:
        able = {"N": types.is_number(kind), "D": kind.word in types.moments, "O": types.is_ordered(kind)}.get(pattern.word, True)
        if pattern.word == "A":
            return True
        found = types.common(bound[pattern.word], kind) if pattern.word in bound else kind
        if (not able and kind != UNKNOWN) or found is None:
            return False
        bound[pattern.word] = found
        return True
    if pattern.parts:
        if kind == UNKNOWN:
            return all(_fits(types, part, UNKNOWN, bound) for part in pattern.parts)
        same = kind.word == pattern.word and len(kind.parts) == len(pattern.parts)
        return same and all(_fits(types, part, inner, bound) for part, inner in zip(pattern.parts, kind.parts, strict=True))
    if pattern.word == "decimal":
        return kind.word == "decimal"
    return types.becomes(kind, pattern)


def _filled(pattern: TypeName, bound: dict[str, TypeName]) -> TypeName:
    if pattern.word in _VARIABLES:
        return bound.get(pattern.word, UNKNOWN)
    return TypeName(pattern.word, tuple(_filled(part, bound) for part in pattern.parts)) if pattern.parts else pattern
