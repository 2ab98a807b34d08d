"""`atoll source add` of manifests that nobody here wrote: packages of PyPI, under MIT, by their names; and a program over each."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from systems.rest.document import read
from tests.systems.rest.oracle.invented import config_of
from tests.systems.rest.test_oracle import MANIFESTS

Atoll = Callable[..., Result]
ATOLL = str(Path(sys.executable).with_name("atoll"))
README = Path(__file__).resolve().parents[2] / "systems" / "rest" / "README.md"
TAKEN = ("jira", "klaviyo")  # Atoll's own have these names
_ROW = re.compile(r"^\| ([a-z-]+==[0-9.]+) \| (\d+) of (\d+) \|", re.MULTILINE)


@pytest.mark.deep
@pytest.mark.nightly
@pytest.mark.budget(120)
@pytest.mark.timeout(900)
def test_packages_are_added_and_a_program_reads_every_table_that_is_covered(atoll: Atoll, folder: Path) -> None:
    found = {name: _added(atoll, name) for name in MANIFESTS}
    said = {name: f"{len(one['tables'])} of {len(one['tables']) + len(one['left_out'])}" for name, one in found.items()}
    print(said)
    assert {match[1]: f"{match[2]} of {match[3]}" for match in _ROW.finditer(README.read_text())} == said
    assert {one["licence"] for one in found.values()} == {"MIT: keep its notice"}
    (folder / "program.sql").write_text("CREATE WAREHOUSE lake USING iceberg;\n" + "".join(map(_program, found.values())))
    done = subprocess.run([ATOLL, "check"], cwd=folder, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def _added(atoll: Atoll, package: str) -> dict[str, Any]:
    name, _, version = package.partition("==")
    more = ("--as", f"their_{name}") if name in TAKEN else ()
    result = atoll("source", "add", f"{name}@{version}", *more, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def _literal(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value).lower()


def _program(found: dict[str, Any]) -> str:
    """A connection, and a statement for each table, by the ways that `source check` tells."""
    system = Path(found["folder"]).name
    given = config_of(read(Path(found["folder"]))["spec"])
    options = [f"{name} = {_literal(given[name])}" for name in found["options"] if given.get(name) is not None]
    told = ", ".join([*(["secret = 's'"] if found["secret"] else []), *options])
    text = f"CREATE CONNECTION {system} TO {system}{f' WITH ({told})' if told else ''};\n"
    for table in found["tables"]:
        how = f"MERGE ON ({', '.join(table['key'])}) CURSOR {table['cursor']}" if table["mode"] == "MERGE" else "REPLACE"
        name = f'"{table["name"]}"'
        text += f"INSERT INTO lake.{system}.{name} EVERY '1 hour' {how} AS SELECT * FROM {system}.{name};\n"
    return text
