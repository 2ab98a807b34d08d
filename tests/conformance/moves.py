"""Legal states of a table in which something watches over unique values, and that each follows on each other when it is published."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests.conformance.direct import DirectBatches

SHAPE = {"id": "int", "a": "int", "b": "string"}
BESIDE = ("more", "number", "at")  # columns that are not published
State = list[dict[str, Any]]


def states() -> st.SearchStrategy[State]:
    """Rows of which ids 1, 2 and 3 are always there, each with another a."""

    def rows(parts: tuple[list[int], list[int]]) -> State:
        return [{"id": id, "a": a, "b": "same"} for id, a in zip(*parts, strict=False)]

    ids = st.lists(st.integers(1, 6), unique=True, min_size=1).map(lambda found: sorted({*found, 1, 2, 3}))
    return st.tuples(ids, st.permutations(range(1, 8))).map(rows)


def check_follows(execute: Callable[[str], State], publishing: DirectBatches, table: str, after: State, *, tolerant: bool) -> None:
    """Publishes a state of a table that holds another: it is there, with all that the rows had beside what is published."""
    before = execute(f"SELECT * FROM {table}")
    held = {row["id"]: [row[name] for name in BESIDE] for row in before}
    gone = [{"id": id} for id in held if id not in {row["id"] for row in after}]
    assert publishing.publish(after, gone, tolerated=9 if tolerant else 0) == {}
    found = execute(f"SELECT * FROM {table} ORDER BY id")
    assert [{name: row[name] for name in SHAPE} for row in found] == after
    stayed = held.keys() & {row["id"] for row in after}
    assert {row["id"]: [row[name] for name in BESIDE] for row in found if row["id"] in held} == {id: held[id] for id in stayed}
