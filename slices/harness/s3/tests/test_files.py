"""What is in the files, what their manifests say, and what is deleted when."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from shared_metadata.errors import DefinitionError, RetryLater
from shared_metadata.program import Connection, Mode, Position
from shared_metadata.program.intervals import Interval
from slices.harness.s3 import logic
from slices.harness.s3.client import newest_batches
from slices.harness.s3.config import read_config
from slices.harness.s3.manifest import Manifest, Shelf
from slices.harness.s3.tests.under_test import Target
from tests.conformance.fixtures import Cloud, FakeContext, open_cloud
from tests.conformance.harness import HarnessConformance, Rows, Way, columns

PLACE = Position("program.sql", 1, 1)
SHAPE = columns(
    id="long", m="decimal(20,4)", d="double", s="string", x="binary", b="boolean", day="date", at="time", t="timestamp",
    tz="timestamptz", l="list<long>", u="uuid",
)  # fmt: skip
ROW = {
    "id": 2**63 - 1, "m": Decimal("9999999999999999.0001"), "d": 5e-324, "s": 'a,"b"\r\n\t\\N “Ünï😀”', "x": b"\x00\xff", "b": False,
    "day": date(1, 1, 1), "at": time(23, 59, 59, 999999), "t": datetime(2026, 3, 29, 2, 30, 0, 1),
    "tz": datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "l": [1, None, 3], "u": "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
}  # fmt: skip
NULLS: dict[str, Any] = {**dict.fromkeys(ROW), "s": ""}
ROWS: Rows = [ROW, NULLS]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    yield from open_cloud(monkeypatch)


@pytest.fixture
def target() -> Target:
    return Target()


def flow(cloud: Cloud, target: Target, mode: Mode = Mode.REPLACE, **more: Any) -> Way:
    return HarnessConformance().way(cloud, target, mode=mode, whole=mode == Mode.REPLACE, **more)  # type: ignore[arg-type]


def rows_of(**result: int) -> Rows:
    return [{"carrier": carrier, "flights": flights} for carrier, flights in result.items()]


def of_form(cloud: Cloud, target: Target, **options: Any) -> bytes:
    """The one file to which ROWS become."""
    target.options = {**target.options, **options}
    flow(cloud, target, shape=SHAPE).publish(ROWS)
    (key,) = target.files()
    packed = {"gzip": ".gz", "zstd": ".zst"}.get(options.get("compression", ""), "")
    assert key.endswith({"csv": ".csv", "json": ".jsonl"}.get(options["format"], ".parquet") + packed)
    return target.body(key)


# -- formats


def test_parquet_keeps_the_types_of_the_query_s_columns(cloud: Cloud, target: Target) -> None:
    table = pq.read_table(io.BytesIO(of_form(cloud, target, format="parquet")))
    assert table.to_pylist() == ROWS
    kinds = {name: str(table.schema.field(name).type) for name in ROW}
    assert {name: kinds[name] for name in ("id", "m", "d", "x", "day", "at", "t", "tz")} == {
        "id": "int64", "m": "decimal128(20, 4)", "d": "double", "x": "binary", "day": "date32[day]", "at": "time64[us]",
        "t": "timestamp[us]", "tz": "timestamp[us, tz=UTC]",
    }  # fmt: skip


def test_csv_tells_nothing_from_an_empty_text_and_keeps_every_digit(cloud: Cloud, target: Target) -> None:
    text = gzip.decompress(of_form(cloud, target, format="csv", compression="gzip")).decode()
    header, row, nulls = csv.reader(io.StringIO(text, newline=""))
    assert header == [*ROW] and text.splitlines()[-1] == ',,,"",,,,,,,,' and nulls == [""] * len(ROW)
    assert dict(zip(header, row, strict=True)) == {
        "id": "9223372036854775807", "m": "9999999999999999.0001", "d": "5e-324", "s": ROW["s"], "x": "\\x00ff", "b": "false",
        "day": "0001-01-01", "at": "23:59:59.999999", "t": "2026-03-29 02:30:00.000001", "tz": "2026-10-25 01:30:00+00",
        "l": "[1,null,3]", "u": ROW["u"],
    }  # fmt: skip


def test_csv_has_the_delimiter_and_the_header_that_the_connection_says(cloud: Cloud, target: Target) -> None:
    text = of_form(cloud, target, format="csv", delimiter="|", header=False).decode()
    (said,) = target.manifests()
    assert (said["delimiter"], said["header"], said["null"]) == ("|", False, "")
    first, *_ = csv.reader(io.StringIO(text, newline=""), delimiter="|")
    assert (first[0], first[3]) == ("9223372036854775807", ROW["s"])


def test_a_null_is_no_empty_line_where_a_csv_has_a_single_column(cloud: Cloud, target: Target) -> None:
    target.options = {**target.options, "format": "csv"}
    flow(cloud, target, shape=columns(s="string")).publish([{"s": text} for text in ("a", None, "", "\\N")])
    (said,), (key,) = target.manifests(), target.files()
    assert said["null"] == "\\N" and target.body(key).decode().splitlines()[1:] == ['"a"', "\\N", '""', '"\\N"']


@pytest.mark.parametrize("delimiter", ['"', "\n", "\r", "\0", "ä", ",\n", "", "||", "\x7f"])
def test_a_delimiter_that_readers_of_csv_cannot_take_is_refused(delimiter: str) -> None:
    options = {"bucket": "acme-shelf", "prefix": "out/", "format": "csv"}
    for good in ("\t", ";", "|", "~", "!", "#"):
        assert read_config(Connection("shelf", "s3", {**options, "delimiter": good}, PLACE)).delimiter == good
    with pytest.raises(DefinitionError, match="delimiter"):
        read_config(Connection("shelf", "s3", {**options, "delimiter": delimiter}, PLACE))


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_json_is_a_line_a_row_as_everybody_s_json_has_values(cloud: Cloud, target: Target, compression: str, tmp_path: Any) -> None:
    path = tmp_path / "rows"
    path.write_bytes(of_form(cloud, target, format="json", compression=compression))
    form = "columns = {'line': 'VARCHAR'}, header = false, delim = '\x01', quote = '', escape = ''"
    lines = duckdb.execute(f"SELECT line FROM read_csv('{path}', {form}, compression = '{compression}')").fetchall()
    row, nulls = (json.loads(line) for (line,) in lines)
    assert nulls == NULLS and {name: row[name] for name in ("id", "m", "s", "x", "l", "tz")} == {
        "id": "9223372036854775807", "m": "9999999999999999.0001", "s": ROW["s"], "x": "\\x00ff", "l": [1, None, 3],
        "tz": "2026-10-25 01:30:00+00",
    }  # fmt: skip


def test_a_result_becomes_files_of_a_size_in_its_order(cloud: Cloud, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a call whose time is over leaves what it has written to the next one."""
    monkeypatch.setattr(logic, "PART_BYTES", 400)
    way = flow(cloud, target)
    rows = rows_of(**{f"C{n:03}": n for n in range(100)})
    run = way.run(way.put_result(rows, files=2), context=lambda _: FakeContext(remaining_seconds=20))
    (manifest,) = target.manifests()
    counts = [file["rows"] for file in manifest["files"]]
    assert run.calls["publish"] == len(counts) > 4 and sum(counts) == manifest["rows"] == 100
    assert target.rows() == [*rows[::2], *rows[1::2]]
    assert all(len(target.body(file["key"])) == file["bytes"] for file in manifest["files"])


