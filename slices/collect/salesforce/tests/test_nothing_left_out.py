"""What Salesforce leaves out unless it is asked is read, or an error by name: archived records, what is not shared, empty cursors."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest

from doubles.salesforce import Field
from shared_metadata.errors import RowError
from shared_metadata.program import BadRows, Mode
from slices.collect.salesforce.tests.conftest import DATASET, EARLIER, Crm
from tests.conformance.fixtures import NOW

CHANGED = NOW + timedelta(minutes=20)
TASKS = "lake.crm.task:staged"


@pytest.fixture(params=["rest", "bulk"])
def either(request: pytest.FixtureRequest, crm: Crm) -> Crm:
    crm.options["bulk_threshold_rows"] = 0 if request.param == "bulk" else 10_000
    return crm


def tasks(crm: Crm, *names: str, archived: bool, at: Any = EARLIER) -> list[str]:
    crm.org.add_object("Task", [Field("Subject", "string"), Field("IsArchived", "boolean")])
    return crm.org.insert("Task", [{"Subject": name, "IsArchived": archived} for name in names], at)  # type: ignore[no-any-return]


def subjects(crm: Crm) -> list[tuple[str, bool]]:
    return sorted((row["subject"], row["_deleted"]) for row in crm.rows(TASKS))


@pytest.mark.parametrize("mode", [Mode.MERGE, Mode.APPEND, Mode.REPLACE])
def test_archived_records_are_read_and_deleted_ones_are_what_they_were(either: Crm, mode: Mode) -> None:
    old, gone = tasks(either, "old", "gone", archived=True)
    tasks(either, "new", archived=False)
    either.org.delete("Task", gone, EARLIER)
    either.apply("Task", mode=mode)
    either.run()
    assert subjects(either) == [("new", False), ("old", False)]
    tasks(either, "archived at once", archived=True, at=NOW + timedelta(minutes=20))
    either.org.delete("Task", old, CHANGED)
    either.run()
    later = [("archived at once", False), *([] if mode == Mode.REPLACE else [("old", True)])]
    assert subjects(either) == (later if mode != Mode.REPLACE else [*later, ("new", False)])


def accounts(crm: Crm) -> None:
    crm.org.insert("Account", [{"Name": "seen"}], EARLIER)
    crm.apply()


def failure(crm: Crm) -> str:
    """The error of the next batch's plan; '' for none."""
    failed = crm.run(record_errors=True).planned["failed"]
    return failed[0]["error"] if failed else ""


def test_a_user_who_sees_a_part_of_an_object_is_told_with_the_remedy(crm: Crm) -> None:
    crm.org.permissions.view_all_data = False
    crm.org.permissions.sharing["Account"] = "Private"
    accounts(crm)
    told = failure(crm)
    assert "sees only those records of Account that are shared" in told and "View All on the object" in told
    crm.org.permissions.view_setup = False
    assert "whether the user sees all records of Account cannot be told" in failure(crm)


@pytest.mark.parametrize("why", ["shared with all", "view all", "a part is wanted"])
def test_a_user_who_sees_all_records_or_shall_see_a_part_is_not_stopped(crm: Crm, why: str) -> None:
    permissions = crm.org.permissions
    permissions.view_all_data = False
    permissions.sharing["Account"] = "Read" if why == "shared with all" else "Private"
    permissions.view_all |= {"Account"} if why == "view all" else set()
    crm.options |= {"all_records": False} if why == "a part is wanted" else {}
    accounts(crm)
    crm.run()
    assert crm.names() == ["seen"]


def test_a_permission_that_is_taken_away_is_told_by_the_next_batch(crm: Crm) -> None:
    accounts(crm)
    crm.run()
    crm.org.permissions.view_all_data = False
    crm.org.permissions.sharing["Account"] = "ControlledByParent"
    assert "sees only those records" in failure(crm)


def moments(crm: Crm, mode: Mode = Mode.MERGE) -> None:
    """Records that are followed by a field of their own, which may be empty."""
    crm.org.add_object("Call__c", [Field("Made__c", "datetime")])
    crm.apply("Call__c", mode=mode, cursor="made__c")


def called(crm: Crm) -> list[tuple[str, bool]]:
    return sorted((row["name"], row["_deleted"]) for row in crm.rows("lake.crm.call__c:staged"))


def test_records_whose_own_cursor_is_empty_are_read_by_every_batch(either: Crm) -> None:
    moments(either)
    either.org.insert("Call__c", [{"Name": "a", "Made__c": EARLIER}, {"Name": "none"}], EARLIER)
    either.run()
    assert called(either) == [("a", False), ("none", False)]
    either.org.insert("Call__c", [{"Name": "late none"}], CHANGED)
    either.run()
    assert called(either) == [("late none", False), ("none", False)]


def test_records_without_a_cursor_that_would_be_added_twice_are_refused_by_name(crm: Crm) -> None:
    moments(crm, Mode.APPEND)
    crm.org.insert("Call__c", [{"Name": "a-private-name"}], EARLIER)
    told = failure(crm)
    assert "1 record of Call__c has no Made__c" in told and "systemmodstamp" in told and "a-private-name" not in told


def test_a_deletion_is_seen_although_it_moves_another_field_than_the_cursor(either: Crm) -> None:
    moments(either)
    (made,) = either.org.insert("Call__c", [{"Name": "a", "Made__c": EARLIER}], EARLIER)
    either.run()
    either.org.delete("Call__c", made, CHANGED)
    either.run()
    assert called(either) == [("a", True)]


