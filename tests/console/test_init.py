"""`atoll init`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

Atoll = Callable[..., Result]


def test_the_first_program_compiles_and_is_formatted(atoll: Atoll) -> None:
    assert atoll("init").exit_code == 0
    checked = atoll("check")
    assert checked.exit_code == 0, checked.stderr
    assert "No mistakes: 5 flows, 5 datasets." in checked.stdout
    assert "collect.postgres, harness.postgres, organize.iceberg" in checked.stdout
    assert atoll("format", "--check").exit_code == 0


def test_it_says_what_comes_next(atoll: Atoll) -> None:
    assert "next: atoll check programs/sales/program.sql" in atoll("init", "programs/sales").stdout


def test_a_program_that_is_there_is_never_overwritten(atoll: Atoll, folder: Path) -> None:
    (folder / "program.sql").write_text("-- mine\n")
    result = atoll("init")
    assert result.exit_code == 1
    assert "program.sql exists already" in result.stderr and "help: " in result.stderr
    assert (folder / "program.sql").read_text() == "-- mine\n"


def test_a_folder_that_cannot_be_made_is_named(atoll: Atoll, folder: Path) -> None:
    (folder / "file").write_text("")
    result = atoll("init", "file/below")
    assert result.exit_code == 1 and "file/below/program.sql cannot be written" in result.stderr


def test_as_json_it_names_the_file(atoll: Atoll, folder: Path) -> None:
    assert json.loads(atoll("init", "--json").stdout) == {"written": "program.sql"}
    assert (folder / "program.sql").exists()
