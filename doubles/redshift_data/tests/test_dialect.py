"""What the compiler's dialect takes the double runs, and what comes back has the type that the dialect says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest

from language.dialects.redshift.rules import RULES
from tests.language.listed_queries import COLUMNS, Dialect
from tests.memory.redshift import MemoryRedshift

WORDS = {
    **{"boolean": "boolean", "smallint": "smallint", "integer": "integer", "bigint": "bigint", "real": "real", "date": "date"},
    **{"double precision": "double precision", "decimal": "decimal(30,5)", "varchar": "varchar(100)", "char": "char(10)"},
    **{"timestamp": "timestamp", "timestamptz": "timestamptz", "varbyte": "varbyte(100)"},
}
PARTED, OBJECT, LIST = ("dateadd", "datediff", "date_part"), """('{"a":{"b":1}}' || '')""", "('[1,2,3,4]' || '')"
SAID = {
    **{(name, 0, kind): said for name in PARTED for kind, said in (("integer", "day"), ("varchar", "'day'"))},
    **{("date_trunc", 0, "varchar"): "'day'", ("to_char", 1, "varchar"): "'YYYY'", ("next_day", 1, "varchar"): "'Mon'"},
    **{("to_date", 0, "varchar"): "'2024-02-03'", ("to_date", 1, "varchar"): "'YYYY-MM-DD'"},
    **{("to_timestamp", 0, "varchar"): "'2024-02-03'", ("to_timestamp", 1, "varchar"): "'YYYY-MM-DD'"},
    **{("to_number", 0, "varchar"): "'12.5'", ("to_number", 1, "varchar"): "'99D9'"},
    **{("convert_timezone", 0, "varchar"): "'UTC'", ("convert_timezone", 1, "varchar"): "'Europe/Zurich'"},
    **{("to_varbyte", 1, "varchar"): "'utf8'", ("from_varbyte", 1, "varchar"): "'utf8'", ("sha2", 1, "integer"): "256"},
    **{("strtol", 0, "varchar"): "'ff'", ("strtol", 1, "integer"): "16", ("acos", 0, "double precision"): "0.5e0"},
    **{("asin", 0, "double precision"): "0.5e0", ("json_extract_path_text", 0, "varchar"): OBJECT},
    **{("json_extract_path_text", at, "varchar"): f"'{name}'" for at, name in ((1, "a"), (2, "b"))},
    **{("json_extract_array_element_text", 0, "varchar"): LIST, ("json_array_length", 0, "varchar"): LIST},
    **{(name, at, "bigint"): "1" for name, at in (("ntile", 0), ("nth_value", 1), ("lag", 1), ("lead", 1))},
}
DIALECT = Dialect("redshift", RULES, WORDS, SAID, {"position": "position({0} IN {1})"})
# What comes back otherwise than the dialect says, and why that is no mistake: an item, what is said, what comes ▸ the reason.
OTHERWISE = {
    (
        r"coalesce\(.*|CASE .*|nvl.*|decode\(.*|greatest\(.*|least\(.*|isnull\(.*",
        "double",
        "float",
    ): "of a REAL and another number the dialect says the wider type, PostgreSQL the narrower",
    (
        r"date_part\(.*",
        "int",
        "double",
    ): "a whole number in either type; which one Redshift gives of a day its documentation leaves open",
    (r"extract\(second FROM .*", "double", "int"): "of seconds the dialect says what DATE_PART gives, which has parts of them",
}
KINDS = {
    **{"int2": "int", "int4": "int", "int8": "long", "float4": "float", "float8": "double", "numeric": "decimal", "bool": "boolean"},
    **{"varchar": "string", "bpchar": "string", "varbyte": "binary"},
}
DECLARED = (
    "b boolean, i integer, l bigint, r real, d double precision, p decimal(10,2), q decimal(5,0), w decimal(38,6), "
    "s varchar(65535), y date, t timestamp, z timestamptz, x varbyte(1000)"
)
ROW = "true, 3, 40, 1.5, 2.5, 12.34, 7, 1.5, 'ab', '2024-03-04', '2024-03-04 05:06:07.123456', '2024-03-04 05:06:07+00'"
LEAST = "-2147483648, -9223372036854775808, '-Infinity', 'NaN', -99999999.99, -99999, -99999999999999999999999999999999.999999"
MOST = "2147483647, 9223372036854775807, 3.4e38, 1.7976931348623157e308, 99999999.99, 99999, 99999999999999999999999999999999.999999"
LATE = "'9999-12-31', '9999-12-31 23:59:59.999999', '9999-12-31 23:59:59.999999+00'"
ROWS = {
    "f": [f"{ROW}, to_varbyte('ab', 'utf8')", ", ".join(["null"] * len(COLUMNS))],
    "extreme": [
        f"false, {LEAST}, '', '0001-01-01', '0001-01-01', '0001-01-01 00:00:00+00', to_varbyte('', 'hex')",
        f"true, {MOST}, 'ü€😀 ''', {LATE}, to_varbyte('00ff', 'hex')",
    ],
}
# What is no error of a value: that the double does not know something, or knows it of other types.
UNKNOWN = ("not exist", "not known", "syntax error", "must be used", "cannot cast", "could not determine", "not unique", "Error:")
WORKGROUP, DATABASE = "dialect", "dev"
TOGETHER = 40  # items of one statement


class Engine:
    """A workgroup with the tables f and extreme."""

    def __init__(self) -> None:
        self.service = MemoryRedshift(lambda: None)  # type: ignore[arg-type, return-value]
        self.service.make(WORKGROUP, DATABASE, "")
        rows = [f"INSERT INTO ops.{name} SELECT {row}" for name, of in ROWS.items() for row in of]
        for text in ("CREATE SCHEMA ops", *(f"CREATE TABLE ops.{name} ({DECLARED})" for name in ROWS), *rows):
            ended = self.run(text)
            assert ended["Status"] == "FINISHED", (text, ended)

    def run(self, text: str) -> dict[str, Any]:
        id = self.service.execute_statement(Sql=text, WorkgroupName=WORKGROUP, Database=DATABASE, WaitTimeSeconds=30)["Id"]
        return self.service.describe_statement(Id=id)

    def types(self, items: Sequence[str], table: str) -> list[str] | str:
        """What comes back of a SELECT's items, or the error."""
        ended = self.run(f"SELECT {', '.join(f'{item} AS c{number}' for number, item in enumerate(items))} FROM ops.{table}")
        if ended["Status"] != "FINISHED":
            return str(ended["Error"])
        columns = self.service.get_statement_result(Id=ended["Id"])["ColumnMetadata"]
        return [KINDS.get(column["typeName"], column["typeName"]) for column in columns]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def check(engine: Engine, taken: Sequence[tuple[str, str]]) -> None:
    """Over rows that are tame no error, and the type that is said; over extreme ones no error but of a value."""
    for some in (taken[at : at + TOGETHER] for at in range(0, len(taken), TOGETHER)):
        _check(engine, some, "f")
        _check(engine, some, "extreme")


