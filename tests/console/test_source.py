"""`atoll source`: a manifest becomes a slice of the project, and what of it is read is said."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result

from systems.rest import document
from systems.rest.columns import columns_of
from tests.systems.rest.test_made_streams import template
from tests.systems.rest.things import TYPES, manifest, stream

Atoll = Callable[..., Result]
ATOLL = str(Path(sys.executable).with_name("atoll"))
PROGRAM = """\
CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION out TO things WITH (secret = 'out', lag = 90);
INSERT INTO lake.things.orders EVERY '1 hour' MERGE ON (id) CURSOR updated AS SELECT id, updated, {column} FROM out.{table};
"""


SCHEMAS: dict[str, Any] = {
    "orders.json": {"properties": {"id": {"type": "integer"}, "place": {"$ref": "kinds.json#/definitions/place"}}},
    "deep/visits.json": {"properties": {"id": {"type": "string"}, "next": {"$ref": "#/definitions/gone"}}},
    "shared/kinds.json": {"definitions": {"place": {"$ref": "#/definitions/real"}, "real": {"$ref": "town.json"}}},
    "shared/town.json": {"type": "object", "properties": {"town": {"type": "string"}}},
}


def older() -> dict[str, Any]:
    """A manifest of an older package, whose options and schemas are in files; of one stream the file is not there."""
    loader = {"type": "JsonFileSchemaLoader", "file_path": "./source_old/schemas/deep/{{ parameters['name'] }}.json"}
    visits = {**open_stream("visits"), "schema_loader": loader, "$parameters": {"name": "visits"}}
    visits["retriever"]["requester"]["request_parameters"] = {"zone": "{{ config.get('zone') or config['city'] }}"}
    found = [{**open_stream(name), "schema_loader": None} for name in ("orders", "lost")]
    return {"streams": [visits, *found]}


def open_stream(name: str = "orders") -> dict[str, Any]:
    """A stream that asks for no credentials and no options."""
    found = stream(name, {"id": TYPES["string"]})
    found["retriever"]["requester"] = {"type": "HttpRequester", "url_base": "https://api.example.com", "path": name}
    return {key: value for key, value in found.items() if key != "incremental_sync"}


def written(folder: Path, licence: str = "") -> Path:
    """A folder with a manifest of two tables, of which one is not read."""
    found = manifest()
    own = {"id": TYPES["string"], "updated": TYPES["timestamptz"], "amount": TYPES["double"]}
    custom = stream("odd", own)
    custom["retriever"]["paginator"] = {"type": "CustomPaginator", "class_name": "x.Y"}
    found["streams"] = [stream("orders", own), custom]
    folder.mkdir(parents=True)
    (folder / "manifest.yaml").write_text(yaml.safe_dump(found))
    if licence:
        (folder / "metadata.yaml").write_text(f"data: {{license: {licence}}}\n")
    return folder


def test_a_manifest_is_copied_and_what_is_read_of_it_is_said(atoll: Atoll, folder: Path) -> None:
    result = atoll("source", "add", str(written(folder / "downloads" / "source-things", "ELv2")))
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["table", "key", "cursor", "mode", "deletes", "a", "batch", "reads"]
    assert lines[1].split() == ["orders", "id", "updated", "MERGE", *["not", "known", "what", "its", "cursor", "says", "is", "new"]]
    assert lines[2:4] == ["1 of 2 tables.", "not covered: odd (code x.Y)"]
    assert lines[4].startswith("licence: Elastic License 2.0") and "TO things WITH (secret = '…')" in lines[5]
    assert lines[6] == "the secret holds token, url"
    assert sorted(file.name for file in Path("slices/collect/things").iterdir()) == ["manifest.yaml", "metadata.yaml"]


def test_the_same_as_json(atoll: Atoll, folder: Path) -> None:
    found = json.loads(atoll("source", "check", str(written(folder / "things")), "--json").stdout)
    assert found["left_out"] == {"odd": "code x.Y"} and found["licence"] == ""
    assert found["tables"][0] == {
        "name": "orders",
        "columns": 3,
        "key": ["id"],
        "cursor": "updated",
        "reads": "what its cursor says is new",
        "mode": "MERGE",
        "deletes": "",
        "misses": "",
        "only": "",
    }
    assert found["unknown"] == []


def test_options_and_schemas_of_files_beside_the_manifest_are_read_and_copied(atoll: Atoll, folder: Path) -> None:
    old = written(folder / "downloads" / "old")
    (old / "manifest.yaml").write_text(yaml.safe_dump(older()))
    options = {"type": "object", "properties": {"key": {"type": "string", "airbyte_secret": True}, "city": {"type": "string"}}}
    (old / "spec.yaml").write_text(yaml.safe_dump({"connectionSpecification": options}))
    for name, schema in SCHEMAS.items():
        (old / "schemas" / name).parent.mkdir(parents=True, exist_ok=True)
        (old / "schemas" / name).write_text(json.dumps(schema))
    found = json.loads(atoll("source", "add", str(old), "--json").stdout)
    assert found["left_out"] == {"lost": "no columns declared"} and [table["columns"] for table in found["tables"]] == [2, 2]
    assert (found["options"], found["secret"], found["unknown"]) == (["city"], ["key"], ["zone"])
    shown = atoll("source", "check", "slices/collect/old")
    assert "no connection can give `zone`" in shown.stderr and "WITH (secret = '…', city = …);" in shown.stdout
    columns = {one.source: one.type for one in columns_of(document.read(Path("slices/collect/old"))["streams"]["orders"], {})}
    assert columns == {"id": "long", "place": "struct<town: string>"}


@pytest.mark.parametrize("brought", [True, False])
def test_a_folder_whose_overlay_says_that_airbyte_cdk_reads_it_is_copied_with_its_code(
    brought: bool, atoll: Atoll, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And with its packages, where it has written them down."""
    coded = written(folder / "downloads" / "coded")
    (coded / "overlay.yaml").write_text("engine: airbyte\nlag: 5\n")
    (coded / "components.py").write_text("class Own: ...\n")
    pinned = f"airbyte-cdk=={{}} --hash=sha256:{'0' * 64}\n".format
    if brought:
        (coded / "requirements.txt").write_text(pinned("7.4.0"))
    monkeypatch.setattr("console.packages.pinned", lambda *_: pinned("7.39.1"))
    monkeypatch.setattr("console.licences.licences", lambda *_: {})
    shown = atoll("source", "add", str(coded))
    assert shown.exit_code == 0 and "2 of 2 tables." in shown.stdout, shown.output
    added = Path("slices/collect/coded")
    assert (added / "components.py").is_file() and (added / "overlay.yaml").read_text() == "engine: airbyte\nlag: 5\n"
    assert (added / "requirements.txt").read_text().endswith(pinned("7.4.0" if brought else "7.39.1"))


