"""The functions of each warehouse's dialect, for those of which sqlglot does not know the type."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path


@cache
def returned_types(dialect: str) -> dict[str, str]:
    """Function's name, folded ▸ the type that it returns, '' where that depends on its arguments; empty for a dialect not listed."""
    file = Path(__file__).with_name(f"{dialect}.json")
    return json.loads(file.read_text()) if file.exists() else {}  # type: ignore[no-any-return]
