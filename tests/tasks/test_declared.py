"""Which slices have tasks, and that what they are asked by is theirs."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import pytest

from console.cache import ProjectCache
from console.project import compile_texts
from language import ProgramErrors, compile_program
from shared_metadata.contract import made_for
from shared_metadata.contract.declaration import Slice
from shared_metadata.contract.tasks.options import TaskOptions
from slices.registry import installed

PROGRAM = """
CREATE WAREHOUSE  lake USING iceberg WITH ({lake});
CREATE CONNECTION ops TO postgres WITH (secret = 'ops'{ops});
INSERT INTO lake.ops.flights EVERY '1 hour' REPLACE AS SELECT id FROM ops.public.flights;
INSERT INTO ops.public.ids EVERY '1 hour' MERGE ON (id) AS SELECT id FROM lake.ops.flights;
"""


def config_of(declared: Slice) -> type:
    module, _, name = declared.config.partition(":")
    return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]


def with_tasks() -> Iterator[Slice]:
    return (one for one in installed().values() if one.tasks)


def test_a_slice_with_tasks_is_asked_for_them_by_its_own_options() -> None:
    declared = [*with_tasks()]
    assert {one.id for one in declared} >= {"organize.iceberg", "collect.postgres", "collect.mysql"}
    for one in declared:
        assert set(one.tasks) <= set(one.steps) - {"plan", "discover", "landed", "maintain"}, one.id
        assert issubclass(config_of(one), TaskOptions), one.id


def test_no_other_slice_takes_the_options_of_tasks_but_in_a_warehouse_that_another_keeps() -> None:
    for one in installed().values():
        assert one.tasks or one.warehouse or not issubclass(config_of(one), TaskOptions), one.id


@pytest.mark.parametrize(
    ("lake", "ops", "of_lake", "of_ops"),
    [
        ("target_file_mb = 64", "", (), ()),
        ("run = 'function'", ", run = 'function'", (), ()),
        ("run = 'auto'", "", ("load", "refresh", "check", "commit"), ()),
        ("run = 'function'", ", run = 'task'", (), ("extract",)),
    ],
)
def test_a_stack_is_made_for_the_tasks_that_its_program_asks_for(
    lake: str, ops: str, of_lake: tuple[str, ...], of_ops: tuple[str, ...]
) -> None:
    program = compile_program({"program.sql": PROGRAM.format(lake=lake, ops=ops)}, installed())
    slices = installed()
    assert made_for.tasks(slices["organize.iceberg"], program) == of_lake
    assert made_for.tasks(slices["collect.postgres"], program) == of_ops
    assert made_for.tasks(slices["harness.postgres"], program) == ()
    plain = {
        "made_for": made_for.digests(
            slices["organize.iceberg"], compile_program({"program.sql": PROGRAM.format(lake="target_file_mb = 64", ops="")}, slices)
        )
    }
    missing = made_for.not_made_for(slices["organize.iceberg"], program, plain)
    assert missing == [f"a task for {step}" for step in of_lake]


@pytest.mark.parametrize(
    ("lake", "said"),
    [
        ("run = 'lambda'", "takes one of 'function', 'task', 'auto'"),
        ("task_vcpus = 3", "a number of processors that Fargate has: 1, 2, 4, 8, 16"),
        ("task_vcpus = 2, task_gb = 40", "as many GB as Fargate has for its task_vcpus: 1: 2 to 8; 2: 4 to 16"),
        ("task_hours = 12", "takes a whole number from 1 to 5"),
    ],
)
def test_check_refuses_what_fargate_has_not_at_its_place(lake: str, said: str) -> None:
    with pytest.raises(ProgramErrors) as raised:
        compile_texts({"program.sql": PROGRAM.format(lake=lake, ops="")}, None, ProjectCache([]))
    assert said in str(raised.value) and "program.sql:2:" in str(raised.value)
