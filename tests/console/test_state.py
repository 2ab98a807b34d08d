"""`atoll state`: verify, repair, export and import, as an operator calls them."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import Result

from shared_metadata import naming
from shared_metadata.program.intervals import floor, to_text
from shared_metadata.store import keys
from tests.console.test_status import ORDERS, QUARTER, STAGED, VIEW, activate, commit, program

Atoll = Callable[..., Result]
LOAD = f"{ORDERS}:load"
CANARY = "hunter2-canary"


@pytest.fixture
def ran(ready: Any) -> Any:
    """An account in which a batch of each flow up to the view was committed."""
    activate(ready, program())
    boto3.client("secretsmanager").put_secret_value(SecretId=naming.secret("ops"), SecretString=json.dumps({"password": CANARY}))
    commit(ready, ORDERS, STAGED, rows=3, cursor='{"after": 7}', pointer={"manifest": "m"})
    commit(ready, LOAD, ORDERS, rows=3, pointer={"snapshot_id": "1"}, reads={STAGED: "x"})
    commit(ready, VIEW, VIEW, rows=1, pointer={"snapshot_id": "2"})
    return ready


def table() -> Any:
    return boto3.resource("dynamodb").Table(naming.METADATA_TABLE)


def set_watermark(flow: str, dataset: str, moment: datetime) -> None:
    table().update_item(
        Key=keys.state(flow, dataset),
        UpdateExpression="SET #t.watermark = :w",
        ExpressionAttributeNames={"#t": "table"},
        ExpressionAttributeValues={":w": to_text(moment)},
    )


def test_nothing_differs_where_all_is_well(atoll: Atoll, ran: Any) -> None:
    result = atoll("state", "verify")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "no differences in 5 datasets, 3 batches, 3 versions"
    assert "not compared with organize.iceberg, lake: there is no function atoll-organize-iceberg-landed" in result.stderr
    assert "atoll deploy OrganizeIcebergSlice" in result.stderr


def test_a_difference_has_its_place_cause_and_remedy_and_exit_code_2(atoll: Atoll, ran: Any) -> None:
    set_watermark(ORDERS, STAGED, datetime(2026, 1, 1, tzinfo=UTC))
    result = atoll("state", "verify")
    assert result.exit_code == 2
    assert f"{STAGED}: the watermark differs" in result.stdout
    assert f"at       FLOW#{ORDERS} STATE#{STAGED} table.watermark" in result.stdout
    assert "found    2026-01-01T00:00:00Z" in result.stdout
    assert f"expected {to_text(floor(datetime.now(UTC), QUARTER))}" in result.stdout
    assert "cause    it lies before batches that are committed" in result.stdout and "help     atoll state repair" in result.stdout
    found = json.loads(atoll("state", "verify", "--json").stdout)
    assert [one["dataset"] for one in found["differences"]] == [STAGED] and found["differences"][0]["repairable"]
    assert set(found["not_compared_with"]) == {"organize.iceberg, lake", "harness.postgres, ops"}


def test_repair_asks_and_does_nothing_without_a_yes(atoll: Atoll, ran: Any) -> None:
    set_watermark(ORDERS, STAGED, datetime(2026, 1, 1, tzinfo=UTC))
    result = atoll("state", "repair")
    assert result.exit_code == 1 and "Repair 1 difference?" in result.output
    assert atoll("state", "verify").exit_code == 2
    refused = atoll("state", "repair", "--json")
    assert refused.exit_code == 1 and json.loads(refused.stdout)["errors"][0]["help"].startswith("add --yes")


def test_repair_makes_a_lost_state_whole_and_says_so(atoll: Atoll, ran: Any) -> None:
    before = table().get_item(Key=keys.state(ORDERS, STAGED))["Item"]
    table().delete_item(Key=keys.state(ORDERS, STAGED))
    result = atoll("state", "repair", "--yes")
    assert result.exit_code == 0 and f"{STAGED}: repaired" in result.stdout
    assert table().get_item(Key=keys.state(ORDERS, STAGED))["Item"] == before
    assert atoll("state", "verify").exit_code == 0
    again = json.loads(atoll("state", "repair", "--yes", "--json").stdout)
    assert again["differences"] == []


def test_repair_mends_everything_that_differs_in_one_go(atoll: Atoll, ran: Any) -> None:
    set_watermark(ORDERS, STAGED, datetime(2026, 1, 1, tzinfo=UTC))
    table().delete_item(Key=keys.state(VIEW, VIEW))
    end = floor(datetime.now(UTC), QUARTER)
    table().delete_item(Key=keys.version(ORDERS, end))
    made = table().get_item(Key=keys.version(VIEW, end))["Item"]
    table().put_item(Item={**made, "pointer": {"snapshot_id": "7"}})
    events = table().scan()["Items"]
    table().delete_item(Key={n: next(e for e in events if e.get("flow") == LOAD and "detail" in e)[n] for n in ("pk", "sk")})
    table().delete_item(Key=keys.batch_table(ORDERS, end - timedelta(seconds=QUARTER), STAGED))
    found = {(one["what"], one["dataset"]) for one in json.loads(atoll("state", "verify", "--json").stdout)["differences"]}
    assert found == {
        ("the watermark differs", STAGED),
        ("the state is missing", VIEW),
        ("the version is missing", ORDERS),
        ("the version differs", VIEW),
        ("the event is missing", ORDERS),
        ("the batch is missing", STAGED),
    }
    repaired = json.loads(atoll("state", "repair", "--yes", "--json").stdout)["differences"]
    assert len(repaired) == 6 and all(one["repaired"] for one in repaired)
    assert json.loads(atoll("state", "verify", "--json").stdout)["differences"] == []
    assert table().get_item(Key=keys.version(VIEW, end))["Item"] == made


def test_what_cannot_be_repaired_is_left_and_names_its_remedy(atoll: Atoll, ran: Any) -> None:
    table().delete_item(Key=keys.state("ops.public.customer_totals", "ops.public.customer_totals"))
    result = atoll("state", "repair", "--yes")
    assert result.exit_code == 2
    assert "nothing tells where it stood" in result.stdout and "atoll state import" in result.stdout


def test_what_has_the_present_format_needs_no_upgrade(atoll: Atoll, ran: Any) -> None:
    assert "format 1, the present one: nothing to do" in atoll("state", "upgrade").stdout
    assert json.loads(atoll("state", "upgrade", "--json").stdout) == {"former": 1, "present": 1}


def test_nothing_begins_on_a_later_format_and_the_remedy_is_said(atoll: Atoll, ran: Any) -> None:
    key, later = keys.timeline(), {":later": 9}
    names = {"#f": "format"}
    table().update_item(Key=key, UpdateExpression="SET #f = :later", ExpressionAttributeNames=names, ExpressionAttributeValues=later)
    for command in (("status",), ("state", "upgrade")):
        refused = atoll(*command)
        assert refused.exit_code == 1 and "has format 9, of a later version of Atoll" in refused.output


def test_an_export_goes_into_an_empty_account_and_comes_out_the_same(atoll: Atoll, ran: Any, folder: Path) -> None:
    assert atoll("state", "export", "one.jsonl").exit_code == 0
    assert json.loads(atoll("state", "export", "again.jsonl", "--json").stdout)["items"] > 10
    empty()
    result = atoll("state", "import", "one.jsonl")
    assert result.exit_code == 0 and "0 were there already, 0 deleted" in result.stdout
    atoll("state", "export", "two.jsonl")
    texts = [(folder / name).read_text() for name in ("one.jsonl", "again.jsonl", "two.jsonl")]
    assert texts[0] == texts[1] == texts[2]
    assert atoll("state", "verify").exit_code == 0


def test_an_export_holds_no_secret(atoll: Atoll, ran: Any) -> None:
    text = atoll("state", "export", "-").stdout
    assert CANARY not in text and '"format": "atoll-state"' in text
    parts = [json.loads(line)["body"]["B"] for line in text.splitlines() if '"PART#' in line]
    assert parts and all(CANARY not in zlib.decompress(base64.b64decode(part)).decode() for part in parts)


def test_a_table_that_is_not_empty_is_refused_and_replaced_only_on_a_yes(atoll: Atoll, ran: Any, folder: Path) -> None:
    atoll("state", "export", "one.jsonl")
    table().put_item(Item={**keys.state("lake.other", "lake.other"), "flow": "lake.other"})
    refused = atoll("state", "import", "one.jsonl")
    assert refused.exit_code == 1 and "is not empty" in refused.stderr and "--replace" in refused.stderr
    assert atoll("state", "import", "one.jsonl", "--replace").exit_code == 1  # nobody said yes
    replaced = json.loads(atoll("state", "import", "one.jsonl", "--replace", "--yes", "--json").stdout)
    assert replaced["deleted"] == 1


def empty() -> None:
    for item in table().scan(ProjectionExpression="pk, sk")["Items"]:
        table().delete_item(Key=item)
