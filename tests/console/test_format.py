"""`atoll format`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

Atoll = Callable[..., Result]
UGLY = "create   warehouse lake using iceberg ;\n"


def test_formatting_is_idempotent_and_keeps_the_program(atoll: Atoll, folder: Path) -> None:
    file = folder / "program.sql"
    file.write_text(UGLY)
    assert atoll("format").stdout == "formatted program.sql\n"
    once = file.read_text()
    assert once == "CREATE WAREHOUSE lake USING iceberg;\n"
    again = atoll("format")
    assert (again.exit_code, again.stdout, file.read_text()) == (0, "", once)


def test_check_changes_nothing_and_fails(atoll: Atoll, folder: Path) -> None:
    (folder / "program.sql").write_text(UGLY)
    result = atoll("format", "--check")
    assert result.exit_code == 1 and "program.sql is not formatted" in result.stderr
    assert (folder / "program.sql").read_text() == UGLY


def test_diff_shows_the_change_and_makes_none(atoll: Atoll, folder: Path) -> None:
    (folder / "program.sql").write_text(UGLY)
    result = atoll("format", "--diff")
    assert result.exit_code == 1
    assert "-create   warehouse" in result.stdout and "+CREATE WAREHOUSE lake USING iceberg;" in result.stdout
    assert (folder / "program.sql").read_text() == UGLY


def test_no_file_is_rewritten_when_one_has_a_mistake(atoll: Atoll, folder: Path) -> None:
    (folder / "a.sql").write_text(UGLY)
    (folder / "b.sql").write_text("CREATE WAREHOUSE;\n")
    result = atoll("format", ".")
    assert result.exit_code == 1 and "b.sql:1:" in result.stderr
    assert (folder / "a.sql").read_text() == UGLY


def test_as_json_it_names_what_changes(atoll: Atoll, folder: Path) -> None:
    file = folder / "program.sql"
    file.write_text(UGLY)
    checked = atoll("format", "--check", "--json")
    assert (checked.exit_code, json.loads(checked.stdout)) == (1, {"changed": ["program.sql"], "written": False})
    assert file.read_text() == UGLY
    written = atoll("format", "--json")
    assert (written.exit_code, json.loads(written.stdout)) == (0, {"changed": ["program.sql"], "written": True})
    assert file.read_text() != UGLY