def test_a_manifest_that_asks_for_nothing_needs_no_options(atoll: Atoll, folder: Path) -> None:
    written(folder / "plain")
    (folder / "plain" / "manifest.yaml").write_text(yaml.safe_dump({"streams": [open_stream()]}))
    assert "next: CREATE CONNECTION plain TO plain;" in atoll("source", "check", "plain").stdout


def test_tables_that_the_api_tells_are_said_by_what_tells_them(atoll: Atoll, folder: Path) -> None:
    found = {**manifest(), "dynamic_streams": [template(columns_asked=True)]}
    (written(folder / "telling") / "manifest.yaml").write_text(yaml.safe_dump(found))
    shown = atoll("source", "check", "telling").stdout
    assert "1 of 1 tables.\nand each that the API tells (tables): `atoll discover` lists them\n" in shown


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("nowhere/at/all",), "holds no manifest.yaml"),
        (("things", "--as", "Things"), "can be no system's name"),
        (("things", "--as", "github"), "there is a slice collect.github already"),
    ],
)
def test_what_can_be_no_source_is_refused(asked: tuple[str, ...], said: str, atoll: Atoll, folder: Path) -> None:
    written(folder / "things")
    result = atoll("source", "add", *asked)
    assert result.exit_code == 1 and said in result.stderr and "help: " in result.stderr and not (folder / "slices").exists()


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("streams: [", "manifest.yaml:2:1", "no YAML"),
        ("[]", "manifest.yaml", "no mapping"),
        ("streams: [{$ref: '#/definitions/gone'}]", "manifest.yaml", "#/definitions/gone, which is not there"),
    ],
)
def test_a_manifest_that_cannot_be_read_says_where_and_why(text: str, place: str, said: str, atoll: Atoll, folder: Path) -> None:
    written(folder / "things")
    (folder / "things" / "manifest.yaml").write_text(text)
    result = atoll("source", "check", "things")
    assert result.exit_code == 1 and place in result.stderr and said in result.stderr and "help: " in result.stderr


@pytest.mark.parametrize(
    ("table", "column", "said"),
    [
        ("orders", "amount", ""),
        ("odd", "amount", "odd is not covered: code x.Y"),
        ("order", "amount", "did you mean orders?"),
    ],
)
def test_a_program_over_a_folder_with_a_manifest_is_checked_against_it(table: str, column: str, said: str, folder: Path) -> None:
    written(folder / "slices" / "collect" / "things")
    (folder / "program.sql").write_text(PROGRAM.format(table=table, column=column))
    done = subprocess.run([ATOLL, "check"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == bool(said) and said in done.stderr, done.stdout + done.stderr
    assert said or "collect.things" in done.stdout


def test_a_wrong_option_is_named_as_that_of_any_slice(folder: Path) -> None:
    written(folder / "slices" / "collect" / "things")
    (folder / "program.sql").write_text(
        PROGRAM.format(table="orders", column="amount").replace("lag = 90", "lag = 'long', tokn = 'x'")
    )
    done = subprocess.run([ATOLL, "check"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "`lag` takes a number of seconds" in done.stderr and "things has no option `tokn`" in done.stderr
