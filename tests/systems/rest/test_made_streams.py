"""Streams whose names or columns the API or the connection's options tell: made of a template, and read as all others are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from shared_metadata.errors import DefinitionError, RetryLater, SecretError
from shared_metadata.program import Connection, Flow, Kind, Mode, Position, Table
from systems.rest.answers import Answer
from systems.rest.checking import check_flow
from systems.rest.coverage import coverage
from systems.rest.document import read
from systems.rest.reader import Reader
from systems.rest.requests import Request
from systems.rest.streams import Streams
from tests.conformance.collect import COLUMNS, CollectConformance, Collecting, label_rows
from tests.conformance.fixtures import Cloud, cloud
from tests.systems.rest.reading import NOW, answer
from tests.systems.rest.things import SYSTEM, TYPES, Things, ThingsUnderTest, stream

__all__ = ["cloud"]
MAPPING = "ComponentMappingDefinition"
CALLED: Mapping[str, str] = {"string": "text", "double": "number", "boolean": "flag", "date": "date", "timestamptz": "moment"}


class TellingThings(Things):
    """told: table ▸ its columns' schemas.  asked: the paths, in order."""

    def __init__(self) -> None:
        self.told: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        super().__init__()

    def answer(self, path: str, query: Mapping[str, str], authorization: str) -> tuple[int, Any]:
        self.asked.append(path)
        if authorization.endswith("secret") and path == "/tables" and "wrong" not in authorization:
            return 200, {"data": [{"title": name, "properties": properties} for name, properties in self.told.items()]}
        if path.startswith("/columns/"):
            words = {json.dumps(schema): CALLED.get(kind, "whole") for kind, schema in TYPES.items()}
            fields = self.told[path.rpartition("/")[2]].items()
            return 200, {"data": {"fields": [{"called": name, "of": {"kind": words[json.dumps(one)]}} for name, one in fields]}}
        return super().answer(path, query, authorization)


def template(*, columns_asked: bool) -> dict[str, Any]:
    """Of what the tables are made that `/tables` tells."""
    made = stream("", {})
    selector = made["retriever"]["record_selector"]
    mappings = [("name", "title"), ("retriever/requester/path", "title")]
    if columns_asked:
        rules = {"text": "string", "flag": "boolean", "moment": "timestamp_with_timezone", "whole": "integer"}
        made["schema_loader"] = {
            "type": "DynamicSchemaLoader",
            "retriever": {
                "type": "SimpleRetriever",
                "requester": {"$ref": "#/definitions/requester", "path": ""},
                "record_selector": {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": ["data"]}},
            },
            "schema_type_identifier": {
                "schema_pointer": ["fields"],
                "key_pointer": ["called"],
                "type_pointer": ["of", "kind"],
                "types_mapping": [{"current_type": said, "target_type": kind} for said, kind in rules.items()],
            },
        }
        values = [(path, f"{{{{ components_values['{name}'] }}}}") for path, name in mappings]
        values.append(("schema_loader/retriever/requester/path", "columns/{{ components_values['title'] }}"))
    else:
        mappings.append(("schema_loader/schema/properties", "properties"))
        values = [(path, f"{{{{ components_values['{name}'] }}}}") for path, name in mappings]
    asks = {
        "type": "SimpleRetriever",
        "requester": {"$ref": "#/definitions/requester", "path": "tables"},
        "record_selector": selector,
    }
    found = [{"type": MAPPING, "field_path": path.split("/"), "value": value} for path, value in values]
    resolver = {"type": "HttpComponentsResolver", "retriever": asks, "components_mapping": found}
    return {"type": "DynamicDeclarativeStream", "name": "tables", "stream_template": made, "components_resolver": resolver}


class MadeUnderTest(ThingsUnderTest):
    """Its tables, and their columns, are what the API tells; of the manifest nothing changes."""

    things: TellingThings
    columns_asked = False

    def create_table(self, columns: Mapping[str, str]) -> str:
        self._manifest["dynamic_streams"] = [template(columns_asked=self.columns_asked)]
        self._write()
        name = f"thing{len(self.things.told)}"
        own = {"id": TYPES["string"], "updated": TYPES["timestamptz"]}
        self.things.tables[name] = {}
        self.things.told[name] = {**own, **{column: dict(TYPES[kind]) for column, kind in columns.items()}}
        return name

    def drop_table(self, table: str) -> None:
        del self.things.told[table]

    def _properties(self, table: str) -> dict[str, Any]:
        return self.things.told[table]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MadeUnderTest]:
    monkeypatch.chdir(tmp_path)
    things = TellingThings()
    yield MadeUnderTest(things, tmp_path)
    things.close()


