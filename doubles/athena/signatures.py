"""Functions by their signatures: which there are, and each in DuckDB's words. What is not in these tables is not known here.

A line is `name(types) type :: SQL`, whose SQL goes on in lines that begin with `::`.
T, U: any type; N: any number; D: a date or a timestamp, as it is; days: an interval of days. {0}, {1} are the arguments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from doubles.athena.casts import coerced, once
from doubles.athena.kinds import DAYS, MOMENTS, MOST_DIGITS, NUMBERS, UNKNOWN, as_decimal, becomes, common, decimal, duck
from doubles.athena.scope import Value
from shared_metadata.program.type_names import TypeName as Kind

_LINE = re.compile(r"(\w+)\((.*?)\) (\S[^:]*?) :: (.*)")
_GOES_ON = re.compile(r"\s*\n\s*::")
_WORDS = re.compile(r"\w+|[(),]")
_ANY = frozenset("TUND")


@dataclass(frozen=True)
class Signature:
    arguments: tuple[Kind, ...]
    gives: str
    sql: str

    def value(self, given: Sequence[Value], **more: str) -> Value | None:
        """What it gives; None where it does not take these.  more: other places of its SQL."""
        bound = self._bound([value.kind for value in given])
        if bound is None:
            return None
        taken = [coerced(value, _filled(wanted, bound, value.kind)) for value, wanted in zip(given, self.arguments, strict=True)]
        kind = self._given([value.kind for value in given], bound)

        def written(*sqls: str) -> str:
            return "(" + self.sql.format(*sqls, kind=duck(kind), **more) + ")"

        several = any(self.sql.count(f"{{{number}}}") > 1 for number in range(len(taken)))
        return Value(once(written, *taken) if several and not more else written(*taken), kind)

    def _bound(self, kinds: Sequence[Kind]) -> dict[str, Kind] | None:
        bound: dict[str, Kind] = {}
        fit = len(kinds) == len(self.arguments)
        return bound if fit and all(_fits(*pair, bound) for pair in zip(self.arguments, kinds, strict=True)) else None

    def _given(self, kinds: Sequence[Kind], bound: Mapping[str, Kind]) -> Kind:
        if self.gives in ("decimal", "decimal38", "whole", "longer"):
            precision, scale = as_decimal(kinds[0])
            return {
                "decimal": decimal(precision, scale),
                "decimal38": decimal(MOST_DIGITS, scale),
                "whole": decimal(precision - scale + min(scale, 1), 0),
                "longer": decimal(precision + 1, scale),
            }[self.gives]
        return _filled(pattern(self.gives), bound, UNKNOWN)


def _fits(wanted: Kind, kind: Kind, bound: dict[str, Kind]) -> bool:
    if wanted.word in _ANY:
        able = {"N": kind.word in NUMBERS, "D": kind.word in MOMENTS}.get(wanted.word, True)
        found = common(bound[wanted.word], kind) if wanted.word in bound else kind
        if found is None or not (able or kind == UNKNOWN):
            return False
        bound[wanted.word] = found
        return True
    if wanted.parts:
        same = kind.word == wanted.word and len(kind.parts) == len(wanted.parts)
        return same and all(_fits(part, inner, bound) for part, inner in zip(wanted.parts, kind.parts, strict=True))
    if wanted.word in ("decimal", "timestamp", "timestamp with time zone"):
        return kind.word == wanted.word
    return becomes(kind, wanted)


def _filled(wanted: Kind, bound: Mapping[str, Kind], kind: Kind) -> Kind:
    if wanted.word in _ANY:
        return bound[wanted.word]
    if wanted.parts:
        return Kind(wanted.word, tuple(_filled(part, bound, UNKNOWN) for part in wanted.parts))
    return kind if wanted.word in ("decimal", "timestamp", "timestamp with time zone") and not wanted.sizes else wanted


def pattern(text: str) -> Kind:
    """'array(T)' ▸ a type, in which T stands for any."""
    if text in ("timestamp with time zone", "timestamp"):
        return Kind(text)
    if text.startswith("timestamp("):  # timestamp(3) with time zone
        return Kind(re.sub(r"\(\d\)", "", text), sizes=(int(text[10]),))
    if text == "days":
        return DAYS
    words = _WORDS.findall(text)
    return _pattern(words)


def _pattern(words: list[str]) -> Kind:
    word, parts = words.pop(0), []
    if words and words[0] == "(":
        while words.pop(0) != ")":
            parts.append(_pattern(words))
    return Kind(word, tuple(parts))


def table(lines: str) -> dict[str, list[Signature]]:
    found: dict[str, list[Signature]] = {}
    for line in filter(None, map(str.strip, _GOES_ON.sub("", lines).splitlines())):
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"this is no signature: {line}")
        name, arguments, gives, sql = match.groups()
        kinds = tuple(pattern(part) for part in re.split(r", (?![^(]*\))", arguments) if part)
        found.setdefault(name, []).append(Signature(kinds, gives, sql))
    return found
