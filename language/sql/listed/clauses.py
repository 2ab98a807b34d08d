"""Where an expression stands, and what may not stand there: aggregates, functions of windows."""

from __future__ import annotations

from dataclasses import dataclass

from language.sql.findings import Told

_AROUND = "filter around a subquery"
_BELOW = "compute it in a query below, and name it here"


@dataclass(frozen=True)
class Clause:
    """aggregates, windows: why none may stand here, and what to do instead; None where they may."""

    aggregates: Told | None = None
    windows: Told | None = None


ANYWHERE = Clause()
WHERE = Clause(
    ("WHERE is read before rows are grouped", f"write it in HAVING, or {_AROUND}"),
    ("WHERE is read before windows are", f"compute it in a subquery, and {_AROUND}"),
)
JOINING = Clause(("rows are joined before they are grouped", _BELOW), ("rows are joined before windows are read", _BELOW))
GROUPING = Clause(
    ("rows are grouped before they are aggregated", "group by what is aggregated in a query below"),
    ("rows are grouped before windows are read", _BELOW),
)
HAVING = Clause(None, ("HAVING is read before windows are", f"compute it in a subquery, and {_AROUND}"))
AGGREGATED = Clause(
    ("an aggregate stands within another one", "aggregate in a query below, and what it gives here"),
    ("a window stands within an aggregate", _BELOW),
)
OVER = Clause(None, ("a window stands within another one", _BELOW))
OF_LAMBDA = Clause(
    ("a lambda reads one element, and no rows", "aggregate in a query below"), ("a lambda reads one element, and no rows", _BELOW)
)
OF_RESULT = Clause(  # ORDER BY of a set operation
    ("this orders what the queries give, which are no groups", "name one of the columns"),
    ("this orders what the queries give", "name one of the columns"),
)
