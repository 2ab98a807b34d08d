"""A tap's folder: what its `tap.yaml` may say, what becomes of it as a slice, and what is told of it before it is deployed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from console.source import source
from infra.apart import Apart
from infra.settings import Settings
from infra.slice_bundle import apart_of, made_beside, slice_bundle
from shared_metadata.errors import DefinitionError, SecretError
from shared_metadata.program import Connection, Mode, Position
from shared_metadata.program.schema import SchemaColumn
from slices.registry import installed
from systems.singer import options, tap_file
from systems.singer.catalog import Stream, chosen, streams_of
from systems.singer.client import SingerSource
from systems.singer.options import config_of
from systems.singer.process import Tap
from tests.systems.singer.test_hostile import ENTRY
from tests.systems.singer.under_test import TAP

HERE = Position("program.sql", 1, 1)
IMAGE = f"111122223333.dkr.ecr.eu-central-1.amazonaws.com/taps@sha256:{'0' * 64}"
HASH = "--hash=sha256:" + "0" * 64
SAID: Mapping[str, Any] = {
    "run": "tap-acme",
    "secret": ["token"],
    "options": {"start": "string", "most": "integer"},
    "config": {"agent": "atoll", "lists": [1, 2]},
}


class Folder:
    """slices/collect/acme of a project, in which the process is."""

    def __init__(self, project: Path) -> None:
        self.path = project / tap_file.folder_of("acme")
        self.path.mkdir(parents=True)
        self.write("requirements.txt", f"tap-acme==1.0 {HASH}\nrequests==2.0 \\\n    {HASH}\n    # via tap-acme\n")
        self.say()

    def say(self, **said: Any) -> None:
        self.write("tap.yaml", yaml.safe_dump({**SAID, **said}, sort_keys=False))

    def write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text)
        tap_file.document_of.cache_clear()
        options.model_of.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    monkeypatch.chdir(tmp_path)
    installed.cache_clear()
    yield Folder(tmp_path)
    installed.cache_clear()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"runs": "x"}, "a tap.yaml has no `runs`"),
        ({"run": ""}, "it does not say what is to be run"),
        ({"run": "tap.py"}, "`run` names tap.py, which is not beside it"),
        ({"run": ["tap"]}, "it does not say what is to be run"),
        ({"image": IMAGE}, "`run` of an image is no list of the words of a command"),
        ({"image": "taps:latest", "run": ["tap"]}, "`image` is no image by its digest"),
        ({"image": IMAGE, "run": ["tap"]}, "a tap in an image needs a catalog.json beside its tap.yaml"),
        ({"lag": "a minute"}, "`lag` is no int"),
        ({"options": {"start": "date"}}, "the option start is no string, integer, number, boolean"),
        ({"options": {"lag": "integer"}}, "the option lag is one of Atoll's"),
        ({"catalog": "file"}, "`catalog` is neither catalog nor properties"),
        ({"tables": {"a": {"cursors": "x"}}}, "a table has no `cursors`"),
        ({"tables": {"a": {"key": "id"}}}, "`key` of a is no list"),
        ({"tables": {"a": {"mode": "append"}}}, "`mode` of a is neither replace nor merge"),
    ],
)
def test_what_a_tap_yaml_says_wrongly_is_told_with_its_place(folder: Folder, said: dict[str, Any], told: str) -> None:
    folder.say(**said)
    with pytest.raises(DefinitionError, match=r"slices/collect/acme/tap\.yaml: ") as refused:
        tap_file.read(tap_file.folder_of("acme"))
    assert told in str(refused.value) and refused.value.remedy


@pytest.mark.parametrize(
    ("text", "told"),
    [("tap-acme", "tap-acme is not"), (f"tap-acme>=1 {HASH}", "tap-acme is not"), ("-e .\n", "-e is not"), ("a==1\n", "a is not")],
)
def test_a_package_that_is_not_pinned_with_its_hashes_is_refused(folder: Folder, text: str, told: str) -> None:
    folder.write("requirements.txt", text)
    with pytest.raises(DefinitionError, match="requirement 1") as refused:
        tap_file.read(tap_file.folder_of("acme"))
    assert told in str(refused.value) and "--generate-hashes" in refused.value.remedy


def test_it_is_a_slice_whose_bundles_hold_its_document_and_its_packages_apart(folder: Folder) -> None:
    declared = installed()["collect.acme"]
    assert (declared.stack_name, declared.tasks, declared.capabilities.modes) == (
        "CollectAcmeSlice",
        ("extract",),
        (Mode.REPLACE, Mode.MERGE),
    )
    for data in (False, True):
        bundle = slice_bundle(declared, Settings(), data=data)
        assert {name.split("/")[0] for _, name in bundle.files()} == {"shared_metadata", "systems"}
        made = made_beside(declared)
        assert made is not None
        ((name, text),) = made.files
        assert name == "acme/tap.json" and json.loads(text)["run"] == "tap-acme"
        assert bundle.apart == Apart((folder.path / "requirements.txt").resolve(), (), ("aarch64-manylinux_2_28", "3.13"))
    before = bundle.digest
    folder.write("requirements.txt", f"tap-acme==1.1 {HASH}\n")
    assert slice_bundle(declared, Settings(), data=True).digest != before
    assert apart_of(installed()["collect.github"], Settings()) is None


def test_its_options_and_its_secret_become_the_taps_configuration(folder: Folder) -> None:
    connection = Connection("c", "acme", {"secret": "s", "start": "2026", "most": 5, "run": "auto"}, HERE)
    found = config_of(connection, {"token": "t", "more": {"a": 1}}, tap_file.document_of("acme"))
    assert found == {"agent": "atoll", "lists": [1, 2], "token": "t", "more": {"a": 1}, "start": "2026", "most": 5}
    with pytest.raises(SecretError, match="the secret s has no token"):
        config_of(connection, {"more": 1}, tap_file.document_of("acme"))
    with pytest.raises(DefinitionError, match="`most` takes"):
        config_of(Connection("c", "acme", {"secret": "s", "most": "many"}, HERE), {"token": "t"}, tap_file.document_of("acme"))


def test_a_tap_is_checked_with_its_tables_and_the_licences_of_what_it_brings(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, told in (("tap_acme", "License: AGPL-3.0"), ("requests", "License-Expression: Apache-2.0"), ("odd", "Summary: x")):
        place = tmp_path / "packages" / f"{name}-1.0.dist-info"
        place.mkdir(parents=True)
        (place / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n{told}\n")
    monkeypatch.setattr(Apart, "installed", lambda *_: tmp_path / "packages")
    folder.write("catalog.json", json.dumps({"streams": [ENTRY]}))
    told = CliRunner().invoke(source, ["check", str(folder.path)], catch_exceptions=False).output
    assert "orders  key id  cursor updated_at  MERGE" in told and "copyleft: tap_acme 1.0: AGPL-3.0." in told
    assert "licences of its 3 packages: " in told and "Apache-2.0 1" in told and "not told 1" in told
    assert "WITH (secret = '…', start = …, most = …);" in told
    found = json.loads(CliRunner().invoke(source, ["check", str(folder.path), "--json"], catch_exceptions=False).output)
    assert found["licences"]["tap_acme 1.0"] == "AGPL-3.0" and found["tables"][0]["name"] == "orders"


def test_a_tap_in_an_image_is_a_tasks_alone(folder: Folder) -> None:
    folder.write("catalog.json", json.dumps({"streams": [ENTRY]}))
    folder.say(image=IMAGE, run=["/opt/tap/bin/tap-acme", "--quiet"])
    declared, document = installed()["collect.acme"], tap_file.document_of("acme")
    assert apart_of(declared, Settings()) is None and tap_file.image_of("acme") == IMAGE
    connection = Connection("c", "acme", {"secret": "s", "run": "task"}, HERE)
    found = SingerSource(connection, {"token": "t"}, document)
    assert found.tables() == ["orders"] and found.sample("orders", SchemaColumn("id", "long", source="id")).nulls == 0
    with pytest.raises(DefinitionError, match=r"`run` takes 'task': the tap is in an image"):
        config_of(Connection("c", "acme", {"secret": "s", "run": "auto"}, HERE), {"token": "t"}, document)
    told = r"/opt/tap/bin/tap-acme cannot be run where the tap is: FileNotFoundError"
    with Tap(document, {}, place="here", reference="s") as tap, pytest.raises(DefinitionError, match=told):
        next(tap.messages({}, None))


def test_a_tap_that_is_a_file_brings_none(folder: Folder) -> None:
    shutil.copyfile(TAP, folder.path / "tap.py")
    (folder.path / "requirements.txt").unlink()
    folder.say(run="tap.py")
    told = CliRunner().invoke(source, ["check", str(folder.path)], catch_exceptions=False).output
    assert "licence: that of tap.py" in told and "atoll discover" in told
    assert set(tap_file.document_of("acme")["files"]) == {"tap.py"}


def entry(**more: Any) -> dict[str, Any]:
    return {**ENTRY, **more}


@pytest.mark.parametrize(
    ("of", "key", "cursor", "mode"),
    [
        ({}, ("id",), "updated_at", Mode.MERGE),
        ({"key_properties": []}, (), "updated_at", None),
        ({"replication_key": None}, ("id",), "", None),
        ({"replication_key": None, "replication_method": "full_table"}, ("id",), "", None),
        ({"replication_key": "id"}, ("id",), "", None),
        ({"metadata": [{"breadcrumb": [], "metadata": {"forced-replication-method": "FULL_TABLE"}}]}, ("id",), "updated_at", None),
        ({"key_properties": ["gone"]}, (), "updated_at", None),
    ],
)
def test_how_a_table_is_collected_by_itself(of: dict[str, Any], key: tuple[str, ...], cursor: str, mode: Mode | None) -> None:
    found = Stream(entry(**of)).defaults()
    assert (found.key, found.cursor, found.mode) == (key, cursor, mode)


def test_a_bookmark_that_says_when_a_row_was_made_is_no_cursor_by_itself() -> None:
    properties = {"id": {"type": "integer"}, "created_at": {"type": "string", "format": "date-time"}}
    found = Stream(entry(replication_key="created_at", schema={"properties": properties}))
    assert (found.defaults().cursor, found.defaults().mode) == ("", None)
    said = Stream(found.entry, {"cursor": "created_at", "mode": "merge"}).defaults()
    assert (said.cursor, said.mode) == ("created_at", Mode.MERGE)


def test_a_stream_is_chosen_with_its_fields_and_those_that_the_tap_goes_by() -> None:
    crumbs = [
        {"breadcrumb": [], "metadata": {"x": 1}},
        {"breadcrumb": ["properties", "label"], "metadata": {"inclusion": "available"}},
    ]
    other = entry(stream="other", tap_stream_id="other")
    streams = streams_of({"streams": [entry(metadata=crumbs), other]}, {}, "here")
    made = chosen({"streams": [entry(metadata=crumbs), other]}, streams["orders"], ["id"], cursor="updated_at")
    own, beside = made["streams"]
    assert own["metadata"][0]["metadata"] == {
        "x": 1,
        "selected": True,
        "replication-method": "INCREMENTAL",
        "replication-key": "updated_at",
    }
    selected = {one["breadcrumb"][1]: one["metadata"]["selected"] for one in own["metadata"][1:]}
    assert selected == {"id": True, "updated_at": False} and set(own["schema"]["properties"]) == {"id", "updated_at"}
    assert beside["metadata"][0]["metadata"] == {"selected": False} and crumbs[0]["metadata"] == {"x": 1}
    whole = chosen({"streams": [ENTRY]}, streams["orders"], ["id"], cursor="")
    assert whole["streams"][0]["replication_method"] == "FULL_TABLE"


@pytest.mark.parametrize(
    ("node", "kind"),
    [
        ({"anyOf": [{"type": "string", "format": "date-time"}, {"type": ["string", "null"]}]}, "timestamptz"),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, "long"),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "string"),
        ({"type": ["null", "array"], "items": {"type": "integer"}}, "list<long>"),
        ({}, "string"),
    ],
)
def test_the_type_of_a_field_is_its_schemas(node: dict[str, Any], kind: str) -> None:
    assert Stream(entry(schema={"properties": {"a": node}})).columns[0].type == kind
