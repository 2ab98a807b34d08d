"""Which flows cover missed intervals: those whose last batch leaves the same, whether the batches before it were made or not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from shared_metadata.program import Flow, Kind, Mode

OWN_BATCH, BOUND = "_batch", "batch_start"


def with_covering(flows: Sequence[Flow]) -> list[Flow]:
    """The flows of a program, each with `covers` as its own clauses and its readers' queries decide.

    Words are looked for in the texts: one in a comment or a string keeps the intervals too, which is never wrong.
    """
    texts = {flow.id: _text(flow) for flow in flows}
    kept = {name for flow in flows if _names(OWN_BATCH, texts[flow.id]) for table in flow.tables for name in table.inputs}
    own = {flow.id: _covers(flow, texts[flow.id]) and not kept.intersection(table.dataset for table in flow.tables) for flow in flows}
    results = {table.dataset: own[flow.id] for flow in flows if flow.kind == Kind.RESULT for table in flow.tables}
    published = {f.id: all(results[name] for table in f.tables for name in table.inputs) for f in flows if f.kind == Kind.PUBLISH}
    return [replace(flow, covers=published.get(flow.id, own[flow.id])) for flow in flows]


def _covers(flow: Flow, text: str) -> bool:
    """Whether one batch may cover several intervals, by the flow itself and its `_text`.

    collect, load: a MERGE leaves each row's last state. Not under a count of bad rows, which is a batch's: of several together there
    may be more; nor where `_batch`, the start of the batch that a row came with, decides over something.
    others: whatever states the whole, and does not depend on where its batch begins.
    """
    if flow.kind in (Kind.COLLECT, Kind.LOAD):
        counted = Mode.MERGE in flow.modes and flow.bad_rows is not None and flow.bad_rows.rows > 0
        return Mode.APPEND not in flow.modes and not counted and not _names(OWN_BATCH, text)
    stated = flow.mode == Mode.REPLACE if flow.kind == Kind.VIEW else flow.supersedes
    return stated and not _names(BOUND, text)


def _text(flow: Flow) -> str:
    """All that a flow says in SQL, folded."""
    keys = (*flow.key, *(name for table in flow.tables for name in table.key))
    said = (flow.query, *flow.partition_by, *keys, *(expectation.predicate for expectation in flow.expectations))
    return "\n".join(said).lower()


def _names(word: str, text: str) -> bool:
    """Most texts do not have it at all, which is seen thirty times as fast."""
    return word in text and re.search(rf"(?<![\w$]){word}(?![\w$])", text) is not None