@pytest.mark.deep
@pytest.mark.nightly
class TestConformance(CollectConformance):
    """All of it."""


@pytest.mark.parametrize("columns_asked", [False, pytest.param(True, marks=pytest.mark.deep)])
def test_plan_asks_what_there_is_and_extract_reads_it_without_asking_again(
    cloud: Cloud, source: MadeUnderTest, columns_asked: bool
) -> None:
    source.columns_asked = columns_asked
    collecting = Collecting(cloud, source)
    source.create_table(COLUMNS)
    table = source.create_table(COLUMNS)
    collecting.collect(table)
    source.put(table, label_rows(["a", "b"]), collecting.at)
    source.things.asked.clear()
    collecting.run()
    assert collecting.labels() == ["a", "b"]
    row = collecting.rows()[0]
    assert row["number"] == 0.0 and row["updated"].tzinfo
    asked = source.things.asked
    assert asked.count("/tables") == 1 and asked.count(f"/columns/{table}") == columns_asked
    source.put(table, label_rows(["b"]), collecting.at)
    collecting.run()
    assert collecting.labels() == ["b"]


def streams(folder: Path, told: Any, made: Mapping[str, Any], hosts: tuple[str, ...] = (), **config: Any) -> Streams:
    """Those of a manifest with one template.  told: what the API answers to whatever it is asked."""
    folder.mkdir(parents=True, exist_ok=True)
    requester = {"type": "HttpRequester", "url_base": "https://api.example.com"}
    document = {
        "definitions": {"requester": requester},
        "streams": [stream("check", {"id": TYPES["string"]})],
        "dynamic_streams": [made],
    }
    (folder / "manifest.yaml").write_text(json.dumps(document))
    sent: list[Request] = []

    def send(request: Request) -> Answer:
        sent.append(request)
        return answer({"data": told})

    found = Streams(read(folder), lambda: Reader(config, NOW, send, hosts=hosts, clock=lambda: NOW))
    found.sent = sent  # type: ignore[attr-defined]
    return found


def test_of_two_of_one_name_neither_is_read(tmp_path: Path) -> None:
    told = [{"title": name, "properties": {"id": {"type": "string"}}} for name in ("a", "b", "a", "check", "a")]
    found = streams(tmp_path, told, template(columns_asked=False))
    assert found.names() == ["b", "check"] and found.find("a") is None
    assert (found.why_not("a"), found.why_not("b"), found.why_not("c")) == ("there are two of this name", "", "")


@pytest.mark.parametrize("name", ["2024", "1.10", "True", "0", "[1]", "None"])
def test_a_name_that_reads_as_something_else_is_a_name(tmp_path: Path, name: str) -> None:
    found = streams(tmp_path, [{"title": name, "properties": {"id": TYPES["string"]}}], template(columns_asked=False))
    assert found.names() == sorted([name, "check"])
    made = found.again(name, json.loads(json.dumps(found.kept(name))))
    assert (made["name"], made["retriever"]["requester"]["path"]) == (name, name)


@pytest.mark.security
@pytest.mark.parametrize(
    ("name", "properties"),
    [
        ("{{ config['token'] }}", {}),  # as the template's own
        ("{{ config['url'] }}", {}),
        ("a{% if config %}b{% endif %}", {}),
        ("a", {"{{ config['token'] }}": TYPES["string"]}),
    ],
)
def test_what_the_api_tells_is_never_evaluated(tmp_path: Path, name: str, properties: Any) -> None:
    made = template(columns_asked=False)
    signed = {"authenticator": {"type": "BearerAuthenticator", "api_token": "{{ config['token'] }}"}}
    made["stream_template"]["retriever"]["requester"] = {"$ref": "#/definitions/requester", "path": "", **signed}
    told = [{"title": name, "properties": properties}, {"title": "b", "properties": {}, "note": name}]
    found = streams(tmp_path, told, made, token="very-secret")
    assert found.names() == ["b", "check"] and found.why_not(name) == "the API tells an expression"


