"""What a stack was deployed for: a program that asks for more is told to deploy it again, before a batch is refused what it needs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import Result

from console.init import PROGRAM
from console.project import compile_files
from shared_metadata import naming
from shared_metadata.contract import made_for
from shared_metadata.program import Program
from slices.registry import installed
from tests.console.conftest import SLICES

Atoll = Callable[..., Result]
LAKE, OPS = "CREATE WAREHOUSE lake USING iceberg;", "CREATE CONNECTION ops TO postgres WITH (secret = 'ops');"
ON_ATHENA = "CREATE WAREHOUSE lake USING iceberg WITH (engine = 'athena', scan_limit_gb = {limit});"


@pytest.fixture
def deployed(ready: Any) -> Any:
    """The first program's stacks, and the conductor, deployed for it."""
    deploy(compile_files([]))
    return ready


def deploy(program: Program, *slice_ids: str) -> None:
    ssm = boto3.client("ssm")
    for slice_id in slice_ids or SLICES:
        name = naming.parameter("slices", slice_id)
        known = ssm.get_parameters(Names=[name])["Parameters"]
        values = json.loads(known[0]["Value"]) if known else {"stack": installed()[slice_id].stack_name, "steps": []}
        values["made_for"] = made_for.digests(installed()[slice_id], program)
        ssm.put_parameter(Name=name, Value=json.dumps(values), Type="String", Overwrite=True)
    slices = ",".join(program.slice_ids)
    ssm.put_parameter(Name=naming.CONDUCTOR_SLICES, Value=slices, Type="String", Overwrite=True)


def problems(atoll: Atoll) -> list[str]:
    return list(json.loads(atoll("plan", "--json").stdout)["problems"])


def write(folder: Path, *edits: tuple[str, str]) -> None:
    text = PROGRAM
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    (folder / "program.sql").write_text(text)


def test_what_it_was_deployed_for_lacks_nothing(atoll: Atoll, deployed: Any) -> None:
    assert problems(atoll) == []
    assert atoll("apply").exit_code == 0


def test_a_stack_that_does_not_say_what_it_was_made_for_is_taken_as_it_is(atoll: Atoll, ready: Any) -> None:
    assert problems(atoll) == []


def test_another_secret_asks_for_its_slices_stacks_again(atoll: Atoll, deployed: Any, folder: Path) -> None:
    deployed.put_secret("ops2")
    write(folder, ("secret = 'ops'", "secret = 'ops2'"))
    found = problems(atoll)
    assert found == [
        f"{slice_id} was deployed for another program, without the secret atoll/ops2; deploy it again: atoll deploy {stack}"
        for slice_id, stack in (("collect.postgres", "CollectPostgresSlice"), ("harness.postgres", "HarnessPostgresSlice"))
    ]
    refused = atoll("apply")
    assert refused.exit_code == 1 and all(problem in refused.stderr for problem in found)
    deploy(compile_files([]))
    assert problems(atoll) == []


def test_another_warehouse_asks_for_its_stack_again(atoll: Atoll, deployed: Any, folder: Path) -> None:
    write(folder, (LAKE, f"{LAKE}\nCREATE WAREHOUSE pond USING iceberg;"))
    (found,) = problems(atoll)
    assert "organize.iceberg was deployed for another program, without the warehouse pond" in found


def test_another_value_of_an_option_that_a_stack_is_made_by_asks_for_it_again(atoll: Atoll, deployed: Any, folder: Path) -> None:
    write(folder, (LAKE, ON_ATHENA.format(limit=5)))
    first = problems(atoll)
    assert [problem for problem in first if "organize.athena is not deployed" in problem]
    assert [problem for problem in first if "the conductor was deployed for another program, without organize.athena" in problem]
    assert [p for p in first if "harness.postgres was deployed for another program, without what organize.athena stages" in p]
    program = compile_files([])
    deploy(program, *program.slice_ids)
    assert problems(atoll) == []
    write(folder, (LAKE, ON_ATHENA.format(limit=6)))
    (found,) = problems(atoll)
    assert "organize.athena was deployed for another program, without scan_limit_gb = 6, of the warehouse lake" in found
    write(folder, (LAKE, ON_ATHENA.format(limit=5).replace(");", ", keep = '7 days');")))
    assert problems(atoll) == [], "options that functions read need no other stack"


def test_what_is_too_much_to_be_said_is_not_held_against_a_program() -> None:
    texts = [f"CREATE WAREHOUSE w{number} USING iceberg;" for number in range(made_for.MOST_ITEMS + 1)]
    Path("program.sql").write_text("\n".join([*texts, OPS]))
    declaration, program = installed()["organize.iceberg"], compile_files([])
    assert made_for.digests(declaration, program) is None
    assert made_for.not_made_for(declaration, program, {}) == []


def test_what_was_deployed_for_nothing_lacks_everything() -> None:
    Path("program.sql").write_text(PROGRAM)
    declaration, program = installed()["collect.postgres"], compile_files([])
    assert made_for.not_made_for(declaration, program, {"made_for": []}) == ["the secret atoll/ops"]
