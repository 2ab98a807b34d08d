"""Lists, maps and structs in Databricks' SQL: their types, their values as other types, their JSON, and the changes of their fields.

Spark casts a struct by the places of its fields, so what may stand in another order is made of them by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from shared_metadata.program.type_names import TypeName, list_of, map_of, struct_of, words

Named = Callable[[str], str]  # a field's name as it is called somewhere, without quotes
Leaf = Callable[[str, TypeName], str]  # an expression and its type ▸ another expression
# https://docs.databricks.com/aws/en/sql/language-manual/sql-ref-datatypes
TYPES = {
    **{"boolean": "BOOLEAN", "int": "INT", "long": "BIGINT", "float": "FLOAT", "double": "DOUBLE", "date": "DATE"},
    **{"timestamp": "TIMESTAMP_NTZ", "timestamptz": "TIMESTAMP", "string": "STRING", "binary": "BINARY"},
}
_KNOWN = {word.lower(): name for name, word in TYPES.items()} | {"tinyint": "int", "smallint": "int", "long": "long"}


def quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """Two quotes within a text are none there, and a backslash escapes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def written(kind: TypeName, named: Named) -> str:
    """A type as SQL writes it. Raises KeyError for one that Delta has not."""
    parts = [written(part, named) for part in kind.parts]
    if kind.word == "struct":
        fields = zip(kind.fields, parts, strict=True)
        return f"STRUCT<{', '.join(f'{quoted(named(name))}: {part}' for name, part in fields)}>"
    if parts:
        return f"{'ARRAY' if kind.word == 'list' else 'MAP'}<{', '.join(parts)}>"
    return f"DECIMAL({','.join(map(str, kind.sizes))})" if kind.sizes else TYPES[kind.word]


def catalogued(kind: TypeName, named: Named) -> str:
    """A type as a catalog writes it, `array<struct<a:int,b:string>>`, names without quotes."""
    parts = [catalogued(part, named) for part in kind.parts]
    if kind.word == "struct":
        return f"struct<{','.join(f'{named(name)}:{part}' for name, part in zip(kind.fields, parts, strict=True))}>"
    if parts:
        return f"{'array' if kind.word == 'list' else 'map'}<{','.join(parts)}>"
    return written(kind, named).lower()


def known(text: str, named: Named) -> TypeName | None:
    """The type that a catalog calls `array<struct<a:int,b:string>>`; None for one that is none of ours.

    Names of fields have no quotes there: of several ways to read them the one with the shortest names is taken.
    """
    return next((kind for kind, end in _read(text, 0, named) if end == len(text)), None)


def _read(text: str, at: int, named: Named) -> Iterator[tuple[TypeName, int]]:
    opening = text.find("<", at)
    word = text[at:opening].lower() if opening >= 0 else ""
    if word == "array":
        yield from ((list_of(part), end + 1) for part, end in _read(text, opening + 1, named) if text[end : end + 1] == ">")
    elif word == "map":
        for key, comma in _read(text, opening + 1, named):
            if text[comma : comma + 1] == ",":
                values = _read(text, comma + 1, named)
                yield from ((map_of(key, part), end + 1) for part, end in values if text[end : end + 1] == ">")
    elif word == "struct":
        yield from _read_fields(text, opening + 1, (), named)
    else:
        end = min((found for sign in ",>" if (found := text.find(sign, at)) >= 0), default=len(text))
        if text[at:].lower().startswith("decimal("):
            end = text.find(")", at) + 1
            sizes = text[at + len("decimal(") : end - 1].split(",")
            if len(sizes) == 2 and all(size.strip().isdecimal() for size in sizes):
                yield TypeName("decimal", sizes=(int(sizes[0]), int(sizes[1]))), end
        elif name := _KNOWN.get(text[at:end].lower()):
            yield TypeName(name), end


