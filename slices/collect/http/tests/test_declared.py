"""What a connection may declare of its tables' events, which events are refused by it, and that a batch reads what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_metadata.contract.parquet.duckdb_session import literal, open_duckdb
from shared_metadata.contract.parquet.exact_values import Value
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Mode
from slices.collect.http.bodies import events
from slices.collect.http.config import Config
from slices.collect.http.declared import WORDS, Declared, declared
from slices.collect.http.signatures import Refused
from slices.collect.http.tests.test_http import Orders, cloud, orders  # noqa: F401

ORDERS = 'orders (id bigint not null, "Total €" decimal(12,2), placed timestamptz, paid boolean, more json)'


def test_tables_are_read_with_and_without_columns() -> None:
    found = declared(f"clicks, {ORDERS} ,notes")
    assert list(found) == ["clicks", "orders", "notes"] and found["clicks"] == found["notes"] == ()
    assert found["orders"][:2] == (Declared("id", "long", True), Declared("Total €", "decimal(12,2)", False))
    assert [column.type for column in found["orders"]] == ["long", "decimal(12,2)", "timestamptz", "boolean", "string"]


WRONG = ["", "a,", "a a", "a ()", "a (id)", "a (id bigint", "a (id bigint) b", "a (id bigint,)", "a (id bigint, ID text)", "a, a"]
WRONG += ["a (id decimal)", "a (id decimal(40,2))", "a (id decimal(2,3))", "a (id varchar(10,1))", "a (id blob)", "a/b", "a (1 int)"]


@pytest.mark.parametrize("tables", WRONG)
def test_what_is_no_declaration_is_refused_by_the_options_name(tables: str) -> None:
    with pytest.raises(ValueError, match="tables"):
        Config(tables=tables)


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ({"id": 1}, ""),
        ({"id": 1, "Total €": 9.5, "placed": "2026-01-01T00:00:00Z", "paid": True, "more": [{}]}, ""),
        ({"id": None}, "has no id, which is NOT NULL"),
        ({}, "has no id, which is NOT NULL"),
        ({"id": 1, "hidden words": 2}, "has a key that the table does not declare"),
        ({"id": "hidden words"}, "has a value of id that is no long"),
        ({"id": 1, "Total €": 1.239}, "has a value of Total € that is no decimal(12,2)"),
        ({"id": 1, "placed": "2026-02-30T00:00:00Z"}, "has a value of placed that is no timestamptz"),
        ({"id": 1, "paid": 1}, "has a value of paid that is no boolean"),
    ],
)
def test_an_event_is_judged_before_it_is_promised(event: dict[str, Any], why: str) -> None:
    columns = declared(ORDERS)["orders"]
    body = json.dumps([{"id": 0}, event]).encode()
    if not why:
        assert len(events(body, "json", columns)) == 2
        return
    with pytest.raises(Refused) as error:
        events(body, "json", columns)
    assert (error.value.status, error.value.cause) == (400, f"event 2 {why}") and "hidden" not in error.value.cause


def test_a_key_twice_is_refused() -> None:
    with pytest.raises(Refused, match="event 1 has a key twice"):
        events(b'{"a": {"b": 1, "b": 2}}', "json")


Texts = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    st.floats().map(str),
    st.dates().map(str),
    st.datetimes().map(str),
    st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
    st.builds(lambda moment, hours: f"{moment.isoformat(' ')}{hours:+03d}:30", st.datetimes(), st.integers(-12, 14)),
    st.text(alphabet="0123456789+-.eETZ: ", max_size=30),
    st.sampled_from(
        ["", "true", "NaN", "Infinity", "-0", "00012", "1_000", "9999-12-31T23:59:59.999999-00:01", "0001-01-01", "24:00"]
    ),
)
KINDS = sorted({"decimal(12,2)", "decimal(38,10)", *WORDS.values()} - {"json", "string", "boolean"})


@settings(max_examples=500, deadline=None)
@given(texts=st.lists(Texts, min_size=1, max_size=20), kind=st.sampled_from(KINDS))
def test_what_is_taken_is_read_exactly_by_a_batch(texts: list[str], kind: str) -> None:
    """Also as a number, where it is one of JSON's."""
    taken = list[str]()
    for text in texts:
        for body in (json.dumps({"v": text}), f'{{"v": {text}}}'):
            try:
                events(body.encode(), "json", (Declared("v", kind, True),))
            except Refused:
                continue
            taken.append(text)
    if taken:
        value = Value.of_file("v", "VARCHAR").as_type(kind)
        rows = ", ".join(f"({literal(text)})" for text in taken)
        with open_duckdb(threads=1) as connection:
            sql = f"SELECT count(*) FILTER ({value.misfit}), count({value.strict}) FROM (VALUES {rows}) AS rows(v)"
            assert connection.execute(sql).fetchone() == (0, len(taken)), (kind, taken)


def test_declared_columns_are_there_before_the_first_event_and_need_no_cast(orders: Orders) -> None:  # noqa: F811
    orders.collect(Mode.MERGE, key=("id",), cursor="_sequence", options={"tables": ORDERS})
    orders.run()
    types = {column.name: column.type for column in orders.cloud.reader.latest_schema("lake.raw.orders:staged").schema.columns}
    assert (types["id"], types["total €"], types["placed"], types["more"]) == ("long", "decimal(12,2)", "timestamptz", "string")
    orders.send([{"id": 1, "Total €": 9.5, "more": {"a": [1]}}])
    orders.run()
    (row,) = orders.rows()
    assert (row["id"], str(row["total €"]), row["more"], row["placed"]) == (1, "9.50", '{"a":[1]}', None)


def test_a_declaration_that_is_wrong_is_refused_with_what_is_taken(orders: Orders) -> None:  # noqa: F811
    orders.collect(options={"tables": "orders (id blob)"})
    with pytest.raises(DefinitionError, match="`tables` takes names of letters"):
        orders.run()
