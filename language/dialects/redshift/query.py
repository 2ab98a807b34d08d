"""A query in Redshift's SQL, as its text alone tells it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from language.sql.listed.parted_query import PartedQuery, pieces
from language.sql.parsed import of_kind
from language.text.diagnostics import Problem


@dataclass(frozen=True, eq=False)
class RedshiftQuery(PartedQuery):
    engine = "Redshift"
    pieces = pieces("dateadd", "datediff", "date_part")
    # https://docs.aws.amazon.com/redshift/latest/dg/r_Dateparts_for_datetime_functions.html
    parts = frozenset((
        *("millennium", "century", "decade", "year", "quarter", "month", "week", "day", "hour", "minute", "second"),
        *("millisecond", "microsecond", "dayofweek", "dow", "dayofyear", "doy", "epoch"),
    ))  # fmt: skip
    dialect: str = "redshift"

    def check_words(self) -> None:
        """Raises Problem for what other engines write and Redshift does not read, though sqlglot does."""
        super().check_words()
        for select in of_kind(self.nodes, exp.Select):
            for window in select.args.get("windows") or ():
                raise Problem(self.place(window), "Redshift has no WINDOW", "write the window itself behind OVER")
        for spec in of_kind(self.nodes, exp.WindowSpec):
            if str(spec.args.get("kind")).upper() == "RANGE":
                raise Problem(self.place(spec.parent or spec), "Redshift has no RANGE in a window", "write ROWS BETWEEN …")
        for values in of_kind(self.nodes, exp.Values):
            raise Problem(self.place(values), "Redshift has no VALUES within a query", "write SELECT … UNION ALL SELECT …")
