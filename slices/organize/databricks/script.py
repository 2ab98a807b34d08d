"""A list of statements as one: a script, of which a commit's statements that change rows are one transaction.

    BEGIN
      DECLARE a2 STRING;                  the rows of the third statement, as JSON
      …                                   what defines something, which no transaction takes
      BEGIN ATOMIC … END;                 of a commit alone
      …                                   what is dropped
      SELECT a2 AS atoll_2_of_5;
    END

https://docs.databricks.com/aws/en/sql/language-manual/sql-ref-scripting, …/sql-ref-syntax-txn-begin-atomic
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from systems.sql_warehouse.session import GUARD

# A transaction writes tables alone whose commits the catalog coordinates; a column is called by any name, and widens in its place.
PROPERTIES = {
    "delta.feature.catalogManaged": "supported",
    "delta.columnMapping.mode": "name",
    "delta.enableTypeWidening": "true",
    "delta.feature.timestampNtz": "supported",
}
ZONE_WORD, ANSI_WORD = "atoll session not in UTC", "atoll session not in ANSI mode"
_NAME = r"`(?:[^`]|``)*`"
_TABLE = re.compile(rf"CREATE TABLE (?P<there>IF NOT EXISTS )?(?P<name>{_NAME}\.{_NAME}) (?P<rest>.*)", re.DOTALL)
_ZONE = (
    "IF current_timezone() NOT IN ('UTC', 'Etc/UTC', 'GMT', 'Z') THEN "
    f"SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{ZONE_WORD}'; END IF"
)
# Without it what overflows wraps, and what is no number is NULL: of a number and a text its common type is a text then.
# https://docs.databricks.com/aws/en/sql/language-manual/parameters/ansi_mode, …/sql-ref-datatype-rules
_ANSI = f"IF lower(typeof(coalesce(0, '0'))) = 'string' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{ANSI_WORD}'; END IF"
ANSWER = re.compile(r"atoll_(\d+)_of_(\d+)")


def scripted(texts: Sequence[str]) -> str:
    """One statement of all; of a query that stands alone, itself."""
    if len(texts) == 1 and _asks(texts[0]):
        return texts[0]
    lines = [(at, _made(text)) for at, text in enumerate(texts)]
    asks = [at for at, text in enumerate(texts) if _asks(text)]
    if any(text.startswith(GUARD) for text in texts):
        *most, last = lines
        if not _asks(last[1]):
            most, last = [*most, last], (-1, "")
        before = [line for line in most if _begins(line[1], "CREATE", "ALTER")]
        after = [line for line in most if _begins(line[1], "DROP")]
        inner = [line for line in most if line not in before and line not in after]
        atomic = "\n".join(["BEGIN ATOMIC", *(f"{_kept(line, asks)};" for line in inner), "END"])
        lines = [*before, (-1, atomic), *after, *([last] if last[1] else [])]
    body = [_kept(line, asks) for line in lines]
    answer = ", ".join(f"a{at} AS atoll_{at}_of_{len(texts)}" for at in asks) or "1 AS done"
    steps = [*(f"DECLARE a{at} STRING" for at in asks), _ZONE, _ANSI, *body]
    return "\n".join(["BEGIN", *(f"{one};" for one in steps), f"SELECT {answer};", "END"])


def _kept(line: tuple[int, str], asks: Sequence[int]) -> str:
    at, text = line
    if at not in asks:
        return text
    return f"SET a{at} = (SELECT to_json(array_agg(struct(*)), map('ignoreNullFields', 'false')) FROM ({text}) AS q)"


def _made(text: str) -> str:
    """A table with what its statements need of it. Each list can be run again after it has stopped anywhere, or beside itself."""
    found = _TABLE.fullmatch(text)
    if found is None:
        return text
    if found["rest"].startswith("AS "):
        return f"CREATE OR REPLACE TABLE {found['name']} {found['rest']}"
    properties = ", ".join(f"'{name}' = '{value}'" for name, value in PROPERTIES.items())
    return f"CREATE TABLE IF NOT EXISTS {found['name']} {found['rest']} USING DELTA TBLPROPERTIES ({properties})"


def _asks(text: str) -> bool:
    return _begins(text, "SELECT")


def _begins(text: str, *words: str) -> bool:
    return text.split(" ", 1)[0] in words
