"""How names are written in PostgreSQL's SQL, and what is said of one that no function has."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

from language.dialects.postgres import catalogue
from language.text.diagnostics import did_you_mean

_STRUCTS = ("struct", "named_struct", "object_construct", "object")  # of other engines
_NEAR = 0.65  # of what is said: struct is not sqrt
_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")


def spelled(name: str) -> str:
    """A name as a query may write it: in quotes where it is not taken as it is without them."""
    if _PLAIN.fullmatch(name) and name not in catalogue.keywords():
        return name
    return '"' + name.replace('"', '""') + '"'


def no_function(name: str) -> tuple[str, str]:
    """Cause and remedy where a name is that of no function."""
    if name in _STRUCTS:
        return f"PostgreSQL has no function `{name}`", "write jsonb_build_object('name', column, …), or make it in a view"
    remedy = "name one of the database's own with its schema, and CAST what it gives"
    near = [each for each in catalogue.similar_functions(name) if SequenceMatcher(None, name, each).ratio() >= _NEAR]
    return f"PostgreSQL has no function `{name}`", did_you_mean(name, near) + remedy
