"""Which flows cover missed intervals: those whose last batch leaves the same, whether the batches before it were made or not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from language.forms.resolved import Collect, Resolved, View
from shared_metadata.program import Flow, Kind, Mode
from shared_metadata.program.source_schemas import SourceSchemas

OWN_BATCH, BOUND, BOUNDS = "_batch", "batch_start", "batch_"


def with_covering(flows: Sequence[Flow], statements: Sequence[Resolved], schemas: SourceSchemas) -> list[Flow]:
    """The flows of these statements, each with `covers` and `follows` as its own clauses and its readers' queries decide.

    Words are looked for in the texts: one in a comment or a string keeps the intervals too, which is never wrong.
    """
    texts = {flow.id: _text(flow) for flow in flows}
    kept = {name for flow in flows if _names(OWN_BATCH, texts[flow.id]) for table in flow.tables for name in table.inputs}
    own = {flow.id: _covers(flow, texts[flow.id]) and not kept.intersection(table.dataset for table in flow.tables) for flow in flows}
    results = {table.dataset: own[flow.id] for flow in flows if flow.kind == Kind.RESULT for table in flow.tables}
    published = {f.id: all(results[name] for table in f.tables for name in table.inputs) for f in flows if f.kind == Kind.PUBLISH}
    follow = {flow.id for flow in flows if not _names(OWN_BATCH, texts[flow.id])}.intersection(_following(statements, schemas))
    return [replace(f, covers=published.get(f.id, own[f.id]), follows=f.id in follow) for f in flows]


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


def _following(statements: Sequence[Resolved], schemas: SourceSchemas) -> Iterator[str]:
    """The views of which one batch may cover the intervals that read one version of their input, and that input any number of them.

    Their batches add up by the cursor of what they read. Of that a batch that was missed brings each row as the source has it now, so
    with one moment: it is in the same interval's window whether the intervals before were made by themselves or not.
    """
    adding = [(view, column) for view in statements if isinstance(view, View) and (column := _adds_up_by(view))]
    once = set(_once(statements, schemas)) if adding else set()
    yield from (view.dataset for view, column in adding if (view.inputs[0].dataset, column) in once)


def _adds_up_by(view: View) -> str:
    """The column by which the batches of a view in APPEND add up; '' where they do not. How many rows may be bad is a batch's."""
    clauses = view.statement.clauses
    counted = clauses.tolerates or clauses.bad_rows
    if view.settings.mode is not Mode.APPEND or not view.query.bounds or counted or view.calls or len(view.inputs) != 1:
        return ""
    if any(BOUNDS in expectation.predicate.text.lower() for expectation in clauses.expectations):
        return ""
    return view.query.adds_up_by(view.settings.interval_seconds)


def _once(statements: Iterable[Resolved], schemas: SourceSchemas) -> Iterator[tuple[str, str]]:
    """The datasets that a cursor collects from a table that has each row once, by the key of the MERGE; with their cursors."""
    for statement in statements:
        if not isinstance(statement, Collect):
            continue
        known = schemas.get(statement.connection.name.folded)
        called = {column.source.strip('`"').lower(): column.name for column in statement.columns}
        for table in statement.tables:
            settings = statement.settings_of(table)
            key = known.defaults_of(table.source).key if known is not None and table.source else ()
            own = key and {called.get(name, "") if called else name for name in key} <= set(settings.key)
            if own and settings.mode is Mode.MERGE and settings.cursor and not settings.capture:
                yield table.dataset, settings.cursor


def _text(flow: Flow) -> str:
    """All that a flow says in SQL, folded."""
    keys = (*flow.key, *(name for table in flow.tables for name in table.key))
    said = (
        flow.query,
        *(call.query for call in flow.calls),
        *flow.partition_by,
        *keys,
        *(expectation.predicate for expectation in flow.expectations),
    )
    return "\n".join(said).lower()


def _names(word: str, text: str) -> bool:
    """Most texts do not have it at all, which is seen thirty times as fast."""
    return word in text and re.search(rf"(?<![\w$]){word}(?![\w$])", text) is not None
