"""What every collect slice must do with MASK, as tests that it inherits with the rest of the collect suite."""

from __future__ import annotations

import hmac
import io
import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.errors import SecretError
from shared_metadata.program import Mask
from tests.conformance.fixtures import Cloud, FakeContext

if TYPE_CHECKING:
    from tests.conformance.collect import Collecting

KEY = 'a key that is long enough, ünï€ and it\'s "quoted"'
TEXTS = ("anna.müller@example.com", "Ünïcode 東京 🛫", "'; DROP TABLE thing; --", "x" * 250)


def hashed(text: str) -> str:
    return hmac.new(KEY.encode(), text.encode(), "sha256").hexdigest()


def everything_stored(cloud: Cloud) -> str:
    """Every object of the bucket as text: as it lies there, and Parquet files unpacked too."""
    found = []
    for key in cloud.keys(""):
        body = cloud.body(key)
        found.append(f"{key}\n{body.decode('utf-8', 'replace')}")
        if key.endswith(".parquet"):
            found.append(str(pq.read_table(io.BytesIO(body)).to_pylist()))
        if key.endswith(".json"):
            found.append(json.dumps(json.loads(body), ensure_ascii=False))
    return "\n".join(found)


def kept_documents(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What steps write as JSON from now on, also what they write over later."""
    found, write = list[dict[str, Any]](), Staging.write

    def keeping(staging: Staging, value: Any, *parts: str) -> str:
        found.append(json.loads(json.dumps(value)))
        return write(staging, value, *parts)

    monkeypatch.setattr(Staging, "write", keeping)
    return found


def salts_of(documents: Iterable[dict[str, Any]]) -> set[str]:
    """Those in resume tokens, which may have that of the log's share within."""
    tokens = (told["resume"] for told in documents if told.get("resume"))
    return {token.get("log", token)["salt"] for token in tokens}


class MaskConformance:
    """The suite; `collecting` is the collect suite's."""

    def test_hashed_values_are_hmacs_of_their_text_and_nulls_stay(self, collecting: Collecting) -> None:
        rows = [{"label": text, "number": 1.5} for text in TEXTS]
        self._masked(collecting, [*rows, {"label": "nothing"}], {"label": Mask.HASH, "number": Mask.HASH})
        found = {row["label"]: row["number"] for row in collecting.rows()}
        assert found == {**{hashed(text): hashed("1.5") for text in TEXTS}, hashed("nothing"): None}

    def test_a_hashed_column_is_a_string_whatever_it_was(self, collecting: Collecting) -> None:
        moment, day = datetime(2026, 3, 29, 1, 30, tzinfo=UTC), date(2026, 3, 29)
        row = {"label": "a", "number": -2.25, "flag": True, "day": day, "moment": moment}
        self._masked(collecting, [row], dict.fromkeys(("number", "flag", "day", "moment"), Mask.HASH))
        (found,) = collecting.rows()
        texts = {"number": "-2.25", "flag": "true", "day": str(collecting.day(day)), "moment": "2026-03-29 01:30:00+00"}
        assert {name: found[name] for name in texts} == {name: hashed(text) for name, text in texts.items()}
        latest = collecting.cloud.reader.latest_schema(collecting.dataset)
        types = {column.name: column.type for column in latest.schema.columns} if latest else {}
        assert {types[collecting.source.collected_name(name)] for name in texts} == {"string"}

    def test_equal_values_hash_equally_in_every_batch_and_way_of_reading(self, collecting: Collecting) -> None:
        self._masked(collecting, [{"label": "a", "number": 7.0}], {"number": Mask.HASH})
        first = collecting.rows()[0]["number"]
        collecting.source.put(collecting.table, [{"label": "b", "number": 7.0}], collecting.at)
        collecting.run()
        assert [row["number"] for row in collecting.rows() if row["label"] == "b"] == [first]

    def test_no_object_holds_a_clear_value_and_none_the_key(self, collecting: Collecting) -> None:
        labels = [f"clear-value-{number:04d}" for number in range(600)]
        rows = [{"label": label, "number": 1_234_567.25} for label in labels]
        near = FakeContext(5.0)
        how = {"label": Mask.HASH, "number": Mask.DROP}
        self._masked(collecting, rows, how, context=lambda step: near if step == "extract" else FakeContext())
        collecting.source.put(collecting.table, [{"label": "clear-value-later", "number": 1_234_567.25}], collecting.at)
        collecting.run()
        stored = everything_stored(collecting.cloud)
        assert collecting.labels() == [hashed("clear-value-later")]
        assert hashed(labels[0]) in stored
        assert not [value for value in ("clear-value", "1234567.25", KEY, json.dumps(KEY)) if value in stored]

    def test_a_dropped_column_is_asked_for_nowhere(self, collecting: Collecting) -> None:
        self._masked(collecting, [{"label": "a", "number": 3.0}], {"number": Mask.DROP})
        name = collecting.source.collected_name("number")
        latest = collecting.cloud.reader.latest_schema(collecting.dataset)
        assert latest is not None and name not in [column.name for column in latest.schema.columns]
        assert name not in collecting.rows()[0] and name not in everything_stored(collecting.cloud)
        collecting.source.drop_column(collecting.table, "number")
        collecting.source.put(collecting.table, [{"label": "b"}], collecting.at)
        collecting.run()
        assert collecting.labels() == ["b"] and collecting.cloud.reader.latest_schema(collecting.dataset) == latest

    def test_a_batch_without_changes_of_a_masked_table_is_committed_by_plan_alone(self, collecting: Collecting) -> None:
        self._masked(collecting, [{"label": "a", "number": 3.0}], {"number": Mask.HASH})
        run = collecting.run()
        assert (run.planned["committed"], run.calls) == ([collecting.dataset], {})

    @pytest.mark.parametrize("secret", [{"unrelated": "value"}, {"key": "too short"}, {"key": 5}])
    def test_a_secret_without_a_fit_key_is_refused_by_its_name(self, collecting: Collecting, secret: dict[str, Any]) -> None:
        with pytest.raises(SecretError, match=r"mask.*openssl rand") as raised:
            self._masked(collecting, [{"label": "a"}], {"label": Mask.HASH}, secret=secret)
        assert "too short" not in str(raised.value)

    def test_the_key_is_shown_nowhere(
        self, collecting: Collecting, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        caplog.set_level("DEBUG", logger="shared_metadata")
        run = self._masked(collecting, [{"label": "a"}], {"label": Mask.HASH})
        items = [item for page in self._items(collecting.cloud) for item in page]
        everything = "\n".join([caplog.text, *capfd.readouterr(), str(run), str(items), everything_stored(collecting.cloud)])
        assert not [text for text in (KEY, json.dumps(KEY)[1:-1], KEY.encode().hex()) if text in everything]

    @staticmethod
    def _items(cloud: Cloud) -> Any:
        return (page["Items"] for page in cloud.dynamodb.get_paginator("scan").paginate(TableName=cloud.table))

    @staticmethod
    def _masked(
        collecting: Collecting,
        rows: list[dict[str, Any]],
        how: dict[str, Mask],
        *,
        secret: dict[str, Any] | None = None,
        **run: Any,
    ) -> Any:
        """The first batch of a table with these rows, some of its columns masked."""
        from tests.conformance.collect import COLUMNS

        collecting.cloud.put_secret("mask", secret or {"key": KEY})
        table = collecting.source.create_table(COLUMNS)
        collecting.source.put(table, rows, collecting.at)
        masks = {collecting.source.collected_name(name): mask for name, mask in how.items()}
        collecting.collect(table, masks=masks, mask_key="mask")
        return collecting.run(**run)
