"""How names are written in PostgreSQL's SQL, and what is said of one that no function has."""

from __future__ import annotations

import re

from language.dialects.postgres import catalogue
from language.text.diagnostics import did_you_mean

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")


def spelled(name: str) -> str:
    """A name as a query may write it: in quotes where it is not taken as it is without them."""
    if _PLAIN.fullmatch(name) and name not in catalogue.keywords():
        return name
    return '"' + name.replace('"', '""') + '"'


def no_function(name: str) -> tuple[str, str]:
    """Cause and remedy where a name is that of no function."""
    remedy = "name one of the database's own with its schema, and CAST what it gives"
    return f"PostgreSQL has no function `{name}`", did_you_mean(name, catalogue.similar_functions(name)) + remedy
