"""The names of columns' types, as in SchemaColumn: read into their parts, and written as one canonical text. Pure.

'int', 'decimal(10,2)', 'list<string>', 'map<string, int>', 'struct<a: int, "b c": list<double>>': Iceberg's words. The name of
a field that is no plain word stands in double quotes, doubled within. Whatever is nested may be null, but for the keys of a map.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache

PRIMITIVES = frozenset(
    {"boolean", "int", "long", "float", "double", "date", "time", "timestamp", "timestamptz", "string", "uuid", "binary"}
)
_TOKEN = re.compile(r'\s*("(?:[^"]|"")*"|\w+|[<>(),:])')
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DECIMAL = re.compile(r"decimal\((\d+), ?(\d+)\)", re.IGNORECASE)


@dataclass(frozen=True)
class TypeName:
    """word: of PRIMITIVES, or 'decimal', 'list', 'map', 'struct'.

    parts: a list's element; a map's key and value; the types of a struct's fields, whose names are `fields`.
    sizes: a decimal's precision and scale.
    """

    word: str
    parts: tuple[TypeName, ...] = ()
    fields: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()

    def __str__(self) -> str:
        if self.sizes:
            return f"{self.word}({','.join(map(str, self.sizes))})"
        if self.word == "struct":
            return f"struct<{', '.join(f'{spelled((name,))}: {part}' for name, part in self.named())}>"
        return f"{self.word}<{', '.join(map(str, self.parts))}>" if self.parts else self.word

    def named(self) -> tuple[tuple[str, TypeName], ...]:
        """The fields of a struct with their types."""
        return tuple(zip(self.fields, self.parts, strict=True))

    def over(self, change: Callable[[TypeName], TypeName]) -> TypeName:
        """The same type with each of its parts changed."""
        return replace(self, parts=tuple(map(change, self.parts)))


def words(kind: TypeName) -> Iterator[str]:
    """Its word, and those of all that is within it."""
    yield kind.word
    for part in kind.parts:
        yield from words(part)


def field_names(kind: TypeName) -> Iterator[str]:
    """Those of all structs within it."""
    yield from kind.fields
    for part in kind.parts:
        yield from field_names(part)


def list_of(element: TypeName) -> TypeName:
    return TypeName("list", (element,))


def map_of(key: TypeName, value: TypeName) -> TypeName:
    return TypeName("map", (key, value))


def struct_of(fields: tuple[tuple[str, TypeName], ...]) -> TypeName:
    """A struct's type. Raises ValueError for no fields, for an empty name, or for two that differ in case only."""
    names = tuple(name for name, _ in fields)
    if not names or not all(names) or len({name.lower() for name in names}) < len(names):
        raise ValueError("a struct has fields, each with a name of its own")
    return TypeName("struct", tuple(part for _, part in fields), names)


@cache
def parsed(text: str) -> TypeName:
    """Parses the name of a column's type. Raises ValueError for any other text."""
    reader = _Reader(text)
    found = reader.type_name()
    reader.end()
    return found


def type_at(text: str, fields: Iterable[str]) -> str:
    """The type of a field of a struct by the names that lead to it; '' where there is none."""
    try:
        found: TypeName | None = parsed(text)
    except ValueError:
        return ""
    for name in fields:
        found = dict(found.named()).get(name) if found is not None and found.word == "struct" else None
    return str(found) if found is not None else ""


def fields_of(text: str) -> Iterator[tuple[str, ...]]:
    """The fields of a struct and of those within it, each by the names that lead to it."""
    try:
        waiting: list[tuple[tuple[str, ...], TypeName]] = [((), parsed(text))]
    except ValueError:
        return
    while waiting:
        path, kind = waiting.pop()
        for name, part in kind.named():
            yield (*path, name)
            waiting.append(((*path, name), part))


def differing(old: str, new: str) -> frozenset[tuple[str, ...]]:
    """The paths of the fields in which two types differ, as precisely as structs allow; () for the whole type."""
    try:
        return frozenset(_differing(parsed(old), parsed(new), ()))
    except ValueError:
        return frozenset({()})


def _differing(old: TypeName, new: TypeName, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if not old.word == new.word == "struct":
        yield from [path] if old != new else []
        return
    before, after = dict(old.named()), dict(new.named())
    for name in {**before, **after}:
        if name in before and name in after:
            yield from _differing(before[name], after[name], (*path, name))
        else:
            yield (*path, name)


def decimal(text: str) -> tuple[int, int] | None:
    """'decimal(10,2)' ▸ (10, 2); None for another type."""
    found = _DECIMAL.fullmatch(text)
    return (int(found[1]), int(found[2])) if found else None


def spelled(path: Iterable[str]) -> str:
    """A field by the names that lead to it: 'address.street', 'address."e.mail"'."""
    return ".".join(name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"' for name in path)


class _Reader:
    """A recursive-descent reader of the text's tokens."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text.rstrip(), 0

    def type_name(self) -> TypeName:
        word = self._next().lower()
        if word == "decimal":
            return self._decimal()
        if word in ("list", "map"):
            self._expect("<")
            parts = [self.type_name()]
            if word == "map":
                self._expect(",")
                parts.append(self.type_name())
            self._expect(">")
            return TypeName(word, tuple(parts))
        if word == "struct":
            return self._struct()
        if word not in PRIMITIVES:
            raise ValueError(f"{word} is no type of a column")
        return TypeName(word)

    def end(self) -> None:
        if self._at != len(self._text):
            raise ValueError(f"{self._text} is no type of a column")

    def _struct(self) -> TypeName:
        self._expect("<")
        fields = [self._field()]
        while (sign := self._next()) == ",":
            fields.append(self._field())
        if sign != ">":
            raise ValueError(f"{self._text} is no type of a column")
        return struct_of(tuple(fields))

    def _field(self) -> tuple[str, TypeName]:
        name = self._next()
        name = name[1:-1].replace('""', '"') if name.startswith('"') else name
        self._expect(":")
        return name, self.type_name()

    def _decimal(self) -> TypeName:
        self._expect("(")
        precision = int(self._next())
        self._expect(",")
        scale = int(self._next())
        self._expect(")")
        return TypeName("decimal", sizes=(precision, scale))

    def _expect(self, sign: str) -> None:
        if self._next() != sign:
            raise ValueError(f"{self._text} is no type of a column")

    def _next(self) -> str:
        found = _TOKEN.match(self._text, self._at)
        if found is None:
            raise ValueError(f"{self._text} is no type of a column")
        self._at = found.end()
        return found[1]
