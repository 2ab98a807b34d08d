"""Whether a cursor's windows meet every row of a collect query: one that leaves must be told, and none may come late.

Rows that its WHERE leaves out are told, if nothing else decides. Whatever else decides may also let a row in whose window was read.
"""

from __future__ import annotations

from language.forms.resolved import Settings
from language.sql.dialect import as_source
from language.sql.leaving import Leaving
from language.sql.query import SourceQuery
from language.text.diagnostics import Problem, Span
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Mode

_REMEDY = (
    "collect the table by its columns and WHERE, and do the rest in a view; or use REPLACE, which reads the whole result every time"
)
_STAYS = "a row that this query gives no more would stay in the table: its source cannot tell that it left"
_LATE = "a row that this query gives later than its cursor's window was read would never come"


def condition(query: SourceQuery, settings: Settings, collector: Slice) -> Span | None:
    """The WHERE of a query that is merged, whose rows are then told when they leave it; None where no row can leave.

    Raises Problem where rows can leave and the source cannot tell which, or can come when their window has been read.
    """
    merged = settings.mode is Mode.MERGE
    if not meets_windows(settings):
        return None
    found = as_source(query.dialect).leaving(query)
    if found.obstacle is not None:
        raise Problem(found.obstacle, _STAYS if merged else _LATE, _REMEDY)
    if found.several is not None and merged:
        raise Problem(found.several, _STAYS, _REMEDY)
    _check_where(found, settings)
    if found.where is None or not merged:
        return None
    if not collector.capabilities.reports_left:
        raise Problem(found.where, f"{collector.id} does not tell which rows this WHERE takes no more", _REMEDY)
    return found.text


def meets_windows(settings: Settings) -> bool:
    """Whether a batch takes some of the rows only, or keeps those that it does not take."""
    return settings.mode is Mode.MERGE or (settings.mode is Mode.APPEND and bool(settings.cursor))


def _check_where(found: Leaving, settings: Settings) -> None:
    if found.moment is not None:
        raise moves_by_itself(found.moment, settings.mode)
    if found.own is not None:
        move = "leave this WHERE without being changed" if settings.mode is Mode.MERGE else "come into this WHERE after their window"
        cause = f"rows may {move}: what this calls, only the source knows"
        remedy = found.meant + "SELECT what it gives as a column, and filter by that in a view; or use REPLACE"
        raise Problem(found.own, cause, remedy)


def moves_by_itself(moment: Span, mode: Mode) -> Problem:
    """The problem of a WHERE that takes another row although none has changed."""
    if mode is Mode.MERGE:
        cause = "rows leave this WHERE without being changed, and no CURSOR tells which"
        return Problem(moment, cause, "filter by the moment in a view, with batch_end(); or use REPLACE")
    cause = "rows come into this WHERE without being changed, when the CURSOR's window has been read, and are lost"
    remedy = "leave it out, since APPEND waits until all is settled; filter by the moment in a view, with batch_end()"
    return Problem(moment, cause, remedy + "; for moments that are set late, use MERGE and the connection's `lag`")
