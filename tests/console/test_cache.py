"""The cache of `atoll check`: the same answers with it, without it, and when it is damaged, and no compiler where it knows one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from console.cache import FILES_KEPT, FOLDER
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import FOLDER as SCHEMAS
from shared_metadata.program.source_schemas import ConnectionSchemas

Atoll = Callable[..., Result]
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """\
CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');
INSERT INTO lake.ops FROM ops.public TABLES (orders) EVERY '1 hour';
CREATE MATERIALIZED VIEW lake.ops.big EVERY '1 hour' REPLACE AS SELECT id, amount FROM lake.ops.orders WHERE amount > 1;
"""


@pytest.fixture
def program(folder: Path) -> Path:
    """A typed project in the current folder."""
    (folder / SCHEMAS).mkdir()
    _snapshot(folder, "double")
    file = folder / "program.sql"
    file.write_text(PROGRAM)
    return file


def _snapshot(folder: Path, amount: str) -> None:
    columns = (SchemaColumn("id", "long", False, "id", "bigint"), SchemaColumn("amount", amount, True, "amount", "float8"))
    (folder / SCHEMAS / "ops.json").write_text(ConnectionSchemas("ops", "postgres", {"public.orders": Schema(columns)}).to_json())


def _said(result: Result) -> tuple[int, str, str]:
    return result.exit_code, result.stdout, result.stderr


def test_the_second_answer_is_the_first_and_needs_no_compiler(atoll: Atoll, program: Path) -> None:
    first = atoll("check")
    code = (
        "import sys; from console.main import main\n"
        "try: main(['check'])\n"
        "finally: print(*sorted({'sqlglot', 'pydantic'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == first.stdout + "\n"


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_mistakes_are_told_again_in_the_same_way(atoll: Atoll, program: Path, options: tuple[str, ...]) -> None:
    program.write_text(PROGRAM.replace("amount >", "amout >"))
    first, second = atoll("check", *options), atoll("check", *options)
    assert first.exit_code == 1 and "did you mean `amount`" in first.output
    assert _said(first) == _said(second)


def test_a_changed_program_a_changed_snapshot_and_none_at_all_are_each_seen(atoll: Atoll, folder: Path, program: Path) -> None:
    assert "3 columns" not in atoll("check").stdout
    program.write_text(PROGRAM.replace("SELECT id, ", "SELECT id, id AS twin, "))
    longer = atoll("check").stdout
    _snapshot(folder, "string")
    retyped = atoll("check")
    assert retyped.exit_code == 1 and "program.sql:4:" in retyped.stderr
    (folder / SCHEMAS / "ops.json").unlink()
    assert "were not checked" in atoll("check").stdout
    (folder / SCHEMAS).rmdir()
    assert "were not checked" in atoll("check").stdout
    (folder / SCHEMAS).mkdir()
    _snapshot(folder, "double")
    assert atoll("check").stdout == longer


def test_a_wrong_option_is_told_after_right_ones_were_taken(atoll: Atoll, program: Path) -> None:
    assert atoll("check").exit_code == 0
    program.write_text(PROGRAM.replace("secret = 'ops'", "secret = 'ops', max_parts = 0"))
    wrong = atoll("check")
    assert wrong.exit_code == 1 and "max_parts" in wrong.stderr
    program.write_text(PROGRAM + "\n")
    assert atoll("check").exit_code == 0


def test_another_compiler_does_not_use_what_this_one_kept(atoll: Atoll, program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    atoll("check")
    kept = {file.name: file.read_bytes() for file in FOLDER.iterdir() if file.suffix}
    monkeypatch.setattr("console.cache.compiler_digest", lambda: b"x" * 32)
    assert atoll("check").exit_code == 0
    assert all((FOLDER / name).read_bytes() != data for name, data in kept.items())


def test_a_damaged_cache_counts_as_none(atoll: Atoll, program: Path) -> None:
    first = atoll("check")
    files = [file for file in FOLDER.iterdir() if file.suffix]
    assert len(files) == 3
    for damage in (lambda data: data[: len(data) // 2], lambda data: data[:-9] + b"?" + data[-8:], lambda data: b""):
        for file in files:
            file.write_bytes(damage(file.read_bytes()))
        assert _said(atoll("check")) == _said(first)
        program.write_text(program.read_text() + "\n")
        assert _said(atoll("check")) == _said(first)


def test_where_nothing_can_be_written_the_answer_is_the_same(atoll: Atoll, folder: Path, program: Path) -> None:
    (folder / ".atoll").write_text("a file where the folder should be")
    assert atoll("check").exit_code == 0
    assert (folder / ".atoll").is_file()


def test_the_cache_is_bounded_and_stays_out_of_version_control(atoll: Atoll, folder: Path, program: Path) -> None:
    for number in range(FILES_KEPT):
        copy = folder / f"{number}.sql"
        copy.write_text(PROGRAM)
        assert atoll("check", copy.name).exit_code == 0
    files = [file for file in FOLDER.iterdir() if file.suffix]
    assert len(files) == FILES_KEPT
    assert (FOLDER / ".gitignore").read_text() == "*\n"
