"""The types of a dialect that is typed by lists: what they are called, which become which by themselves, what operators give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from sqlglot import exp

from language.sql.scope import UNKNOWN
from shared_metadata.program.type_names import TypeName, list_of, map_of, parsed, struct_of, words

BOOLEAN, DOUBLE = TypeName("boolean"), TypeName("double")
Digits = Callable[[int, int], tuple[int, int]]  # the precision and scale of what is made of a decimal of these


@dataclass(frozen=True, eq=False)
class Types:
    """Types as TypeNames with the dialect's words; 'array', 'map' and 'decimal' are called so in every dialect. What is declared here
    are the words; a dialect's own class overrides the methods that it has otherwise.

    of_schema: what a schema's word is called.  to_schema: the same the other way, where several are called so.
    casts: what sqlglot's word of a type is called.
    whole: the whole numbers, from the narrowest, each with its digits as a decimal.  inexact: the others, from the narrowest.
    moments: each becomes those after it.  intervals: the types of a time's length.
    unsized: the precision and scale of a decimal that says none.
    digits: of what functions give, by the word that stands for them in a catalogue.
    text, integer, long, moment: of a text, of small and large whole numbers that are written out, of batch_end().
    row: a struct.  brackets: around a type's parts.  of_field: between a field's name and type.
    sized: whether a type in a CAST may have a size, which is left aside.
    rows_by_name: whether structs are alike only where their fields are called alike.
    cast_among: groups of types, each of which is CAST to another of its group, or to a text and from one, and to no other.
    states_widen: whether what a lambda gives to itself again may be wider than what it began with.
    unordered, incomparable: the types that have no order, and of which no two are equal.
    """

    of_schema: Mapping[str, str]
    casts: Mapping[str, str]
    whole: Mapping[str, int]
    inexact: tuple[str, ...]
    moments: tuple[str, ...]
    intervals: tuple[TypeName, ...]
    unsized: tuple[int, int]
    digits: Mapping[str, Digits]
    text: TypeName
    integer: TypeName
    long: TypeName
    moment: TypeName
    double: TypeName = DOUBLE
    to_schema: Mapping[str, str] = field(default_factory=dict)
    row: str = "struct"
    brackets: tuple[str, str] = ("<", ">")
    of_field: str = ": "
    sized: bool = True
    rows_by_name: bool = False
    most_digits: int = 38
    states_widen: bool = False
    unordered: frozenset[str] = frozenset(("map",))
    incomparable: frozenset[str] = frozenset()
    cast_among: tuple[frozenset[str], ...] = ()

    @cached_property
    def _to_schema(self) -> dict[str, str]:
        return {word: name for name, word in self.of_schema.items()} | dict(self.to_schema)

    @cached_property
    def _numbers(self) -> tuple[str, ...]:
        """Each becomes those after it."""
        return (*self.whole, "decimal", *self.inexact)

    @property
    def spaced(self) -> list[str]:
        """The names of types that are several words."""
        intervals = (kind.word for kind in self.intervals)
        return [word for word in (*self.of_schema.values(), *self.casts.values(), *intervals) if " " in word]

    # -- of a schema

    def read(self, name: str) -> TypeName:
        """A schema's type, 'list<long>'."""
        return self._renamed(parsed(name))

    def _renamed(self, found: TypeName) -> TypeName:
        return TypeName(self.of_schema[found.word], tuple(map(self._renamed, found.parts)), found.fields, found.sizes)

    def schema_type(self, kind: TypeName) -> str | None:
        """None for a type that no table can hold."""
        try:
            return str(self._as_schema(kind))
        except (KeyError, ValueError):
            return None

    def _as_schema(self, kind: TypeName) -> TypeName:
        word, parts = self._to_schema[kind.word], tuple(map(self._as_schema, kind.parts))
        if word == "list":
            return list_of(*parts)
        if word == "map":
            return map_of(*parts)
        return struct_of(tuple(zip(kind.fields, parts, strict=True))) if word == "struct" else TypeName(word, sizes=kind.sizes)

    # -- written

    def said(self, kind: TypeName) -> str:
        """The type as the dialect writes it."""
        opening, closing = self.brackets
        if kind.fields:
            fields = (f"{name}{self.of_field if name else ''}{self.said(part)}" for name, part in kind.named())
            return f"{kind.word}{opening}{', '.join(fields)}{closing}"
        if kind.parts:
            return f"{kind.word}{opening}{', '.join(map(self.said, kind.parts))}{closing}"
        return f"{kind.word}({','.join(map(str, kind.sizes))})" if kind.sizes else "NULL" if kind == UNKNOWN else kind.word

    def cast(self, node: exp.DataType) -> TypeName | None:
        """That of a CAST; None for one that is not known here."""
        word = node.this.name if isinstance(node.this, exp.DataType.Type) else ""
        if word == "DECIMAL":
            sizes = [int(size.name) for size in node.expressions]
            return TypeName("decimal", sizes=(*sizes, *self.unsized[len(sizes) :]))
        if word in ("ARRAY", "MAP"):
            parts = [self.cast(part) for part in node.expressions if isinstance(part, exp.DataType)]
            return TypeName(word.lower(), tuple(filter(None, parts))) if parts and all(parts) else None
        if word == "STRUCT":
            fields = [(part.name, self.cast(part.args["kind"])) for part in node.expressions if isinstance(part, exp.ColumnDef)]
            known = tuple(kind for _, kind in fields if kind is not None)
            whole = known and len(known) == len(node.expressions)
            return TypeName(self.row, known, tuple(name for name, _ in fields)) if whole else None
        return TypeName(self.casts[word]) if word in self.casts and (self.sized or not node.expressions) else None

    def literal(self, node: exp.Literal) -> TypeName:
        """What is written out: 1.5 is a decimal, 1e0 inexact."""
        if node.is_string:
            return self.text
        text = node.name.replace("_", "")
        if "e" in text.lower():
            return self.double
        whole, dot, scale = text.partition(".")
        if dot:
            return TypeName("decimal", sizes=(max(len(whole.lstrip("0")) + len(scale), 1), len(scale)))
        return self.integer if int(text) < 2**31 else self.long

    # -- which become which

    def is_number(self, kind: TypeName) -> bool:
        return kind.word in self._numbers

    def common(self, one: TypeName, other: TypeName) -> TypeName | None:
        """The type that values of both become by themselves; None where there is none."""
        if one == other or other == UNKNOWN:
            return one
        if one == UNKNOWN:
            return other
        if self.is_number(one) and self.is_number(other):
            return self.wider(one, other)
        if one.word in self.moments and other.word in self.moments:
            return max(one, other, key=lambda kind: self.moments.index(kind.word))
        if one.word != other.word or not one.parts or len(one.parts) != len(other.parts):
            return None
        if self.rows_by_name and one.fields != other.fields:
            return None
        parts = [self.common(*pair) for pair in zip(one.parts, other.parts, strict=True)]
        fields = one.fields if any(one.fields) else other.fields
        return TypeName(one.word, tuple(filter(None, parts)), fields) if all(parts) else None

    def is_ordered(self, kind: TypeName) -> bool:
        return not self.unordered.intersection(words(kind)) and self.is_comparable(kind)

    def is_comparable(self, kind: TypeName) -> bool:
        return not self.incomparable.intersection(words(kind))

    def is_cast(self, kind: TypeName, wanted: TypeName) -> bool:
        """Whether a value may be CAST so."""
        if not self.cast_among or kind in (UNKNOWN, self.text) or wanted == self.text or kind.word == wanted.word:
            return True
        return any(kind.word in group and wanted.word in group for group in self.cast_among)

    def becomes(self, kind: TypeName, wanted: TypeName) -> bool:
        """wanted: a decimal without digits takes any."""
        found = self.common(kind, wanted)
        return found is not None and (found == wanted or (wanted == TypeName("decimal") and found.word == "decimal"))

    def wider(self, one: TypeName, other: TypeName) -> TypeName:
        """The type that two numbers become."""
        word = max(one.word, other.word, key=self._numbers.index)
        if word != "decimal":
            return TypeName(word)
        (precision, scale), (more, other_scale) = self.as_decimal(one), self.as_decimal(other)
        scale, whole = max(scale, other_scale), max(precision - scale, more - other_scale)
        return TypeName("decimal", sizes=(min(self.most_digits, whole + scale), min(scale, self.most_digits)))

    def as_decimal(self, kind: TypeName) -> tuple[int, int]:
        """Precision and scale of a decimal or a whole number."""
        if kind.word in self.whole:
            return self.whole[kind.word], 0
        return (kind.sizes[0], kind.sizes[1]) if kind.sizes else (self.most_digits, 0)

    # -- operators

    def arithmetic(self, sign: str, one: TypeName, other: TypeName) -> TypeName | None:
        """What an operator gives; None where it is not defined."""
        if one.word in self.moments or other.word in self.moments or one in self.intervals or other in self.intervals:
            return self.moved(sign, one, other)
        wide = self.common(one, other)
        if wide is None or not self.is_number(wide):
            return wide if wide == UNKNOWN else None
        if wide.word != "decimal":
            return self.of_numbers(sign, wide)
        return self.of_decimals(sign, self.as_decimal(one), self.as_decimal(other))

    def of_numbers(self, sign: str, wide: TypeName) -> TypeName | None:
        """What an operator gives of numbers that are no decimals.  wide: the type that both become."""
        return wide

    def of_decimals(self, sign: str, one: tuple[int, int], other: tuple[int, int]) -> TypeName | None:
        """one, other: precision and scale of each."""
        raise NotImplementedError

    def moved(self, sign: str, one: TypeName, other: TypeName) -> TypeName | None:
        """What an operator gives where a moment or an interval is among the two."""
        raise NotImplementedError

    def interval(self, node: exp.Interval) -> TypeName | None:
        """None for one that is not known here."""
        raise NotImplementedError

    def extracted(self, unit: str) -> TypeName | None:
        """What EXTRACT gives; None of a unit that there is not.  unit: in upper case."""
        return self.long
