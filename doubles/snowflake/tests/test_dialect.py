"""What the compiler's dialect takes the double runs, and what comes back has the type that the dialect says."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from doubles.snowflake import results, words
from doubles.snowflake.errors import StatementFailed
from doubles.snowflake.session import Database, Outcome, Session
from language.dialects.snowflake.rules import RULES
from tests.language.listed_queries import COLUMNS, Dialect

WORDS = {
    **{"boolean": "boolean", "integer": "int", "bigint": "bigint", "float": "float", "decimal": "number(30,5)", "date": "date"},
    **{"varchar": "varchar(100)", "timestamp_ntz": "timestamp_ntz", "timestamp_ltz": "timestamp_ltz", "binary": "binary(100)"},
}
PARTED = ("dateadd", "datediff", "date_part", "timestampadd", "timestampdiff")
SAID = {
    **{(name, 0, kind): said for name in PARTED for kind, said in (("integer", "day"), ("varchar", "'day'"))},
    **{("date_trunc", 0, "varchar"): "'day'", ("next_day", 1, "varchar"): "'mo'", ("previous_day", 1, "varchar"): "'mo'"},
    **{(name, at, "varchar"): said for name in ("to_date", "try_to_date") for at, said in ((0, "'2024-02-03'"), (1, "'YYYY-MM-DD'"))},
    **{("convert_timezone", 0, "varchar"): "'UTC'", ("convert_timezone", 1, "varchar"): "'Europe/Zurich'"},
    **{("to_binary", 1, "varchar"): "'utf-8'", ("sha2", 1, "integer"): "256", ("sha2_hex", 1, "integer"): "256"},
    **{(f"hex_decode_{kind}", 0, "varchar"): "'6162'" for kind in ("string", "binary")},
    **{(f"base64_decode_{kind}", 0, "varchar"): "'YWI='" for kind in ("string", "binary")},
    **{("to_boolean", 0, "varchar"): "'true'", ("to_number", 0, "varchar"): "'12'", ("to_decimal", 0, "varchar"): "'12'"},
    **{("json_extract_path_text", at, "varchar"): said for at, said in ((0, """('{"a":1}' || '')"""), (1, "'a'"))},
    **{("date_from_parts", at, "bigint"): said for at, said in enumerate(("2024", "2", "3"))},
    **{("factorial", 0, "bigint"): "5", ("to_double", 0, "T"): "i", ("asin", 0, "float"): "0.5e0", ("acos", 0, "float"): "0.5e0"},
    **{("width_bucket", 1, "float"): "0e0", ("width_bucket", 2, "float"): "10e0", ("width_bucket", 3, "bigint"): "4"},
    **{(name, 1, "integer"): "2" for name in ("round", "trunc", "truncate")},  # DuckDB rounds a decimal to a constant's digits alone
    **{(name, 1, "integer"): "3" for name in ("lpad", "rpad", "repeat")},  # a text of two billion characters takes its memory
    **{("listagg", 1, "varchar"): "','"},  # a constant in both
    **{(f"to_timestamp_{kind}", 0, "varchar"): "'2024-02-03'" for kind in ("ntz", "ltz")},
    **{(f"to_timestamp_{kind}", 1, "varchar"): "'YYYY-MM-DD'" for kind in ("ntz", "ltz")},
    **{(name, 1, "varchar"): "'YYYY'" for name in ("to_varchar", "to_char")},
    **{(name, at, "bigint"): "1" for name, at in (("ntile", 0), ("nth_value", 1), ("lag", 1), ("lead", 1))},
}
DIALECT = Dialect("snowflake", RULES, WORDS, SAID)
# Of one type in Snowflake are whole numbers and decimals, and are floats and doubles.
KINDS = {"int": "fixed", "long": "fixed", "decimal": "fixed", "float": "real", "double": "real", "string": "text"}
KINDS |= {"timestamp": "timestamp_ntz", "timestamptz": "timestamp_ltz"}
# A moment that Snowflake gives of a date is none of ours, and a CAST of it to a number is an error of the item.
NOT_RUN = ("CAST(dateadd(", "CAST(timestampadd(", "CAST(s AS")  # the last: of a text that is no number
DECLARED = (
    "b boolean, i number(10,0), l number(19,0), r float, d float, p number(10,2), q number(5,0), w number(38,6), "
    "s varchar(134217728), y date, t timestamp_ntz(6), z timestamp_ltz(6), x binary(67108864)"
)
ROW = "true, 3, 40, 1.5, 2.5, 12.34, 7, 1.5, 'ab'"
LEAST = "-2147483648, -9223372036854775808, '-inf', 'NaN', -99999999.99, -99999, -99999999999999999999999999999999.999999"
MOST = "2147483647, 9223372036854775807, 3.4e38, 1.7976931348623157e308, 99999999.99, 99999, 99999999999999999999999999999999.999999"


def moments(date: str, clock: str) -> str:
    return f"CAST('{date}' AS date), CAST('{date} {clock}' AS timestamp_ntz), CAST('{date} {clock}+00:00' AS timestamp_ltz)"


ROWS = {
    "f": [f"{ROW}, {moments('2024-03-04', '05:06:07.123456')}, to_binary('6162', 'hex')", ", ".join(["null"] * len(COLUMNS))],
    "extreme": [
        f"false, {LEAST}, '', {moments('0001-01-01', '00:00:00')}, to_binary('', 'hex')",
        f"true, {MOST}, 'ü€😀 ''', {moments('9999-12-31', '23:59:59.999999')}, to_binary('00ff', 'hex')",
    ],
}
UNKNOWN = ("not known", "Unknown function", "Invalid argument types", "syntax error", "Processing aborted", "does not exist")


@pytest.fixture(scope="module")
def session() -> Session:
    """A session with the tables f and extreme."""
    made = Session(Database(), lambda stage: (None, "", ""))
    run(made, "CREATE SCHEMA ops")
    for name, rows in ROWS.items():
        run(made, f"CREATE TABLE ops.{name} ({DECLARED})")
        for row in rows:
            run(made, f"INSERT INTO ops.{name} SELECT {row}")
    return made


def run(session: Session, text: str) -> Outcome:
    (said,) = words.statements(text)
    return session.run(said)


def check(session: Session, taken: Sequence[tuple[str, str]]) -> None:
    """Over rows that are tame no error, and the type that is said; over extreme ones no error but of a value."""
    for item, kind in taken:
        if not item.startswith(NOT_RUN):
            (came,) = results.row_type(run(session, f"SELECT {item} AS c FROM ops.f").columns)
            said = kind.partition("(")[0]
            assert came["type"] == KINDS.get(said, said), (item, said, came)
        try:
            run(session, f"SELECT {item} AS c FROM ops.extreme")
        except StatementFailed as failed:
            assert not any(word in str(failed) for word in UNKNOWN), (item, str(failed))


@pytest.mark.sampled(8)
@pytest.mark.budget(30)
@pytest.mark.parametrize("name", sorted(RULES.functions.signatures))
def test_each_signature_that_the_dialect_knows_runs_and_has_its_type(session: Session, name: str) -> None:
    check(session, [*DIALECT.calls(name)])


@pytest.mark.sampled(8)
@pytest.mark.budget(60)
@pytest.mark.parametrize("column", COLUMNS)
def test_each_operator_and_cast_that_the_dialect_takes_runs_and_has_its_type(session: Session, column: str) -> None:
    check(session, [*DIALECT.taken(DIALECT.operations(column))])