# -- manifests


def test_a_manifest_says_what_its_reader_has_to_know(cloud: Cloud, target: Target) -> None:
    way = flow(cloud, target)
    interval = way.publish(rows_of(AA=1))
    (manifest,) = target.manifests()
    said = {name: manifest[name] for name in ("flow", "table", "mode", "bucket", "format", "compression", "token", "rows", "former")}
    assert said == {
        "flow": "shelf.carriers", "table": "carriers", "mode": "REPLACE", "bucket": target.bucket, "format": "parquet",
        "compression": "zstd", "token": 1, "rows": 1, "former": [],
    }  # fmt: skip
    assert manifest["batch"] == {"start": f"{interval.start:%Y-%m-%dT%H:%M:%SZ}", "end": f"{interval.end:%Y-%m-%dT%H:%M:%SZ}"}
    assert manifest["columns"] == [{"name": "carrier", "type": "string"}, {"name": "flights", "type": "long"}]


def test_files_of_a_former_result_stay_for_as_long_as_keep_says_and_no_longer(cloud: Cloud, target: Target) -> None:
    target.options = {**target.options, "keep": "2 hours"}
    way = flow(cloud, target)
    way.publish(rows_of(AA=1))
    (first,) = target.files()
    way.publish(rows_of(AA=2))
    (second,) = target.files()
    assert first in target.stored() and first != second
    way.publish(rows_of(AA=3))  # an hour later
    assert first in target.stored()
    way.publish(rows_of(AA=4))
    assert first not in target.stored() and second in target.stored() and target.rows() == rows_of(AA=4)


def test_a_batch_of_the_same_result_that_is_run_again_writes_its_own_files_over(cloud: Cloud, target: Target) -> None:
    for mode in (Mode.REPLACE, Mode.APPEND):
        target = Target()
        way = flow(cloud, target, mode)
        interval = way.publish(rows_of(AA=1))
        keys, held = target.stored(), [target.body(key) for key in target.files()]
        way.run(interval, rerun=True)
        (manifest,) = target.manifests()
        assert [target.body(key) for key in target.files()] == held
        assert target.stored() == keys and manifest["token"] == 2 and manifest["former"] == []


