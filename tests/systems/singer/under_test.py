"""The door of the collect suite to a tap: a folder as a project has it, and the API of things that the tap reads."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml

from shared_metadata.contract.collect import OpenSource
from shared_metadata.program import Mode
from systems.singer import options, tap_file
from systems.singer.client import SingerSource
from systems.singer.declared import declared
from tests.conformance.collect import Row
from tests.systems.rest.things import FORM, TOKEN, TYPES, Things

SYSTEM, TAP = "things", Path(__file__).with_name("things_tap.py")
SAID: Mapping[str, Any] = {"run": TAP.name, "secret": ["url", "token"]}


class TappedThings(Things):
    """The API, which tells its tables too.  properties: of each table, as JSON schema."""

    def __init__(self) -> None:
        self.properties: dict[str, dict[str, Any]] = {}
        super().__init__()

    def answer(self, path: str, query: Mapping[str, str], authorization: str) -> tuple[int, Any]:
        if path == "/catalog" and authorization == f"Bearer {TOKEN}":
            return 200, {"streams": [self.entry(name) for name in self.properties]}
        return super().answer(path, query, authorization)

    def entry(self, name: str) -> dict[str, Any]:
        told = {"inclusion": "available", "table-key-properties": ["id"], "valid-replication-keys": ["updated"]}
        schema = {"type": "object", "properties": self.properties[name]}
        return {
            "stream": name,
            "tap_stream_id": name,
            "schema": schema,
            "key_properties": ["id"],
            "metadata": [{"breadcrumb": [], "metadata": told}],
        }


class TapUnderTest:
    """A tap of a project's own.  folder: of the project, in which the process is."""

    declaration = declared(SYSTEM)
    incremental: Mapping[str, Any] = {"mode": Mode.MERGE, "key": ("id",), "cursor": "updated"}
    appending: Mapping[str, Any] = {"mode": Mode.APPEND, "cursor": "updated"}
    large_rows, most_columns = 350, 500
    unreadable_day = "10000"
    moments = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    hostile_names = ("select", "from", 'a"b', "c'd", "e;f", "g h", "ü", "x" * 60)

    def __init__(self, things: TappedThings, folder: Path) -> None:
        self.things, self.options = things, dict[str, Any]()
        self.secret = {"url": things.url, "token": TOKEN}
        self.refused_secret = {**self.secret, "token": "wrong-but-secret"}
        self.unreachable_secret = {**self.secret, "url": "http://127.0.0.1:1"}
        self.secret_values = (TOKEN, "wrong-but-secret")
        self.folder, self._numbers = folder / tap_file.folder_of(SYSTEM), 0
        self.folder.mkdir(parents=True)
        shutil.copyfile(TAP, self.folder / TAP.name)
        self.say(**SAID)

    def say(self, **said: Any) -> None:
        """What the `tap.yaml` says, as somebody changes it, and deploys."""
        (self.folder / tap_file.TAP).write_text(yaml.safe_dump(said))
        tap_file.document_of.cache_clear()
        options.model_of.cache_clear()

    def open_source(self, aws: Any) -> OpenSource:
        return lambda connection, secret: SingerSource(connection, secret, tap_file.document_of(SYSTEM), aws)

    def create_table(self, columns: Mapping[str, str]) -> str:
        name = f"thing{len(self.things.tables)}"
        self.things.tables[name] = {}
        own = {"id": TYPES["string"], "updated": TYPES["timestamptz"]}
        self.things.properties[name] = {**own, **{column: TYPES[kind] for column, kind in columns.items()}}
        return name

    def put(self, table: str, rows: Sequence[Row], at: datetime) -> None:
        known = self.things.tables[table]
        by_label = {record.get("label"): record for record in known.values()}
        for row in rows:
            record = by_label.get(row["label"])
            if record is None:
                self._numbers += 1
                record = dict.fromkeys(self.things.properties[table]) | {"id": f"id{self._numbers:08d}"}
                known[record["id"]] = record
            record |= {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()}
            record["updated"] = at.astimezone(UTC).strftime(FORM)

    def put_slowly(self, table: str, label: str, at: datetime) -> AbstractContextManager[None]:
        return nullcontext()

    def put_unreadable(self, table: str, label: str, at: datetime) -> None:
        self.put(table, [{"label": label, "day": "10000-02-31"}], at)

    def delete(self, table: str, labels: Sequence[str], at: datetime) -> None:
        rows = self.things.tables[table]
        for name in [name for name, record in rows.items() if record["label"] in labels]:
            del rows[name]

    def drop_column(self, table: str, column: str) -> None:
        del self.things.properties[table][column]
        for record in self.things.tables[table].values():
            record.pop(column, None)

    def add_column(self, table: str, column: str, kind: str) -> None:
        self.things.properties[table][column] = TYPES[kind]
        for record in self.things.tables[table].values():
            record.setdefault(column, None)

    def retype_column(self, table: str, column: str, kind: str) -> None:
        self.things.properties[table][column] = TYPES[kind]
        for record in self.things.tables[table].values():
            if kind == "string" and record.get(column) is not None:
                record[column] = str(record[column])

    def rename_column(self, table: str, column: str, name: str) -> None:
        properties = self.things.properties[table]
        renamed = {name if one == column else one: kind for one, kind in properties.items()}
        self.things.properties[table] = renamed
        for record in self.things.tables[table].values():
            record[name] = record.pop(column, None)

    def drop_table(self, table: str) -> None:
        del self.things.properties[table]

    def collected_name(self, column: str) -> str:
        return column.lower()
