"""An API of things that a manifest describes, and the door of the collect suite to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml

from shared_metadata.contract.collect import OpenSource
from shared_metadata.program import Mode
from systems.rest import document, options
from systems.rest.client import RestSource
from systems.rest.declared import declared
from tests.conformance.collect import Row

SYSTEM, TOKEN = "things", "right-and-secret"
FORM = "%Y-%m-%dT%H:%M:%SZ"
TYPES: Mapping[str, Mapping[str, Any]] = {
    "string": {"type": ["string", "null"]},
    "double": {"type": ["number", "null"]},
    "boolean": {"type": ["boolean", "null"]},
    "date": {"type": ["string", "null"], "format": "date"},
    "timestamptz": {"type": ["string", "null"], "format": "date-time"},
    "int": {"type": ["integer", "null"], "format": "int32"},
    "long": {"type": ["integer", "null"]},
}
PAGE = 100


class Things:
    """Tables of records, each with an `id` and the moment it was `updated`, in the order of their ids."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, dict[str, Any]]] = {}
        self.retry_after = ""  # of each answer
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, path: str, query: Mapping[str, str], authorization: str) -> tuple[int, Any]:
        """The status, and the body: bytes, or what is told as JSON."""
        if authorization != f"Bearer {TOKEN}":
            return 401, {"error": "no"}
        if path == "/check":
            return 200, {"data": []}
        rows = self.tables.get(path[1:])
        if rows is None:
            return 404, {"error": "no such thing"}
        asked, some = (query.get("from", ""), query.get("to", "9")), query.get("some", "0123456789")  # last digits of ids
        taken = (row for _, row in sorted(rows.items()) if asked[0] <= row["updated"] <= asked[1] and row["id"][-1] in some)
        found = [row for row in taken if row["id"] > query.get("after", "")]
        return 200, {"data": found[:PAGE], "next": found[PAGE - 1]["id"] if len(found) > PAGE else None}

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def _handler(things: Things) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            status, answer = things.answer(url.path, dict(parse_qsl(url.query)), self.headers.get("Authorization", ""))
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if things.retry_after:
                self.send_header("Retry-After", things.retry_after)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None: ...

    return Handler


