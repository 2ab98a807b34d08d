"""What the slices of a system share: which slices have which of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.settings import Settings
from infra.slice_bundle import slice_bundle
from slices.registry import installed

ROOT = Path(__file__).resolve().parents[2]
SYSTEMS = sorted(folder.parent.name for folder in (ROOT / "systems").glob("*/__init__.py"))


def modules_imported(folder: Path, but: str = "") -> Iterator[str]:
    """'a.b.c' of each module or name of it that the folder's code imports, wherever in a file; without its tests.

    but: the name of files that are left out.
    """
    for file in folder.rglob("*.py"):
        if "tests" not in file.relative_to(folder).parts and file.name != but:
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Import):
                    yield from (alias.name for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    yield from (f"{node.module}.{alias.name}" for alias in node.names)


def systems_imported(folder: Path) -> set[str]:
    return {name.split(".")[1] for name in modules_imported(folder) if name.startswith("systems.")}


@pytest.mark.parametrize("name", installed())
def test_a_slice_declares_the_systems_that_it_imports_and_its_bundles_hold_these(name: str) -> None:
    declaration = installed()[name]
    wanted = systems_imported(ROOT / declaration.package.replace(".", "/"))
    assert wanted == set(declaration.systems)
    for data in (False, True):
        files = [name for _, name in slice_bundle(declaration, Settings(), data=data).files()]
        assert {file.split("/")[1] for file in files if file.startswith("systems/")} - {"__init__.py"} == wanted


OF_PROJECTS = {"singer"}  # whose slices only projects have


def test_every_system_is_of_a_slice() -> None:
    declared = {system for declaration in installed().values() for system in declaration.systems}
    assert SYSTEMS and set(SYSTEMS) == declared | OF_PROJECTS


def test_systems_import_nothing_but_themselves_and_what_all_slices_share() -> None:
    strange = [
        f"{system}: {name}"
        for system in SYSTEMS
        for name in modules_imported(ROOT / "systems" / system, but="stack.py")  # which runs where a program is deployed
        if name.split(".")[0] in ("slices", "language", "conductor", "console", "infra", "doubles", "examples")
        or (name.startswith("systems.") and name.split(".")[1] != system)
    ]
    assert strange == []


# What reads any SQL source, publishes to any SQL target, and compares any target's results, knows no system: neither by its name nor
# by what it alone has.
FOR_ALL = (
    *("systems/sql_source", "systems/sql_target", "systems/sql_warehouse", "systems/application_target"),
    "shared_metadata/contract/results",
)
OF_ONE = re.compile(
    r"postgres|psycopg|libpq|\bpg_|\bctid\b|\bxmin\b|jsonb|::[a-z]|mysql|mariadb|salesforce|soql|redshift|snowflake|databricks|iceberg_scan",
    re.IGNORECASE,
)


@pytest.mark.parametrize("folder", FOR_ALL)
def test_what_serves_every_system_names_none(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    found = [
        f"{file.name}:{at}: {line}"
        for file in files
        for at, line in enumerate(file.read_text().splitlines(), 1)
        if OF_ONE.search(line)
    ]
    assert files and found == []


def test_what_names_a_system_is_noticed() -> None:
    assert all(map(OF_ONE.search, ("import psycopg", "FROM pg_class", "c0::text", "WHERE ctid > 1", "a PostgreSQL word")))
