"""A dialect's functions: which there are, and what each gives for arguments of some types, as its catalogue lists them.

A catalogue is JSON. `aggregates`, `windows` and `functions` are lists of signatures, 'lag(T, bigint) T': N stands for any number, D
for any moment, T and U for any type, `...` for an argument that may be repeated; what is given may be a word of `Types.digits`, or
`untold`. `varying` are those that are no functions of their arguments, `outside` those that run other code, `others` those of which
only the name is known; `reserved` are words that are no plain name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from language.sql.listed.types import Types
from language.sql.scope import UNKNOWN
from shared_metadata.program.type_names import TypeName

_VARIABLES = frozenset("NDTU")
UNTOLD = TypeName("untold")  # what a function gives that takes the arguments, and is not known here


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

    @property
    def names(self) -> frozenset[str]:
        return self.others | self.varying | self.outside | self.written | self.signatures.keys()

    def result(self, name: str, arguments: Sequence[TypeName]) -> TypeName | None:
        """What a function gives for these; None where no signature takes them."""
        return next((kind for each in self.signatures[name] if (kind := _result(self.types, each, arguments)) is not None), None)


def catalogue(file: Path, types: Types, written: Iterable[str]) -> Functions:
    kept = json.loads(file.read_text(encoding="utf-8"))
    words = re.compile("|".join([*map(re.escape, sorted(types.spaced, key=len, reverse=True)), r"\w+", r"[(),]", r"\.\.\."]))
    found: dict[str, list[Signature]] = {}
    groups = {group: frozenset(line.partition("(")[0] for line in kept[group]) for group in ("aggregates", "windows")}
    for line in (*kept["aggregates"], *kept["windows"], *kept["functions"]):
        name, _, rest = line.partition("(")
        found.setdefault(name, []).append(_signature(words.findall(rest)))
    names = {group: frozenset(kept[group]) for group in ("varying", "outside", "others", "reserved")}
    return Functions(types, found, **groups, written=frozenset(written), **names)


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
    if words and word in ("array", "map") and words[0] == "(":
        while words.pop(0) != ")":
            parts.append(_pattern(words))
    return TypeName(word, tuple(parts))


def _result(types: Types, signature: Signature, arguments: Sequence[TypeName]) -> TypeName | None:
    wanted = [*signature.arguments]
    if signature.rest and len(arguments) >= len(wanted):
        wanted += wanted[-1:] * (len(arguments) - len(wanted))
    if len(wanted) != len(arguments):
        return None
    bound: dict[str, TypeName] = {}
    if not all(_fits(types, pattern, kind, bound) for pattern, kind in zip(wanted, arguments, strict=True)):
        return None
    if signature.gives.word in types.digits:
        return TypeName("decimal", sizes=types.digits[signature.gives.word](*types.as_decimal(arguments[0])))
    return _filled(signature.gives, bound)


def _fits(types: Types, pattern: TypeName, kind: TypeName, bound: dict[str, TypeName]) -> bool:
    if pattern.word in _VARIABLES:
        able = {"N": types.is_number(kind), "D": kind.word in types.moments}.get(pattern.word, True)
        found = types.common(bound[pattern.word], kind) if pattern.word in bound else kind
        if (not able and kind != UNKNOWN) or found is None:
            return False
        bound[pattern.word] = found
        return True
    if pattern.parts:
        same = kind.word == pattern.word and len(kind.parts) == len(pattern.parts)
        return same and all(_fits(types, part, inner, bound) for part, inner in zip(pattern.parts, kind.parts, strict=True))
    if pattern.word == "decimal":
        return kind.word == "decimal"
    return types.becomes(kind, pattern)


def _filled(pattern: TypeName, bound: dict[str, TypeName]) -> TypeName:
    if pattern.word in _VARIABLES:
        return bound[pattern.word]
    return TypeName(pattern.word, tuple(_filled(part, bound) for part in pattern.parts)) if pattern.parts else pattern