def stream(name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    option = {"type": "RequestOption", "inject_into": "request_parameter"}
    return {
        "type": "DeclarativeStream",
        "name": name,
        "primary_key": "id",
        "retriever": {
            "type": "SimpleRetriever",
            "requester": {"$ref": "#/definitions/requester", "path": name},
            "record_selector": {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": ["data"]}},
            "paginator": {
                "type": "DefaultPaginator",
                "page_token_option": {**option, "field_name": "after"},
                "pagination_strategy": {
                    "type": "CursorPagination",
                    "cursor_value": "{{ response['next'] }}",
                    "stop_condition": "{{ not response['next'] }}",
                },
            },
        },
        "incremental_sync": {
            "type": "DatetimeBasedCursor",
            "cursor_field": "updated",
            "datetime_format": FORM,
            "cursor_granularity": "PT1S",
            "start_datetime": "1900-01-01T00:00:00Z",
            "start_time_option": {**option, "field_name": "from"},
            "end_time_option": {**option, "field_name": "to"},
        },
        "schema_loader": {"type": "InlineSchemaLoader", "schema": {"type": "object", "properties": dict(properties)}},
    }


def manifest() -> dict[str, Any]:
    """Without tables but the one that is asked whether it answers."""
    spec = {"token": {"type": "string", "airbyte_secret": True}, "url": {"type": "string", "airbyte_secret": True}}
    return {
        "type": "DeclarativeSource",
        "spec": {"type": "Spec", "connection_specification": {"type": "object", "required": [*spec], "properties": spec}},
        "check": {"type": "CheckStream", "stream_names": ["check"]},
        "definitions": {
            "requester": {
                "type": "HttpRequester",
                "url_base": "{{ config['url'] }}",
                "authenticator": {"type": "BearerAuthenticator", "api_token": "{{ config['token'] }}"},
            }
        },
        "streams": [stream("check", {"id": TYPES["string"], "updated": TYPES["timestamptz"]})],
    }


class ThingsUnderTest:
    """A folder with a manifest, as a project has one in `slices/collect/`.  folder: of the project, in which the process is."""

    declaration = declared(SYSTEM)
    incremental: Mapping[str, Any] = {"mode": Mode.MERGE, "key": ("id",), "cursor": "updated"}
    appending: Mapping[str, Any] = {"mode": Mode.APPEND, "cursor": "updated"}
    large_rows, most_columns = 350, 500
    unreadable_day = "10000"
    moments = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    hostile_names = ("select", "from", 'a"b', "c'd", "e;f", "g h", "ü", "x" * 60)

    def __init__(self, things: Things, folder: Path) -> None:
        self.things, self.options = things, dict[str, Any]()
        self.secret = {"url": things.url, "token": TOKEN}
        self.refused_secret = {**self.secret, "token": "wrong-but-secret"}
        self.unreachable_secret = {**self.secret, "url": "http://127.0.0.1:1"}
        self.secret_values = (TOKEN, "wrong-but-secret")
        self._file = folder / document.FOLDER / SYSTEM / document.MANIFEST
        self._manifest, self._overlay, self._numbers = manifest(), dict[str, Any](), 0
        self._file.parent.mkdir(parents=True)
        self._write()

    def say(self, table: str, **said: Any) -> None:
        """What the overlay says of a table."""
        self._overlay.setdefault("tables", {})[table] = said
        self._write()

    def open_source(self, aws: Any) -> OpenSource:
        return lambda connection, secret: RestSource(connection, secret, document.document_of(SYSTEM), aws)

    def create_table(self, columns: Mapping[str, str]) -> str:
        name = f"thing{len(self.things.tables)}"
        self.things.tables[name] = {}
        own = {"id": TYPES["string"], "updated": TYPES["timestamptz"]}
        self._manifest["streams"].append(stream(name, {**own, **{column: TYPES[kind] for column, kind in columns.items()}}))
        self._write()
        return name

    def put(self, table: str, rows: Sequence[Row], at: datetime) -> None:
        known = self.things.tables[table]
        by_label = {record.get("label"): record for record in known.values()}
        for row in rows:
            record = by_label.get(row["label"])
            if record is None:
                self._numbers += 1
                record = dict.fromkeys(self._properties(table)) | {"id": f"id{self._numbers:08d}"}
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
        del self._properties(table)[column]
        for record in self.things.tables[table].values():
            record.pop(column, None)
        self._write()

    def add_column(self, table: str, column: str, kind: str) -> None:
        self._properties(table)[column] = TYPES[kind]
        for record in self.things.tables[table].values():
            record.setdefault(column, None)
        self._write()

    def retype_column(self, table: str, column: str, kind: str) -> None:
        self._properties(table)[column] = TYPES[kind]
        for record in self.things.tables[table].values():
            if kind == "string" and record.get(column) is not None:
                record[column] = str(record[column])
        self._write()

    def rename_column(self, table: str, column: str, name: str) -> None:
        properties = self._properties(table)
        renamed = {name if one == column else one: kind for one, kind in properties.items()}
        properties.clear()
        properties.update(renamed)
        for record in self.things.tables[table].values():
            record[name] = record.pop(column, None)
        self._write()

    def drop_table(self, table: str) -> None:
        self._manifest["streams"] = [one for one in self._manifest["streams"] if one["name"] != table]
        self._write()

    def collected_name(self, column: str) -> str:
        return column.lower()

    def _properties(self, table: str) -> dict[str, Any]:
        found = next(one for one in self._manifest["streams"] if one["name"] == table)
        return found["schema_loader"]["schema"]["properties"]  # type: ignore[no-any-return]

    def _write(self) -> None:
        """As somebody does who changes the manifest, and deploys."""
        for name, content in self._files().items():
            text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
            self._file.with_name(name).write_text(text)
        document.document_of.cache_clear()
        options.model_of.cache_clear()

    def _files(self) -> dict[str, Any]:
        """The folder's files: name ▸ text, or what is written as YAML."""
        return {document.MANIFEST: self._manifest, document.OVERLAY: self._overlay}
