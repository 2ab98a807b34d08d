"""What `atoll check` notes of windows that a query makes itself."""

from __future__ import annotations

import pytest

from console.windows import window_notes
from language.compiler import compile_sources
from slices.registry import installed

HEAD = (
    "CREATE WAREHOUSE lake USING iceberg;\nCREATE CONNECTION ops TO postgres WITH (secret = 'ops');\n"
    "INSERT INTO lake.ops.t EVERY '1 hour' MERGE ON (id) CURSOR u AS SELECT id, u FROM ops.public.t;\n"
)
LATE, BOUND = "later batch than its own time's", "exactly at a bound"
WINDOWS = {
    "u >= batch_start() AND u < batch_end()": [LATE],
    "batch_start() <= t.u AND batch_end() > t.u": [LATE],
    "u > batch_start() AND u < batch_end()": [LATE, BOUND],
    "batch_start() < u AND batch_end() > u": [LATE, BOUND],
    "u > batch_start() AND u <= batch_end()": [LATE],
    "_batch >= batch_start() AND t._batch < batch_end()": [],
    "_batch > batch_start() AND _batch < batch_end()": [BOUND],
    "u < batch_end()": [],
    "id > 1": [],
}


@pytest.mark.parametrize(
    "verb", ["CREATE MATERIALIZED VIEW lake.v.x EVERY '1 hour' APPEND", "INSERT INTO ops.public.x EVERY '1 hour' MERGE ON (id)"]
)
def test_a_window_by_the_rows_own_time_and_one_without_its_bounds_are_told(verb: str) -> None:
    for where, expected in WINDOWS.items():
        program = compile_sources({"p.sql": f"{HEAD}{verb} AS SELECT id, u FROM lake.ops.t t WHERE {where};"}, installed()).outline
        found = window_notes(program)
        assert len(found) == len(expected) and all(said in note for said, note in zip(expected, found, strict=True)), where
        assert all("batch_start()" in note for note in found)
