"""The expression of an update that sets attributes, with the names and values of its placeholders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

V = TypeVar("V")


def setting(values: Mapping[str, V]) -> tuple[str, dict[str, str], dict[str, V]]:
    """{'a': 1, 'b': 2} ▸ 'SET #a = :a, #b = :b', {'#a': 'a', '#b': 'b'}, {':a': 1, ':b': 2}."""
    expression = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
    return expression, {f"#{name}": name for name in values}, {f":{name}": value for name, value in values.items()}
