"""Notes on windows that a query makes itself: rows that come later than their own time, and rows exactly at a bound."""

from __future__ import annotations

import re

from shared_metadata.program import Flow, Kind, Program

OWN = "_batch"  # which batch brought a row, whatever the row's own time is
_NAME = r'(?P<{}>[\w."]+)'
_BOUND = r"batch_{}\s*\(\s*\)"
# Of each of a comparison's two ways to be written: whether it leaves the bound out, and which name is compared.
_FROM = re.compile(
    rf"{_NAME.format('a')}\s*>(?P<e>=?)\s*{_BOUND.format('start')}|{_BOUND.format('start')}\s*<(?P<f>=?)\s*{_NAME.format('b')}"
)
_TO = re.compile(
    rf"{_NAME.format('a')}\s*<(?P<e>=?)\s*{_BOUND.format('end')}|{_BOUND.format('end')}\s*>(?P<f>=?)\s*{_NAME.format('b')}"
)


def window_notes(program: Program) -> list[str]:
    """A line for each kind of window by which rows may stay away, with the datasets whose queries have it.

    What is written is looked at, also in a comment: there a note may be one too many.
    """
    own_time, strict = set[str](), set[str]()
    for flow in program.flows.values():
        if flow.whole or flow.kind not in (Kind.VIEW, Kind.RESULT):  # whole: its query says no bound
            continue
        starts, ends = _compared(_FROM, flow), _compared(_TO, flow)
        names = [table.dataset.split(":")[0] for table in flow.tables]
        if any(name != OWN for name in starts):
            own_time.update(names)
        if any(leaves_out and ends.get(name) for name, leaves_out in starts.items()):
            strict.update(names)
    found = []
    if own_time:
        found.append(
            f"{', '.join(sorted(own_time))}: a row that is collected in a later batch than its own time's is in no window of this "
            f"query; window by {OWN} (WHERE {OWN} >= batch_start() AND {OWN} < batch_end()), which also meets what was late"
        )
    if strict:
        said = "a row exactly at a bound is in no window of this query; write >= batch_start() AND < batch_end()"
        found.append(f"{', '.join(sorted(strict))}: {said}")
    return found


def _compared(bound: re.Pattern[str], flow: Flow) -> dict[str, bool]:
    """Column ▸ whether it is compared so that a value exactly at the bound is left out."""
    found = {}
    for match in bound.finditer("\n".join((flow.query, *(call.query for call in flow.calls))).lower()):
        name = (match["a"] or match["b"]).split(".")[-1].strip('"')
        found[name] = not (match["e"] or match["f"])
    return found
