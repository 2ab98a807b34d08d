"""A query in Redshift's SQL, as its text alone tells it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import TokenType, exp

from language.sql.listed.parted_query import PartedQuery, pieces
from language.text.diagnostics import Problem, Span


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
        for select in self.of_kind(exp.Select):
            for window in select.args.get("windows") or ():
                raise Problem(self.place(window), "Redshift has no WINDOW", "write the window itself behind OVER")
        for spec in self.of_kind(exp.WindowSpec):
            if str(spec.args.get("kind")).upper() == "RANGE":
                raise Problem(self.place(spec.parent or spec), "Redshift has no RANGE in a window", "write ROWS BETWEEN …")
        for start in self._positions():
            raise Problem(start, "Redshift has no POSITION with a comma", "write POSITION(a IN b), or strpos(b, a)")
        for values in self.of_kind(exp.Values):
            raise Problem(self.place(values), "Redshift has no VALUES within a query", "write SELECT … UNION ALL SELECT …")

    def _positions(self) -> Iterator[Span]:
        """Where POSITION stands whose parentheses have no IN of their own."""
        tokens = self.tokens
        for at, token in enumerate(tokens[:-1]):
            if token.text.upper() == "POSITION" and tokens[at + 1].token_type == TokenType.L_PAREN:
                depth, inner = 0, list[TokenType]()
                for after in tokens[at + 1 :]:
                    depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(after.token_type, 0)
                    inner += [after.token_type] if depth == 1 else []
                    if depth == 0:
                        break
                if TokenType.IN not in inner:
                    yield self.within(token.start, token.end + 1)
