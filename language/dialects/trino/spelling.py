"""How names are written in Trino's SQL, which folds them whether they are in quotes or not."""

from __future__ import annotations

import re

from language.dialects.trino.functions import functions

_PLAIN = re.compile(r"[a-z][a-z0-9_]*")


def spelled(name: str) -> str:
    """A name as a query may write it: in quotes where it is not taken as it is without them."""
    return name if _PLAIN.fullmatch(name) and name not in functions().reserved else '"' + name.replace('"', '""') + '"'
