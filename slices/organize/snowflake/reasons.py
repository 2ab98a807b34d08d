"""What Snowflake's errors mean, without any value that a row may hold.

Its words are told where they name what the statement or the catalog does; of all else, ours.
"""

from __future__ import annotations

import re

from slices.organize.snowflake.logic import MOVED_WORD, folded
from systems.sql_warehouse.session import MOVED

CANCELLED = "000604"
# Locked by another transaction for too long, or in a circle with it; an error of its own: https://community.snowflake.com/s/error-messages
TRANSIENT = ("000625", "300002", "604001")
# Codes whose words quote no row, each with what to do.
_TOLD = {
    "001003": "mend the query",
    "000904": "mend the query",
    "001044": "mend the query",
    "002140": "mend the query",
    "001789": "mend the query",
    "002003": "make it, or grant it to the role that the warehouse's options name; the slice's README lists what that needs",
    "002043": "make it, or grant it to the role that the warehouse's options name; the slice's README lists what that needs",
    "003001": "grant it to the role that the warehouse's options name; the slice's README lists what that needs",
    "002002": "rename what is in the way; Atoll touches nothing that it did not make",
    "000606": "grant USAGE on the warehouse that the options name to their role, or name another",
    "000607": "resume the warehouse, or set AUTO_RESUME = TRUE",
    "090073": "raise the quota of the resource monitor, or wait for its next period",
    "390189": "grant the role to the user in the secret, or name another",
    "000630": "have it do less, or allow it more: statement_minutes, and STATEMENT_TIMEOUT_IN_SECONDS of warehouse and user",
    "002099": "CAST the column",
    "003167": "see that the storage integration's role is the one that the slice's README names",
    "091016": "nothing: what was staged is gone, and the batch is made again from its source",
}
_OURS = {
    "100038": "a text is no number, or no moment",
    "100035": "a text is no moment",
    "100040": "a text is no date",
    "100051": "a number is divided by zero",
    "100046": "a number has more digits than its type",
    "100132": "a number has more digits than its type",
    "100078": "a text is longer than its column takes",
    "100090": "a row is met by several of a MERGE",
    "100072": "a column that takes no NULL is given one",
    CANCELLED: "",
}


_QUOTED = re.compile(r"'([^']*)'")


def _as_written(found: re.Match[str]) -> str:
    """A name as the program has it."""
    return "'" + ".".join(folded(part) if part.isupper() else part for part in found[1].split(".")) + "'"


def reason(code: str, said: str) -> str:
    if MOVED_WORD in said:
        return MOVED
    if code in TRANSIENT:
        return f"another transaction has locked the same table for too long, or the service itself failed ({code})"
    if code in _TOLD:
        words = " ".join(said.removeprefix("SQL compilation error:").removeprefix("SQL access control error:").split())
        return f"{_QUOTED.sub(_as_written, words[:400])} ({code}; {_TOLD[code]})"
    if code in _OURS:
        return f"{_OURS[code]} ({code})" if _OURS[code] else ""
    return f"Snowflake's words of error {code} may quote a row; its Query History shows them"