def test_a_batch_that_adds_rows_has_a_folder_and_a_manifest_of_its_own(cloud: Cloud, target: Target) -> None:
    """Run again with another result, it leaves nothing of its former one, and no other batch's is touched."""
    way = flow(cloud, target, Mode.APPEND)
    first = way.publish(rows_of(AA=1))
    way.publish(rows_of(AA=2))
    others = [key for key in target.stored() if f"{first.start:%Y%m%dT%H}" not in key]
    way.publish(rows_of(AA=3, DL=3), interval=first)
    assert sorted(row["flights"] for row in target.rows()) == [2, 3, 3]
    mine = [key for key in target.stored() if f"{first.start:%Y%m%dT%H}" in key]
    assert len(mine) == 2 and mine[0].rsplit("/", 1)[0] != mine[1].rsplit("/", 1)[0]
    assert [key for key in target.stored() if key not in mine] == others and len(others) == 2


def test_results_that_take_turns_within_a_batch_are_there_each_time(cloud: Cloud, target: Target) -> None:
    """The files of the first one are due to be deleted when it comes again."""
    for mode in (Mode.REPLACE, Mode.APPEND):
        target = Target()
        way = flow(cloud, target, mode)
        interval = way.publish(rows_of(AA=1))
        for flights in (2, 1, 2, 1):
            cloud.clock.advance(days=2)
            way.publish(rows_of(AA=flights), interval=interval)
            assert target.rows() == rows_of(AA=flights)


# -- answers that are lost, workers that die


@pytest.mark.parametrize("mode", [Mode.REPLACE, Mode.APPEND])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", ["part", "manifest", "delete"])
def test_whatever_is_lost_a_reader_of_the_manifest_sees_a_whole_result(
    cloud: Cloud, target: Target, monkeypatch: pytest.MonkeyPatch, mode: Mode, when: str, what: str
) -> None:
    """The former one, or the next; and the attempt after that ends it."""
    target.options = {**target.options, "keep": "1 hour"}
    way = flow(cloud, target, mode)
    first = way.publish(rows_of(AA=1))
    name = {"part": "put_file", "manifest": "put_manifest", "delete": "delete"}[what]
    act, died = getattr(Shelf, name), list[str]()

    def dies(shelf: Shelf, *asked: Any) -> Any:
        if died:
            return act(shelf, *asked)
        died.append(name)
        if when == "after":
            act(shelf, *asked)
        raise InterruptedError

    monkeypatch.setattr(Shelf, name, dies)
    way.put_result(rows_of(AA=2, DL=2), interval=first)
    with pytest.raises(InterruptedError):
        way.run(first, rerun=True)
    assert target.rows() in (rows_of(AA=1), rows_of(AA=2, DL=2)) and died
    cloud.clock.advance(hours=1)
    way.run(first)
    assert target.rows() == rows_of(AA=2, DL=2)
    cloud.clock.advance(hours=1)
    way.run(first, rerun=True)
    assert len(target.stored()) == 2 and target.rows() == rows_of(AA=2, DL=2)
    cloud.clock.advance(hours=1)
    way.run(first, rerun=True)
    assert target.manifests()[0]["former"] == []


def test_a_manifest_whose_answer_is_lost_is_known_again_and_nobody_else_s_is_taken_for_it(cloud: Cloud, target: Target) -> None:
    """As where a client asks again after it was heard: S3 says then that another has written."""
    way, put = flow(cloud, target), Shelf.put_manifest

    def again(shelf: Shelf, *asked: Any) -> bool:
        return put(shelf, *asked) and put(shelf, *asked)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Shelf, "put_manifest", again)
        way.publish(rows_of(AA=1))
    assert target.rows() == rows_of(AA=1)


# -- what is refused


@pytest.mark.parametrize("name", ["..", "a/b", "", ".hidden", "ünï"])
def test_a_table_that_can_be_no_folder_is_refused(cloud: Cloud, target: Target, name: str) -> None:
    target.table = name  # type: ignore[misc]
    with pytest.raises(DefinitionError, match="cannot be the name of a folder"):
        logic.check_flow(flow(cloud, target).flow, {})


def test_what_another_publication_has_written_is_not_written_over(cloud: Cloud, target: Target) -> None:
    flow(cloud, target).publish(rows_of(AA=1))
    (key,) = (key for key in target.stored() if key.endswith("manifest.json"))
    told = target.body(key)
    for text, why in ((told.replace(b"shelf.carriers", b"other.carriers"), "of other.carriers"), (b"{}", "no manifest of Atoll's")):
        target.s3.put_object(Bucket=target.bucket, Key=key, Body=text)
        way = flow(cloud, target)
        with pytest.raises(DefinitionError, match=why):
            way.run(way.put_result(rows_of(AA=2)))
        assert target.body(key) == text
        cloud.clock.advance(hours=1)