@pytest.mark.security
def test_a_host_that_the_api_tells_gets_no_credentials(tmp_path: Path) -> None:
    made = template(columns_asked=False)
    made["components_resolver"]["components_mapping"].append(
        {"type": MAPPING, "field_path": ["**", "requester", "url_base"], "value": "{{ components_values['at'] }}"}
    )
    made["stream_template"]["retriever"]["requester"] = {"type": "HttpRequester", "url_base": "https://api.example.com", "path": ""}
    told = [{"title": name, "at": f"https://{name}.example.com", "properties": {"id": TYPES["string"]}} for name in ("api", "other")]
    hidden = {"title": "hidden", "at": "https://{{ config['token'] }}", "properties": {"id": TYPES["string"]}}
    assert streams(tmp_path, [hidden], made, token="very-secret").why_not("hidden") == "the API tells an expression"
    assert streams(tmp_path, told, made).names() == ["api", "check"]
    assert "the host other.example.com" in streams(tmp_path, told, made).why_not("other")
    assert streams(tmp_path, told, made, ("other.example.com",)).names() == ["api", "check", "other"]


def test_what_the_options_tell_is_made_again_of_them_and_kept_nowhere(tmp_path: Path) -> None:
    made = template(columns_asked=False)
    made["components_resolver"] = {
        "type": "ConfigComponentsResolver",
        "stream_config": {"type": "StreamConfig", "configs_pointer": ["reports"]},
        "components_mapping": made["components_resolver"]["components_mapping"],
    }
    reports = [{"title": name, "properties": {"id": TYPES["string"]}, "key": "very-secret"} for name in ("daily", "weekly")]
    found = streams(tmp_path, None, made, reports=reports)
    assert found.names() == ["check", "daily", "weekly"] and found.sent == []  # type: ignore[attr-defined]
    kept = json.loads(json.dumps(found.kept("weekly")))
    assert "very-secret" not in json.dumps(kept)
    assert streams(tmp_path, None, made, reports=reports).again("weekly", kept) == found.find("weekly")
    with pytest.raises(RetryLater, match="weekly is not what it was when the batch was planned"):
        streams(tmp_path, None, made, reports=reports[:1]).again("weekly", kept)


def test_what_the_api_told_is_made_again_without_it(tmp_path: Path) -> None:
    told = [{"title": "a", "properties": {"id": TYPES["string"]}}]
    found = streams(tmp_path, told, template(columns_asked=False))
    kept = json.loads(json.dumps(found.kept("a")))
    later = streams(tmp_path, None, template(columns_asked=False))
    assert later.again("a", kept) == found.find("a") and later.sent == []  # type: ignore[attr-defined]
    assert found.kept("check") is None


def test_a_field_of_a_type_that_no_rule_names_is_refused(tmp_path: Path) -> None:
    found = streams(tmp_path, {"title": "a", "fields": [{"called": "id", "of": {"kind": "odd"}}]}, template(columns_asked=True))
    with pytest.raises(DefinitionError, match="a field of a type that `types_mapping` does not have"):
        found.find("a")


def test_a_table_that_cannot_be_read_stops_no_other(source: MadeUnderTest) -> None:
    source.columns_asked = True
    source._manifest["streams"] = []
    odd, table = source.create_table({"flag": "boolean"}), source.create_table({"label": "string"})
    loader = source._manifest["dynamic_streams"][0]["stream_template"]["schema_loader"]
    rules = loader["schema_type_identifier"]["types_mapping"]
    rules[:] = [rule for rule in rules if rule["current_type"] != "flag"]
    source._write()
    connection = Connection("c", SYSTEM, {"secret": "s"}, Position("p", 1, 1))
    opened = source.open_source(None)(connection, source.secret)
    assert opened.tables() == [odd, table] and opened.describe([table])[table]
    with pytest.raises(DefinitionError, match="a field of a type that `types_mapping` does not have"):
        opened.describe([odd])
    with pytest.raises(SecretError):
        source.open_source(None)(connection, source.refused_secret).describe([])


def test_what_is_made_of_a_template_is_told_and_one_with_code_is_left_out(source: MadeUnderTest) -> None:
    source.create_table(COLUMNS)
    folder = source._file.parent
    assert (coverage(folder).made, coverage(folder).left_out) == ({"tables": "the API"}, {})
    flow = Flow(
        "lake.raw.thing",
        Kind.COLLECT,
        f"collect.{SYSTEM}",
        "lake",
        3600,
        (Table("x", "any"),),
        Position("p", 1, 1),
        mode=Mode.REPLACE,
    )
    check_flow(flow, {})
    odd = template(columns_asked=False)
    odd["stream_template"]["retriever"]["paginator"] = {"type": "CustomPaginator", "class_name": "x.Y"}
    source._manifest["dynamic_streams"] = [odd]
    source._write()
    assert (coverage(folder).made, coverage(folder).left_out) == ({}, {"tables": "code x.Y"})
    with pytest.raises(DefinitionError, match="the manifest has no stream any"):
        check_flow(flow, {})
