"""How names are written in a query for Spark: in double quotes, as all of a program; its slice writes Spark's own."""

from __future__ import annotations

import re

from language.dialects.spark.functions import functions

_PLAIN = re.compile(r"[a-z][a-z0-9_]*")


def spelled(name: str) -> str:
    """A name as a query may write it: in quotes where it is not taken as it is without them."""
    return name if _PLAIN.fullmatch(name) and name not in functions().reserved else '"' + name.replace('"', '""') + '"'
