"""Dialects: what the compiler shares knows none by name, and each is a folder that declares itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from language.sql.dialect import dialect, installed
from shared_metadata.errors import DefinitionError
from slices.registry import installed as slices

ROOT = Path(__file__).resolve().parents[2]
LANGUAGE = ROOT / "language"
# Where the compiler's shared rooms may name a dialect, and why.
ALLOWED = {
    "text/tokens.py": "the program's own tokens are those of one tokenizer, which knows what every dialect's queries write",
    "sql/engines.py": "names the engines whose SQL users bring along, two of which run queries here",
    "text/nesting.py": "cites the page of a limit",
}
NAMED = re.compile("|".join(installed()), re.IGNORECASE)


def shared() -> list[Path]:
    return [file for file in sorted(LANGUAGE.rglob("*.py")) if LANGUAGE / "dialects" not in file.parents]


def test_no_shared_room_of_the_compiler_names_a_dialect() -> None:
    found = {str(file.relative_to(LANGUAGE)) for file in shared() if NAMED.search(file.read_text())}
    assert found == set(ALLOWED), "a dialect's name belongs into its folder; or nothing is excepted any more"


def test_what_names_a_dialect_is_noticed() -> None:
    assert all(map(NAMED.search, ("import DuckDBQuery", 'if dialect == "soql"', "PostgreSQL's rules")))


@pytest.mark.parametrize("name", installed())
def test_a_dialect_is_what_its_folder_declares_and_reads_for_a_source_or_a_warehouse(name: str) -> None:
    found = dialect(name)
    assert found.name == name and (found.source or found.warehouse)
    assert all(kind.__module__.startswith(f"language.dialects.{name}.") for kind in found.kept)


def test_every_slice_has_a_dialect_that_reads_what_it_runs() -> None:
    for slice_ in slices().values():
        found = dialect(slice_.capabilities.dialect)
        assert slice_.stage != "organize" or found.warehouse is not None
        assert slice_.stage != "collect" or slice_.capabilities.queries == "none" or found.source is not None


def test_a_dialect_that_there_is_not_is_told_with_those_that_there_are() -> None:
    with pytest.raises(DefinitionError, match="there is no dialect `cobol`") as error:
        dialect("cobol")
    assert all(name in error.value.remedy for name in installed())


# Whose engine is another's, so that it begins with what that one declares.
OF_ANOTHER = {"databricks": "spark"}


def test_one_dialect_imports_nothing_of_another_but_of_one_whose_engine_is_its_own() -> None:
    folders = [folder.parent for folder in (LANGUAGE / "dialects").glob("*/dialect.py")]
    strange = [
        f"{file.relative_to(ROOT)}: {found}"
        for folder in folders
        for file in folder.rglob("*.py")
        for found in re.findall(r"language\.dialects\.(\w+)", file.read_text())
        if found not in (folder.name, OF_ANOTHER.get(folder.name))
    ]
    assert len(folders) > 2 and strange == []
