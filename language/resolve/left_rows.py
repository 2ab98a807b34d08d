"""Whether a source can tell which rows a collect query takes no more: those that its WHERE leaves out, if nothing else decides."""

from __future__ import annotations

from language.forms.resolved import Settings
from language.sql.dialect import as_source
from language.sql.query import SourceQuery
from language.text.diagnostics import Problem, Span
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Mode

_REMEDY = (
    "collect the table by its columns and WHERE, and do the rest in a view; or use REPLACE, which reads the whole result every time"
)


def condition(query: SourceQuery, settings: Settings, collector: Slice) -> Span | None:
    """The WHERE of a query that is merged, whose rows are then told when they leave it; None where no row can leave.

    Raises Problem where rows can leave and the source cannot tell which.
    """
    if settings.mode is not Mode.MERGE:
        return None
    found = as_source(query.dialect).leaving(query)
    if found.obstacle is not None:
        cause = "a row that this query gives no more would stay in the table: its source cannot tell that it left"
        raise Problem(found.obstacle, cause, _REMEDY)
    if found.where is None:
        return None
    if found.moment is not None:
        raise leaves_by_itself(found.moment)
    if found.own is not None:
        cause = "rows may leave this WHERE without being changed: what this calls, only the source knows"
        raise Problem(
            found.own, cause, found.meant + "SELECT what it gives as a column, and filter by that in a view; or use REPLACE"
        )
    if not collector.capabilities.reports_left:
        raise Problem(found.where, f"{collector.id} does not tell which rows this WHERE takes no more", _REMEDY)
    return found.text


def leaves_by_itself(moment: Span) -> Problem:
    cause = "rows leave this WHERE without being changed, and no CURSOR tells which"
    return Problem(moment, cause, "filter by the moment in a view, with batch_end(); or use REPLACE")