def _read_fields(text: str, at: int, found: tuple[tuple[str, TypeName], ...], named: Named) -> Iterator[tuple[TypeName, int]]:
    colon = text.find(":", at + 1)
    while colon >= 0:
        for part, end in _read(text, colon + 1, named):
            fields = (*found, (named(text[at:colon]), part))
            if text[end : end + 1] == ",":
                yield from _read_fields(text, end + 1, fields, named)
            elif text[end : end + 1] == ">" and len({name.lower() for name, _ in fields}) == len(fields):
                yield struct_of(fields), end + 1
        colon = text.find(":", colon + 1)


def made(value: str, kind: TypeName, wanted: TypeName, names: tuple[Named, Named], leaf: Leaf, depth: int = 0) -> str:
    """The expression of a value as another type, in which a struct may have more fields, or the same in another order.

    names: how the fields of the value are called, and those of what is made.  leaf: of what holds no struct, as it is wanted.
    """
    if "struct" not in words(kind):
        return leaf(value, wanted)
    each = f"atoll_{depth}"
    if kind.word == "list":
        return f"transform({value}, {each} -> {made(each, kind.parts[0], wanted.parts[0], names, leaf, depth + 1)})"
    if kind.word == "map":
        key, part = (
            made(f"{each}.{place}", *pair, names, leaf, depth + 1)
            for place, pair in zip(("key", "value"), zip(kind.parts, wanted.parts, strict=True), strict=True)
        )
        pairs = f"transform(map_entries({value}), {each} -> named_struct('key', {key}, 'value', {part}))"
        return f"map_from_entries({pairs})"
    there = dict(kind.named())
    fields = ", ".join(
        f"{literal(names[1](name))}, "
        + (
            made(f"{value}.{quoted(names[0](name))}", there[name], part, names, leaf, depth)
            if name in there
            else f"CAST(NULL AS {written(part, names[1])})"
        )
        for name, part in wanted.named()
    )
    return f"CASE WHEN {value} IS NULL THEN NULL ELSE named_struct({fields}) END"


def as_json(value: str, kind: TypeName, named: Named, leaf: Leaf, depth: int = 0) -> str:
    """The expression of a value's JSON; a list's, map's or struct's of what it holds.  leaf: that of all else, 'null' of none."""
    each = f"atoll_{depth}"
    if kind.word == "list":
        inner = f"transform({value}, {each} -> {as_json(each, kind.parts[0], named, leaf, depth + 1)})"
        text = f"'[' || array_join({inner}, ',') || ']'"
    elif kind.word == "map":
        key = leaf(f"CAST({each}.key AS STRING)", TypeName("string"))
        pair = f"{key} || ':' || {as_json(f'{each}.value', kind.parts[1], named, leaf, depth + 1)}"
        text = f"'{{' || array_join(transform(map_entries({value}), {each} -> {pair}), ',') || '}}'"
    elif kind.word == "struct":
        fields = (
            f"{literal(json.dumps(name, ensure_ascii=False) + ':')} || "
            + as_json(f"{value}.{quoted(named(name))}", part, named, leaf, depth)
            for name, part in kind.named()
        )
        text = "'{' || " + " || ',' || ".join(fields) + " || '}'"
    else:
        return leaf(value, kind)
    return f"CASE WHEN {value} IS NULL THEN 'null' ELSE {text} END"


def changes(path: str, former: TypeName, wanted: TypeName, named: Named) -> Iterator[str]:
    """What follows ALTER TABLE, so that a column's fields become what is wanted.  path: leads to it, as written.

    https://docs.databricks.com/aws/en/sql/language-manual/sql-ref-syntax-ddl-alter-table-manage-column
    """
    if former.word == "struct":
        before = dict(former.named())
        for name, part in wanted.named():
            within = f"{path}.{quoted(named(name))}"
            if name in before:
                yield from changes(within, before[name], part, named)
            else:
                yield f"ADD COLUMN {within} {written(part, named)}"
    elif former.parts:
        yield from changes(f"{path}.{'element' if former.word == 'list' else 'value'}", former.parts[-1], wanted.parts[-1], named)
    elif former != wanted:
        yield f"ALTER COLUMN {path} TYPE {written(wanted, named)}"
