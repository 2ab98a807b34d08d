"""`atoll init`."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import Result

Atoll = Callable[..., Result]
FILES = ["program.sql", "cdk.json", "README.md", ".gitignore", "schemas/README.md", "requirements.txt"]


def test_the_first_program_compiles_and_is_formatted(atoll: Atoll) -> None:
    assert atoll("init").exit_code == 0
    checked = atoll("check")
    assert checked.exit_code == 0, checked.stderr
    assert "No mistakes: 5 flows, 5 datasets." in checked.stdout
    assert "schemas/ beside the program has no snapshot" in checked.stdout
    assert "collect.postgres, harness.postgres, organize.iceberg" in checked.stdout
    assert atoll("format", "--check").exit_code == 0


def test_it_says_what_it_wrote_and_what_comes_next(atoll: Atoll, folder: Path) -> None:
    result = atoll("init", "programs/sales")
    assert "next: cd programs/sales, then atoll check" in result.stdout
    assert sorted(str(f.relative_to(folder / "programs/sales")) for f in folder.rglob("*") if f.is_file()) == sorted(FILES)
    assert all(name in result.stdout for name in FILES)


def test_slices_of_its_own_have_their_folder_when_asked_for(atoll: Atoll, folder: Path) -> None:
    atoll("init")
    assert not (folder / "slices").exists()
    assert json.loads(atoll("init", "--slices", "--json").stdout)["written"] == ["slices/README.md"]


@pytest.mark.parametrize("name", FILES)
def test_what_is_there_is_never_overwritten(atoll: Atoll, folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("mine\n")
    result = atoll("init")
    assert result.exit_code == 0 and f"left as they were: {name}" in result.stdout
    assert (folder / name).read_text() == "mine\n"
    assert all((folder / other).exists() for other in FILES)
    assert json.loads(atoll("init", "--json").stdout) == {"folder": ".", "written": [], "kept": FILES}


def test_a_folder_that_cannot_be_made_is_named(atoll: Atoll, folder: Path) -> None:
    (folder / "file").write_text("")
    result = atoll("init", "file/below")
    assert result.exit_code == 1 and "file/below/program.sql cannot be written" in result.stderr
    assert atoll("init", "file").exit_code == 1


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("atoll[local]==0.0.9", "requirements.txt names 0.0.9"),
        ("rich\natoll == 0.0.9  # pinned", "requirements.txt names 0.0.9"),
        (f"atoll=={version('atoll')}", ""),
        ("atoll>=0.0.9", ""),
        ("atoll-tools==3", ""),
        ("\udcff", ""),
    ],
)
def test_another_version_than_the_project_names_is_told(atoll: Atoll, folder: Path, line: str, told: str) -> None:
    (folder / "requirements.txt").write_bytes(line.encode("utf-8", "surrogateescape"))
    said = atoll("local", "status").stderr
    assert told in said and bool(told) == ("warning: " in said)


def test_the_version_of_atoll_is_in_one_file_alone(atoll: Atoll, folder: Path) -> None:
    atoll("init", "--slices")
    assert (folder / "requirements.txt").read_text() == f"atoll[local]=={version('atoll')}\n"
    naming = [f.name for f in folder.rglob("*") if f.is_file() and version("atoll") in f.read_text()]
    assert naming == ["requirements.txt"]