def test_a_bucket_that_is_not_there_or_is_atoll_s_own_is_refused(cloud: Cloud, target: Target) -> None:
    for bucket, why in (("no-such-bucket", "there is no bucket no-such-bucket"), ("atoll-data-1-eu", "is Atoll's own bucket")):
        target.options = {**target.options, "bucket": bucket}
        way = flow(cloud, target)
        with pytest.raises(DefinitionError, match=why):
            way.run(way.put_result(rows_of(AA=1)))
        cloud.clock.advance(hours=1)


def test_the_newest_batch_is_told_of_tables_and_of_batches(cloud: Cloud, target: Target) -> None:
    for mode in (Mode.REPLACE, Mode.APPEND, Mode.REPLACE):
        way = flow(cloud, target, mode)
        connection, asked = cloud.reader.active_program().connections["shelf"], {"shelf.carriers": "shelf.carriers"}
        for flights in (1, 2):
            interval = way.publish(rows_of(AA=flights))
            (found,) = newest_batches(connection, cloud.services(target.slice_id), asked).values()
            assert found and (found.interval, found.token) == (interval, 1) and found.place.endswith("manifest.json")
    assert newest_batches(connection, cloud.services(target.slice_id), {"x": "shelf.others"}) == {"x": None}


def test_a_prefix_that_lies_in_a_table_s_folder_hides_none_of_the_table_s_batches(cloud: Cloud, target: Target) -> None:
    """Nor does another flow's manifest under the name of a batch."""
    for mode in (Mode.REPLACE, Mode.APPEND):
        interval = flow(cloud, target, mode).publish(rows_of(AA=1))
        others = target.body(next(key for key in target.stored() if key.endswith("manifest.json"))).replace(
            b"shelf.carriers", b"in.x"
        )
        for name in ("orders", "29991231T000000Z"):
            target.s3.put_object(Bucket=target.bucket, Key=f"{target.folder}{name}/manifest.json", Body=others)
        connection, asked = cloud.reader.active_program().connections["shelf"], {"shelf.carriers": "shelf.carriers"}
        found = newest_batches(connection, cloud.services(target.slice_id), asked)["shelf.carriers"]
        assert found and found.interval == interval
        target = Target()


def test_a_right_that_is_missing_is_told_with_what_to_grant(cloud: Cloud, target: Target) -> None:
    """A delete that is refused for the moment is tried again."""
    shelf = Shelf(Denying(), read_config(Connection("shelf", "s3", target.options, PLACE)), "here")  # type: ignore[arg-type]
    for asks in (lambda: shelf.manifest("out/x"), lambda: shelf.delete(["out/x"])):
        with pytest.raises(DefinitionError) as caught:
            asks()
        assert f"s3:DeleteObject on arn:aws:s3:::{target.bucket}/out/*" in caught.value.remedy
    with pytest.raises(RetryLater, match="SlowDown"):
        Shelf(Denying("SlowDown"), read_config(Connection("shelf", "s3", target.options, PLACE)), "here").delete(["out/x"])  # type: ignore[arg-type]


class Denying:
    """A client whom S3 answers everything with an error."""

    class exceptions:
        class NoSuchKey(Exception): ...

    def __init__(self, code: str = "AccessDenied") -> None:
        self._code = code

    def get_object(self, **asked: Any) -> None:
        raise ClientError({"Error": {"Code": self._code}}, "GetObject")

    def delete_objects(self, **asked: Any) -> dict[str, Any]:
        return {"Errors": [{"Code": self._code}]}


def test_files_and_manifests_are_encrypted_by_the_key_that_the_connection_names(tmp_path: Any) -> None:
    asked = list[dict[str, Any]]()

    class Recorder:
        def put_object(self, **given: Any) -> None:
            asked.append(given)
            raise ClientError({"Error": {"Code": "PreconditionFailed"}}, "PutObject")

    key = "arn:aws:kms:eu-central-1:123456789012:key/0f1e2d3c"
    options = {"bucket": "acme-shelf", "prefix": "out/", "format": "csv", "kms_key": key}
    shelf = Shelf(Recorder(), read_config(Connection("shelf", "s3", options, PLACE)), "here")  # type: ignore[arg-type]
    (tmp_path / "x").write_text("x")
    with pytest.raises(ClientError):
        shelf.put_file("out/x", tmp_path / "x")
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    assert not shelf.put_manifest("out/manifest.json", Manifest("shelf.x", Interval(moment, moment), 1, "c", (), moment), "")
    assert [one["Key"] for one in asked] == ["out/x", "out/manifest.json"]
    assert [(one["ServerSideEncryption"], one["SSEKMSKeyId"]) for one in asked] == [("aws:kms", key)] * 2
