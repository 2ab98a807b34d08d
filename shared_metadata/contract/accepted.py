"""What the fields of a config model accept, and which values they refuse, in words of ours: pydantic's are for programmers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

_ONE_OF = re.compile(r"\^\(([\w|-]+)\)\$")


@dataclass(frozen=True)
class Refused:
    """A field, as it is written, whose value is not accepted, or is missing.  remedy: a whole sentence; takes: what it accepts."""

    name: str
    missing: bool
    takes: str
    remedy: str


def names_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model, each by the name under which it is written."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def refusals(model: type[BaseModel], values: Mapping[str, Any]) -> Iterator[Refused]:
    """What the model refuses of these values; names that it does not know are passed over. No value is shown."""
    fields = names_of(model)
    known = {name: value for name, value in values.items() if name in fields}
    wrong = {name for name, value in known.items() if isinstance(value, bool) and fields[name].annotation is int}
    missing: set[str] = set()
    try:
        model.model_validate(known)
    except ValidationError as error:
        for found in error.errors(include_input=False, include_url=False, include_context=False):
            name = str(found["loc"][0])
            (missing if found["type"] == "missing" else wrong).add(name)
    for name in sorted(missing | wrong, key=[*fields].index):
        yield Refused(name, name in missing, takes(fields[name]), _remedy(name, fields[name]))


def takes(field: FieldInfo) -> str:
    """What a field accepts, as in 'a whole number from 1 to 64'."""
    kind, said = field.annotation, {type(rule).__name__: rule for rule in field.metadata}
    if field.description:
        return field.description
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(repr, get_args(kind)))}"
    if kind is bool:
        return "TRUE or FALSE"
    if kind in (int, float):
        number = "a whole number" if kind is int else "a number"
        least, most = getattr(said.get("Ge"), "ge", None), getattr(said.get("Le"), "le", None)
        first, last = "" if least is None else f" from {least:,}", "" if most is None else f" to {most:,}"
        return number + first + (last or (" on" if first else ""))
    pattern = next((rule.pattern for rule in field.metadata if getattr(rule, "pattern", None)), "")
    if alternatives := _ONE_OF.fullmatch(pattern):
        return f"one of {', '.join(map(repr, alternatives[1].split('|')))}"
    most = getattr(said.get("MaxLen"), "max_length", None)
    return f"a text in quotes, of 1 to {most} characters" if most else "a text in quotes, and no empty one"


def _remedy(name: str, field: FieldInfo) -> str:
    if field.is_required():
        return f"write {name} = 'name'" if field.annotation is str else f"write {name} = …"
    plain = isinstance(field.default, str | int) and field.default != ""
    default = str(field.default).upper() if isinstance(field.default, bool) else repr(field.default)
    return "correct it, or leave it out" + (f": it is {default} then" if plain else "")