def left(crm: Crm) -> list[dict[str, Any]]:
    """What the last batch has staged of records that its filter takes no more."""
    listed = crm.cloud.manifest(DATASET).get("left", [])
    rows = [row for file in listed for row in pq.read_table(io.BytesIO(crm.cloud.body(file["key"]))).to_pylist()]
    return sorted(rows, key=lambda row: row["id"])


def airlines(crm: Crm, **flow: Any) -> list[str]:
    """Three records, of which a filter takes the first two."""
    rows = [{"Name": name, "Industry": "air" if name != "c" else None, "Description": "private"} for name in "abc"]
    made = crm.org.insert("Account", rows, EARLIER)
    crm.apply(filter="industry = 'air'", **flow)
    return made  # type: ignore[no-any-return]


def test_a_record_that_leaves_the_filter_is_told_by_its_key_alone(either: Crm) -> None:
    first, second, third = airlines(either)
    either.run()
    assert (either.names(), left(either)) == (["a", "b"], [])
    either.org.update("Account", first, {"Industry": "rail"}, CHANGED)
    either.org.update("Account", second, {"Industry": None}, CHANGED)
    either.org.update("Account", third, {"Industry": "Air"}, CHANGED)  # SOQL looks at no case
    either.run()
    assert either.names() == ["c"]
    assert [row["id"] for row in left(either)] == sorted([first, second])
    assert all(set(row) == {"id", "systemmodstamp", "_batch"} for row in left(either))


def test_a_batch_in_which_a_record_only_leaves_is_not_empty(either: Crm) -> None:
    first, *_ = airlines(either)
    either.run()
    either.org.update("Account", first, {"Industry": "rail"}, CHANGED)
    either.run()
    assert (either.names(), [row["id"] for row in left(either)]) == ([], [first])


def test_a_record_that_is_changed_and_deleted_after_it_left_is_told_too(crm: Crm) -> None:
    first, second, _ = airlines(crm)
    crm.run()
    crm.org.update("Account", first, {"Industry": "rail"}, CHANGED)
    crm.org.delete("Account", first, CHANGED)
    crm.org.delete("Account", second, CHANGED)
    crm.run()
    assert [(row["name"], row["_deleted"]) for row in crm.rows()] == [("b", True)]
    assert [row["id"] for row in left(crm)] == [first]


@pytest.mark.parametrize("mode", [Mode.APPEND, Mode.REPLACE])
def test_nothing_is_told_where_no_row_is_replaced(crm: Crm, mode: Mode) -> None:
    first, *_ = airlines(crm, mode=mode)
    crm.run()
    crm.org.update("Account", first, {"Industry": "rail"}, CHANGED)
    crm.run()
    assert left(crm) == []


def test_a_filter_by_a_formula_cannot_tell_who_leaves_and_is_refused_with_the_remedy(crm: Crm) -> None:
    crm.org.add_field("Account", Field("Rating__c", calculated=True))
    crm.apply(filter="rating__c = 'good' AND name <> 'x'")
    told = failure(crm)
    assert "Account.Rating__c is calculated" in told and "use REPLACE" in told
    crm.apply(filter="rating__c = 'good'", mode=Mode.REPLACE)
    assert failure(crm) == ""


def test_an_object_without_any_cursor_tells_what_left_and_what_was_deleted(crm: Crm) -> None:
    crm.org.add_object("Odd__c", [Field("Kind__c")])
    for name in ("SystemModstamp", "LastModifiedDate", "CreatedDate"):
        crm.org.remove_field("Odd__c", name)
    crm.apply("Odd__c", filter="kind__c = 'x'")
    staged = "lake.crm.odd__c:staged"
    with crm.org.store.transaction() as connection:
        connection.executemany(
            'INSERT INTO "Odd__c" ("Id", "IsDeleted", "Name", "Kind__c") VALUES (?, ?, ?, ?)',
            [(f"a0000000000000{n}AAA", 0, f"{n}", "x") for n in range(3)],
        )
    crm.run()
    with crm.org.store.transaction() as connection:
        connection.execute("""UPDATE "Odd__c" SET "IsDeleted" = 1 WHERE "Name" = '0'""")
        connection.execute("""UPDATE "Odd__c" SET "Kind__c" = 'y' WHERE "Name" = '1'""")
    crm.run()
    assert [(row["name"], row["_deleted"]) for row in crm.rows(staged)] == [("0", True), ("2", False)]
    assert len(crm.cloud.manifest(staged)["left"]) == 1


def test_records_whose_key_is_null_do_not_become_one(either: Crm) -> None:
    crm = either
    codes = ("LH", None, "KL", None)
    crm.org.insert("Account", [{"Name": f"{n}", "Carrier_Code__c": code} for n, code in enumerate(codes)], EARLIER)
    crm.apply(key=("carrier_code__c",))
    run = crm.run(record_errors=True)
    (error,) = run.errors.values()
    assert isinstance(error, RowError) and "the key carrier_code__c is null in rows" in str(error) and "BAD ROWS" in error.remedy
    crm.cloud.clock.advance(hours=6)
    crm.apply(key=("carrier_code__c",), bad_rows=BadRows(rows=2))
    crm.run()
    assert sorted(row["carrier_code__c"] for row in crm.rows()) == ["KL", "LH"]
    (rejected,) = crm.cloud.manifest(DATASET)["rejected"]
    rows = pq.read_table(io.BytesIO(crm.cloud.body(rejected["key"]))).to_pylist()
    assert sorted((row["reason"], json.loads(row["data"])["name"]) for row in rows) == [
        ("Carrier_Code__c is null, or no varchar", name) for name in ("1", "3")
    ]
