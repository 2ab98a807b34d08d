"""The {{ expressions }} of manifests: Jinja in a sandbox, with the functions that manifests call; `now` is the batch's end."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

from jinja2 import Template, UndefinedError, meta
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from shared_metadata.errors import DefinitionError
from systems.rest import moments

Context = Mapping[str, Any]
Types = tuple[type, ...]
TEXT: Types = (str,)
FALSE = frozenset({"False", "false", "[]", "{}", "None", "none", "", "()", "0", "0.0", "set()"})


class Expressions:
    """What the expressions of one manifest mean at one moment, so that a batch that is repeated asks for the same."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._environment = ImmutableSandboxedEnvironment()
        self._environment.globals.clear()
        self._environment.globals.update(self._functions())
        self._environment.filters.update(FILTERS)
        self._templates: dict[str, tuple[Template, frozenset[str]]] = {}

    def value(self, text: Any, context: Context, types: Types | None = None, default: Any = None) -> Any:
        """The value of an expression: its text, or what that text is as a Python literal (of these types, if any).

        A name that leads nowhere gives the default. Raises DefinitionError for an expression that cannot be evaluated.
        """
        if not isinstance(text, str):
            return text
        if "{" not in text:
            return _literal(text or default, types)
        template, names = self._template(text)
        if missing := names - context.keys() - self._environment.globals.keys():
            raise _unreadable(text, f"it does not know {', '.join(sorted(missing))}")
        try:
            found = template.render(context)
        except UndefinedError:
            found = ""
        except (TemplateError, SecurityError, ValueError, TypeError, ArithmeticError) as error:
            raise _unreadable(text, type(error).__name__) from None
        return _literal(found or default, types)

    def text(self, node: Any, context: Context, default: str = "") -> str:
        found = self.value(node, context, TEXT, default)
        return default if found is None else str(found)

    def truth(self, text: Any, context: Context) -> bool:
        """Whether a condition holds; a text that says false, none, nothing or zero does not."""
        found = self.value(text, context, default="")
        return bool(found) and str(found).strip() not in FALSE

    def mapping(self, node: Any, context: Context, types: Types | None = None) -> Any:
        """Nested keys and values; what is null is left out."""
        if isinstance(node, str):
            return self.value(node, context, types)
        if isinstance(node, dict):
            found = {self.value(k, context, TEXT): self.mapping(v, context, types) for k, v in node.items()}
            return {key: value for key, value in found.items() if value is not None}
        return [self.mapping(one, context, types) for one in node] if isinstance(node, list) else node

    def _template(self, text: str) -> tuple[Template, frozenset[str]]:
        if text not in self._templates:
            try:
                names = meta.find_undeclared_variables(self._environment.parse(text))
                self._templates[text] = self._environment.from_string(text), frozenset(names)
            except TemplateError as error:
                raise _unreadable(text, type(error).__name__) from None
        return self._templates[text]

    def _functions(self) -> dict[str, Any]:
        return {
            "now_utc": lambda: self.now,
            "today_utc": lambda: self.now.date(),
            "today_with_timezone": lambda _zone: self.now.date(),
            "day_delta": lambda days, format=moments.ISO: (self.now + timedelta(days=days)).strftime(format),
            "timestamp": lambda value: int(value) if isinstance(value, int | float) else int(moments.read(value).timestamp()),
            "str_to_datetime": moments.read,
            "duration": moments.duration,
            "format_datetime": _format_datetime,
            "max": lambda *values: max(_flat(values)),
            "min": lambda *values: min(_flat(values)),
            "sanitize_url": quote_plus,
            "camel_case_to_snake_case": lambda text: re.sub(r"(?<!^)(?=[A-Z])", "_", text).lower(),
            "generate_uuid": lambda: str(uuid.uuid5(uuid.NAMESPACE_URL, self.now.isoformat())),  # the same when it is repeated
        }


def _hash(value: Any, kind: str = "md5", salt: str | None = None) -> str:
    return hashlib.new(kind, f"{value}{salt or ''}".encode(), usedforsecurity=False).hexdigest()


def _search(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    return found[1] if found and found.re.groups else ""


FILTERS = {
    "hash": _hash,
    "base64encode": lambda text: base64.b64encode(text.encode()).decode(),
    "base64binascii_decode": lambda text: base64.b64decode(text.encode()).decode(),
    "base64decode": lambda text: base64.b64decode(text.encode()).decode(),
    "string": lambda value: json.dumps(value) if isinstance(value, dict | list) else str(value),
    "regex_search": _search,
}


def _format_datetime(value: Any, form: str, source: str | None = None) -> str:
    read = moments.read_as(value, source) if source and not isinstance(value, datetime) else moments.read(value)
    return moments.write_as(read, form)


def _flat(values: tuple[Any, ...]) -> Any:
    return values[0] if len(values) == 1 else values


def _literal(text: Any, types: Types | None) -> Any:
    if not isinstance(text, str):
        return text
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
    return text if isinstance(found, complex) or (types and not isinstance(found, types)) else found


def _unreadable(text: str, why: str) -> DefinitionError:
    return DefinitionError(
        f"the manifest's {text[:80]!r} cannot be evaluated: {why}", remedy="compare it with the connection's options and secret"
    )
