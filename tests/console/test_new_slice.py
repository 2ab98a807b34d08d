"""`atoll new-slice`: what it writes is a slice, and as strict as Atoll's own."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from console.new_slice import STAGES
from shared_metadata.contract.organize import Driver

Atoll = Callable[..., Result]
ROOT = Path(__file__).resolve().parents[2]
WAREHOUSE, CONNECTION = "CREATE WAREHOUSE w USING {system};", "CREATE CONNECTION c TO {system} WITH (secret = 's');"
PROGRAMS = {"collect": CONNECTION, "organize": WAREHOUSE, "harness": CONNECTION}
SYNTHESIZED = """
import aws_cdk, json
from infra.settings import Settings
from language import compile_program
from slices.{stage}.{system}.stack import SliceStack
from slices.registry import installed
program = compile_program({{"program.sql": {text!r}}}, installed())
app = aws_cdk.App()
stack = SliceStack(app, program, Settings())
print(stack.stack_name, len(app.synth().get_stack_by_name(stack.stack_name).template["Resources"]))
"""


PYTHON, ATOLL = sys.executable, str(Path(sys.executable).with_name("atoll"))


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("stage", STAGES)
def test_check_knows_it_at_once(stage: str, folder: Path) -> None:
    """In a process of its own: the slices that there are are found once."""
    made = json.loads(run(ATOLL, "new-slice", f"{stage}/acme_crm", "--title", "Acme CRM", "--json", folder=folder))
    assert made["folder"] == f"slices/{stage}/acme_crm"
    assert {"slice.py", "config.py", "client.py", "handlers.py", "workflow.py", "stack.py", "requirements.txt"} <= {*made["written"]}
    assert not (folder / "slices" / stage / "acme_crm" / "tests").exists()  # a project has no suite to inherit
    (folder / "program.sql").write_text(PROGRAMS[stage].format(system="acme_crm") + "\n")
    run(ATOLL, "check", folder=folder)


def test_a_warehouse_s_client_has_all_that_the_contract_of_a_driver_asks_for() -> None:
    written = (ROOT / "console" / "slice_files" / "organize" / "client.py.txt").read_text()
    asked = {name for name, item in vars(Driver).items() if inspect.isfunction(item) and not name.startswith("_")}
    assert asked and asked <= set(re.findall(r"^    def (\w+)\(self", written, re.MULTILINE))


def test_a_source_that_speaks_sql_is_written_over_what_reads_these(folder: Path) -> None:
    made = json.loads(run(ATOLL, "new-slice", "collect/acme_db", "--title", "Acme DB", "--sql", "--json", folder=folder))
    assert {"dialect.py", "cursor_column.py", "scanning.py", "client.py"} <= {*made["written"]}
    (folder / "program.sql").write_text(CONNECTION.format(system="acme_db") + "\n")
    run(ATOLL, "check", folder=folder)
    imported = "from slices.collect.acme_db import client, handlers, scanning"
    run(PYTHON, "-c", f"{imported}; assert not client.AcmeDBSource.__abstractmethods__", folder=folder)


def test_only_a_source_speaks_sql(atoll: Atoll, folder: Path) -> None:
    result = atoll("new-slice", "harness/acme", "--sql")
    assert result.exit_code == 1 and "--sql is for sources" in result.stderr and not (folder / "slices").exists()


@pytest.mark.deep
@pytest.mark.nightly
@pytest.mark.budget(300)
@pytest.mark.timeout(1200)
def test_it_passes_the_types_and_the_style_of_atoll_s_own_and_is_synthesized(folder: Path) -> None:
    """In links to the clone, where it is given the suite of its stage too."""
    for name in ("language", "shared_metadata", "systems", "infra", "tests", "pyproject.toml", "cdk.json", "node_modules"):
        (folder / name).symlink_to(ROOT / name)
    for file in (ROOT / "slices").glob("*/*"):
        (folder / "slices" / file.parent.name).mkdir(parents=True, exist_ok=True)
        (folder / "slices" / file.parent.name / file.name).symlink_to(file)
    for file in (ROOT / "slices").glob("*.py"):
        (folder / "slices" / file.name).symlink_to(file)
    for stage in STAGES:
        run(PYTHON, "-m", "console.main", "new-slice", f"{stage}/acme", "--title", "Acme", folder=folder)
        assert (folder / "slices" / stage / "acme" / "tests" / "test_conformance.py").is_file()
    run(PYTHON, "-m", "console.main", "new-slice", "collect/acme_db", "--title", "Acme DB", "--sql", folder=folder)
    mine = [*(f"slices/{stage}/acme" for stage in STAGES), "slices/collect/acme_db"]
    run(PYTHON, "-m", "mypy", *mine, "--exclude", "tests/", folder=folder)
    run(PYTHON, "-m", "ruff", "check", *mine, folder=folder)
    run(PYTHON, "-m", "ruff", "format", "--check", *mine, folder=folder)
    for stage, system in [*((stage, "acme") for stage in STAGES), ("collect", "acme_db")]:
        synthesized = SYNTHESIZED.format(stage=stage, system=system, text=PROGRAMS[stage].format(system=system))
        assert "Slice" in run(PYTHON, "-c", synthesized, folder=folder)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("collect", "names no slice"),
        ("gather/acme", "names no slice"),
        ("collect/Acme", "can be no system's name"),
        ("collect/class", "can be no system's name"),
        ("collect/postgres", "there is a slice collect.postgres already"),
    ],
)
def test_what_can_be_no_slice_is_refused(asked: str, said: str, atoll: Atoll, folder: Path) -> None:
    result = atoll("new-slice", asked)
    assert result.exit_code == 1 and said in result.stderr and "help: " in result.stderr
    assert not (folder / "slices").exists()
