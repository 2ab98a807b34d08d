"""Sizes: a module, a function and a class that a reader takes in at once; what is larger may only get smaller."""

from __future__ import annotations

import ast

import pytest

from tests.architecture.test_layout import PACKAGES, ROOT, sources

MODULE_LINES, FUNCTION_LINES = 250, 40
# Modules that are larger, and what they may have: a number may only fall, and one that is not needed any more goes.
LARGER_MODULES = {
    "infra/workflows.py": 290,
    "language/translate/queries.py": 260,
    "shared_metadata/contract/collect.py": 320,
    "shared_metadata/contract/organize.py": 350,
    "shared_metadata/drift/changes.py": 280,
    "shared_metadata/program/plan.py": 320,
    "shared_metadata/state/covering.py": 260,
    "shared_metadata/state/records.py": 350,
    "shared_metadata/state/timeline.py": 300,
    "shared_metadata/store/drift_registry.py": 260,
    "shared_metadata/store/items.py": 300,
    "systems/iceberg/driver.py": 260,
    "systems/iceberg/tables.py": 340,
    "systems/salesforce/session.py": 330,
}


def functions(text: str) -> dict[str, int]:
    """The lines of each function, without decorators and docstring: a command's is its help. Of equal names the longest."""
    found: dict[str, int] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            said = node.body[0] if ast.get_docstring(node) is not None else None
            lines = node.end_lineno - node.lineno + 1 - ((said.end_lineno or 0) - said.lineno + 1 if said else 0)
            found[node.name] = max(found.get(node.name, 0), lines)
    return found


def too_large(found: dict[str, int], larger: dict[str, int], most: int) -> list[str]:
    """What has more lines than it may have, and what is among the larger ones without need."""
    over = [f"{name}: {lines} lines, of {larger.get(name, most)}" for name, lines in found.items() if lines > larger.get(name, most)]
    return over + [f"{name}: is not larger than {most} lines any more" for name in larger if found.get(name, 0) <= most]


def modules() -> dict[str, int]:
    return {str(file.relative_to(ROOT)): file.read_text().count("\n") for file in sources()}


def test_a_module_has_no_more_lines_than_a_reader_takes_in() -> None:
    assert too_large(modules(), LARGER_MODULES, MODULE_LINES) == []


def test_a_function_fits_a_screen() -> None:
    found = {f"{f.relative_to(ROOT)}:{name}": lines for f in sources() for name, lines in functions(f.read_text()).items()}
    assert len(found) > 1000 and too_large(found, {}, FUNCTION_LINES) == []


@pytest.mark.parametrize(("lines", "said"), [(251, ["a: 251 lines, of 250"]), (250, []), (300, ["a: 300 lines, of 250"]), (1, [])])
def test_one_line_too_many_is_noticed(lines: int, said: list[str]) -> None:
    assert too_large({"a": lines}, {}, MODULE_LINES) == said


def test_what_is_listed_as_larger_and_has_shrunk_is_noticed() -> None:
    assert too_large({"a": 250}, {"a": 260}, MODULE_LINES) == ["a: is not larger than 250 lines any more"]
    assert too_large({"a": 261}, {"a": 260}, MODULE_LINES) == ["a: 261 lines, of 260"]


def test_a_function_is_as_long_as_its_lines() -> None:
    assert functions("@cache\ndef f():\n    a = 1\n    return a\n") == {"f": 3}
    assert set(PACKAGES) <= {name.split("/")[0] for name in modules()}
