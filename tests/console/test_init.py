"""`atoll init`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import Result

from console.project_version import other_version

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


@dataclass(frozen=True)
class _Installed:
    """A distribution's records. origin: the address of what was installed, if that was no name."""

    installer: str
    origin: str
    version: str = "0.1.0"

    def read_text(self, name: str) -> str | None:
        return {"INSTALLER": f"{self.installer}\n", "direct_url.json": json.dumps({"url": self.origin}) if self.origin else None}[
            name
        ]


WHEEL, CLONE = "file:///home/ada/my%20wheels/atoll-0.1.0-py3-none-any.whl", "file:///home/ada/atoll"


@pytest.mark.parametrize(
    ("mark", "installer", "origin", "command"),
    [
        ("tool/uv-receipt.toml", "uv", WHEEL, "uv tool install --find-links '/home/ada/my wheels' 'atoll[local]==9'"),
        ("tool/pipx_metadata.json", "pip", "", "pipx install --force --pip-args='--find-links FOLDER' 'atoll[local]==9'"),
        ("CACHEDIR.TAG", "uv", WHEEL, "uvx --find-links '/home/ada/my wheels' --from 'atoll[local]==9' atoll"),
        ("tool/CACHEDIR.TAG", "uv", CLONE, "uv pip install --find-links FOLDER -r requirements.txt"),
        ("tool/pyvenv.cfg", "pip", WHEEL, "pip install --find-links '/home/ada/my wheels' -r requirements.txt"),
        ("tool/pyvenv.cfg", "pip", "https://wheels.example/atoll-0.1.0.whl", "pip install --find-links FOLDER -r requirements.txt"),
    ],
)
def test_the_other_version_is_installed_as_this_one_was(
    monkeypatch: pytest.MonkeyPatch, folder: Path, mark: str, installer: str, origin: str, command: str
) -> None:
    (folder / mark).parent.mkdir(exist_ok=True)
    (folder / mark).write_text("")
    monkeypatch.setattr(sys, "prefix", str(folder / "tool"))
    monkeypatch.setattr(metadata, "distribution", lambda _: _Installed(installer, origin))
    (folder / "requirements.txt").write_text("atoll[local] == 9\n")
    assert f"`{command}` installs that" in other_version()
    assert other_version().endswith("where FOLDER has its wheel") == ("FOLDER" in command)


def test_the_version_of_atoll_is_in_one_file_alone(atoll: Atoll, folder: Path) -> None:
    atoll("init", "--slices")
    lines = (folder / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [f"atoll[local]=={version('atoll')}"]
    naming = [f.name for f in folder.rglob("*") if f.is_file() and version("atoll") in f.read_text()]
    assert naming == ["requirements.txt"]
