"""docs/guides/changing-a-view.md, step by step: every command is run, and prints what the guide shows."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from shared_metadata.program.intervals import next_interval
from tests.shown import edit, steps

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guides" / "changing-a-view.md"
AIRLINE = ROOT / "examples" / "airline"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
VERSION = re.compile(r"\b[0-9a-f]{16}\b")
BY = re.compile(r"applied by \S+")
Atoll = Callable[..., Result]


@pytest.fixture
def airline(account: Any, folder: Path) -> Any:
    """An account for the reference project, and in the folder the project itself, of daily batches."""
    text = (AIRLINE / "program.sql").read_text()
    (folder / "program.sql").write_text(
        text.replace("EVERY '1 minute'", "EVERY '1 day'").replace("WITHIN '5 minutes'", "WITHIN '2 days'")
    )
    shutil.copytree(AIRLINE / "schemas", folder / "schemas")
    for slice_id in ("collect.salesforce", "collect.postgres", "organize.iceberg", "harness.postgres"):
        account.deploy(slice_id)
    account.deploy_conductor()
    for secret in ("ops", "crm"):
        account.put_secret(secret)
    return account


def begin_batches(account: Any) -> None:
    """What never ran would not wait for a boundary."""
    writer = account.writer()
    program = writer.reader.active_program()
    for flow, state in writer.reader.flow_states(list(program.flows)).items():
        (first, *_) = state.tables.values()
        interval = next_interval(first.watermark, program.flows[flow].interval_seconds)
        writer.claim(flow, interval, list(state.tables), program_version=program.version, owner="me", lease_seconds=1)


def told(text: str) -> str:
    """Without what differs each time, and without the figures of batches that ran."""
    return BY.sub("applied by SOMEBODY", VERSION.sub("VERSION", MOMENT.sub("MOMENT", text))).strip()


def test_the_guide_prints_what_it_shows(atoll: Atoll, airline: Any, folder: Path) -> None:
    assert atoll("apply").exit_code == 0
    begin_batches(airline)
    seen = 0
    for step in steps(GUIDE):
        if step.kind == "edit":
            edit(folder / step.what, step.text)
            continue
        result = atoll(*step.what.split()[1:])
        assert told(result.stdout + result.stderr) == told(step.text), step.what
        seen += 1
    assert seen >= 6
