"""How names are written in PostgreSQL's SQL."""

from __future__ import annotations

import re

from language.dialects.postgres import catalogue

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")


def spelled(name: str) -> str:
    """A name as a query may write it: in quotes where it is not taken as it is without them."""
    if _PLAIN.fullmatch(name) and name not in catalogue.keywords():
        return name
    return '"' + name.replace('"', '""') + '"'