def _check(engine: Engine, taken: Sequence[tuple[str, str]], table: str) -> None:
    """All at once, and one by one where that fails: an error names no item."""
    came = engine.types([item for item, _ in taken], table)
    if isinstance(came, str) and len(taken) > 1:
        for one in taken:
            _check(engine, [one], table)
    elif isinstance(came, str):
        of_a_value = table != "f" or taken[0][0].startswith("CAST(s AS")  # 'ab' is no number
        assert of_a_value and not any(word in came for word in UNKNOWN), (taken, came)
    else:
        found = [(item, kind.partition("(")[0], one) for (item, kind), one in zip(taken, came, strict=True)]
        wrong = [one for one in found if one[1] != one[2] and not _has_a_reason(*one)]
        assert not wrong, wrong


def _has_a_reason(item: str, said: str, came: str) -> bool:
    return any((said, came) == pair and re.fullmatch(pattern, item) for pattern, *two in OTHERWISE if (pair := tuple(two)))


@pytest.mark.sampled(8)
@pytest.mark.parametrize("name", sorted(RULES.functions.signatures))
def test_each_signature_that_the_dialect_knows_runs_and_has_its_type(engine: Engine, name: str) -> None:
    check(engine, [*DIALECT.calls(name)])


@pytest.mark.sampled(8)
@pytest.mark.budget(60)
@pytest.mark.parametrize("column", COLUMNS)
def test_each_operator_and_cast_that_the_dialect_takes_runs_and_has_its_type(engine: Engine, column: str) -> None:
    check(engine, [*DIALECT.taken(DIALECT.operations(column))])
