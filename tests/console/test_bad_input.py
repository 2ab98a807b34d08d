"""`atoll check` and `atoll format` with files that are hardly programs: what is wrong, never a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.console.conftest import Atoll

ROOT = Path(__file__).parents[2]
HEAD = b"CREATE WAREHOUSE lake USING iceberg;\n"
BAD = {
    "invalid UTF-8": HEAD + b"-- caf\xe9\n",
    "UTF-16": HEAD.decode().encode("utf-16"),
    "NUL": HEAD + b"CREATE \x00 CONNECTION;\n",
    "NUL in a query": HEAD + b"CREATE MATERIALIZED VIEW lake.a.b EVERY '1 hour' REPLACE AS SELECT 'a\0b' AS a;\n",
    "NUL in a comment": HEAD + b"CREATE MATERIALIZED VIEW lake.a.b EVERY '1 hour' REPLACE AS SELECT 1 AS a /* \0 */;\n",
    "half a surrogate": HEAD + b"\xed\xa0\x80",
    "binary": bytes(range(256)) * 20,
    "open string": HEAD + b"CREATE CONNECTION ops TO postgres WITH (secret = 'ops);\n",
    "open comment": HEAD + b"/* /* */\n",
    "homoglyph": "СREATE WAREHOUSE lake USING iceberg;\n".encode(),  # noqa: RUF001
    "no-break spaces": "CREATE\u00a0WAREHOUSE\u00a0lake\u00a0USING;\n".encode(),
    "quotes of a word processor": "CREATE CONNECTION ops TO postgres WITH (secret = ‘ops’);\n".encode(),  # noqa: RUF001
    "deep": HEAD + b"CREATE MATERIALIZED VIEW lake.a.b EVERY '1 hour' REPLACE AS SELECT " + b"(" * 10_000 + b";\n",
    "a merge conflict": HEAD + b"<<<<<<< HEAD\nCREATE\n=======\n>>>>>>> other\n",
}
GOOD = {
    "byte-order mark": b"\xef\xbb\xbf" + HEAD,
    "Windows lines": HEAD.replace(b"\n", b"\r\n"),
    "no end of line": HEAD.strip(),
    "empty": b"",
    "white space": b" \t\r\n\x0b\x0c\n",
    "only a comment": b"-- nothing yet",
    "names of any alphabet in comments": "-- данные 数据 🏝\n".encode() + HEAD,
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("verb", ["check", "format"])
def test_a_bad_file_is_refused_with_its_place_and_a_remedy(atoll: Atoll, verb: str, name: str, folder: Path) -> None:
    (folder / "program.sql").write_bytes(BAD[name])
    done = atoll(verb)
    assert done.exit_code == 1 and "program.sql" in done.stderr and "help: " in done.stderr
    assert (folder / "program.sql").read_bytes() == BAD[name]
    [first, *_] = json.loads(atoll(verb, "--json").stdout)["errors"]
    assert first["message"] and first["help"]


@pytest.mark.parametrize("name", GOOD)
def test_an_odd_file_that_is_a_program_is_taken(atoll: Atoll, name: str, folder: Path) -> None:
    (folder / "program.sql").write_bytes(GOOD[name])
    assert atoll("check").exit_code == 0
    assert atoll("format").exit_code == 0
    formatted = (folder / "program.sql").read_bytes()
    assert atoll("format", "--check").exit_code == 0
    assert atoll("check").exit_code == 0 and (folder / "program.sql").read_bytes() == formatted


def test_a_folder_in_place_of_a_file_is_named(atoll: Atoll, folder: Path) -> None:
    (folder / "programs" / "x.sql").mkdir(parents=True)
    done = atoll("check", "programs")
    assert done.exit_code == 1 and "x.sql" in done.stderr


def test_a_process_prints_what_it_cannot_write(folder: Path) -> None:
    """A file's name need not be UTF-8, nor what stands in it."""
    name = b"caf\xe9.sql"
    Path(folder, name.decode("utf-8", "surrogateescape")).write_bytes(HEAD + b"CREATE;\n")
    done = _process(folder, "check", ".")
    assert done.returncode == 1 and ".sql:2:" in done.stderr
    Path(folder, name.decode("utf-8", "surrogateescape")).write_bytes(HEAD.lower())
    assert _process(folder, "format", ".").returncode == 0
    (folder / "program.sql").write_bytes(BAD["half a surrogate"])
    assert "help: " in _process(folder, "check").stderr


def _process(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); from console.main import main; main()", *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        cwd=folder,
        timeout=120,
    )
    assert "Traceback" not in done.stderr + done.stdout, done.stderr
    return done
