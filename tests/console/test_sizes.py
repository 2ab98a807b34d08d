"""`atoll plan` and `atoll apply` of what is too large: told with its size and what to do, before a batch of it is tried."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import Result

from console import discovery_call
from console.init import PROGRAM
from shared_metadata import naming
from shared_metadata.contract.discovery import DiscoverStep
from shared_metadata.contract.sizes import Size
from shared_metadata.errors import DefinitionError
from shared_metadata.program.intervals import Interval
from shared_metadata.program.schema import Schema
from shared_metadata.state.records import TableCommit

Atoll = Callable[..., Result]
GIVEN = {"memory_mb": 2048, "tmp_mb": 4096, "seconds": 900}


@dataclass
class Sources:
    """What the discover functions tell, which run in this process."""

    of: dict[str, Size] = field(default_factory=dict)
    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    refusal: Exception | None = None

    def call(self, target: Any, slice_: Any, step: str, event: Mapping[str, Any], program: str) -> Any:
        if self.refusal:
            raise self.refusal
        self.asked.append((slice_.id, tuple(event["tables"])))
        services = type("Services", (), {"secret": lambda *_, **__: {}})()
        context = type("Context", (), {"get_remaining_time_in_millis": lambda _: 60_000})()
        discover = DiscoverStep(slice_, services, lambda *_: self)  # type: ignore[arg-type]
        return json.loads(json.dumps(discover({**event, "connection": json.loads(json.dumps(event["connection"]))}, context)))

    # -- the Catalog

    def tables(self) -> list[str]:
        raise NotImplementedError

    def describe(self, tables: Sequence[str]) -> dict[str, Schema | None]:
        raise NotImplementedError

    def sizes(self, tables: Sequence[str]) -> dict[str, Size]:
        return {name: self.of[name] for name in tables if name in self.of}

    def close(self) -> None: ...


@pytest.fixture
def sources(ready: Any, monkeypatch: pytest.MonkeyPatch) -> Sources:
    """The first program of `atoll init`, in an account whose stacks say what their functions were given."""
    found = Sources()
    monkeypatch.setattr(discovery_call, "call", found.call)
    client = boto3.client("ssm")
    for slice_id in ("collect.postgres", "organize.iceberg"):
        name = naming.parameter("slices", slice_id)
        values = json.loads(client.get_parameter(Name=name)["Parameter"]["Value"])
        given = {"given": dict.fromkeys(("extract", "load", "commit"), GIVEN)}
        client.put_parameter(Name=name, Value=json.dumps({**values, **given}), Overwrite=True)
    return found


def planned(atoll: Atoll) -> tuple[list[str], list[str]]:
    found = json.loads(atoll("plan", "--json").stdout)
    return found["problems"], found["sizes"]


def test_a_first_load_that_does_not_fit_is_refused_with_its_size_and_what_to_do(atoll: Atoll, sources: Sources, ready: Any) -> None:
    sources.of = {"public.orders": Size(7_000_000_000, 2**40)}
    problems, notes = planned(atoll)
    assert sources.asked == [("collect.postgres", ("public.orders",))]
    assert len(problems) == 1 and not notes
    assert "program.sql:" in problems[0] and "lake.ops.orders: the keys of 7,000,000,000 rows need about" in problems[0]
    assert "APPEND or REPLACE" in problems[0] and problems[0] in atoll("plan").stdout
    refused = atoll("apply")
    assert refused.exit_code == 1 and "7,000,000,000 rows" in refused.stderr and "--any-size" in refused.stderr
    assert ready.writer().reader.active_version() == ""
    assert atoll("apply", "--any-size").exit_code == 0 and ready.writer().reader.active_version()


def test_what_fits_is_planned_without_a_word(atoll: Atoll, sources: Sources) -> None:
    sources.of = {"public.orders": Size(1_000_000, 2**30)}
    assert planned(atoll) == ([], [])
    assert "Sizes:" not in atoll("plan").stdout


def test_of_what_no_size_is_known_nothing_is_refused_and_one_line_says_so(atoll: Atoll, sources: Sources) -> None:
    told = ["the size of what lake.ops.orders collects is unknown: nothing is refused for its size"]
    assert planned(atoll) == ([], told)
    sources.refusal = DefinitionError("the database is away")
    assert planned(atoll) == ([], told)
    assert atoll("apply").exit_code == 0


def test_a_plan_of_what_changes_nothing_of_the_past_asks_no_source(atoll: Atoll, sources: Sources, folder: Path) -> None:
    sources.of = {"public.orders": Size(100, 100)}
    assert atoll("apply").exit_code == 0
    sources.asked.clear()
    text = PROGRAM.replace("sum(amount)", "max(amount)")
    assert text != PROGRAM
    (folder / "program.sql").write_text(text)
    assert planned(atoll) == ([], []) and sources.asked == []


def test_a_merge_into_a_large_table_is_told_by_what_stands_there(atoll: Atoll, sources: Sources, ready: Any, folder: Path) -> None:
    sources.of = {"public.orders": Size(100, 100)}
    assert atoll("apply").exit_code == 0
    writer = ready.writer()
    program = writer.reader.active_program()
    flow = program.flows["lake.ops.orders:load"]
    start = writer.reader.flow_states([flow.id])[flow.id].tables["lake.ops.orders"].watermark
    claim = writer.claim(
        flow.id,
        Interval(start, start + timedelta(seconds=flow.interval_seconds)),
        ("lake.ops.orders",),
        program_version=program.version,
        owner="test",
        lease_seconds=60,
    )
    pointer = {"table": "lake_ops.orders", "snapshot_id": "1", "total_rows": 2_000_000_000}
    writer.commit(claim, [TableCommit("lake.ops.orders", rows=1, pointer=pointer)])
    (folder / "program.sql").write_text(PROGRAM.replace("id, customer, amount, updated_at", "id, customer, updated_at, amount"))
    problems, notes = planned(atoll)
    assert problems == [] and any("lake.ops.orders: the table holds 2,000,000,000 rows" in note for note in notes), notes
