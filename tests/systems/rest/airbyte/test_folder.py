"""A folder with a manifest and code of its own: what it has to say, what becomes of it as a slice, and what is told of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from console.packages import TRIED, wanted_of
from infra.apart import Apart
from infra.settings import Settings
from infra.slice_bundle import made_beside, slice_bundle
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Connection, Position
from slices.manifests import coverage
from slices.registry import installed
from systems.rest import document, options
from tests.systems.rest.airbyte.under_test import COMPONENTS, coded
from tests.systems.rest.things import TYPES, manifest, stream

HERE = Position("program.sql", 1, 1)
HASH = "--hash=sha256:" + "0" * 64
PINNED = f"airbyte-cdk==7.39.1 \\\n    {HASH}\nrequests==2.34.2 {HASH}\n"


class Folder:
    """slices/collect/things of a project, in which the process is."""

    def __init__(self, project: Path) -> None:
        self.path = project / document.folder_of("things")
        self.path.mkdir(parents=True)
        said = manifest() | {"streams": [coded(stream("orders", {"id": TYPES["string"], "updated": TYPES["timestamptz"]}))]}
        self.write(document.MANIFEST, yaml.safe_dump(said))
        self.write(document.OVERLAY, "engine: airbyte\n")
        self.write("components.py", COMPONENTS)
        self.write("requirements.txt", PINNED)

    def write(self, name: str, text: str) -> None:
        (self.path / name).parent.mkdir(exist_ok=True)
        (self.path / name).write_text(text)
        document.document_of.cache_clear()
        options.model_of.cache_clear()
        installed.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    monkeypatch.chdir(tmp_path)
    yield Folder(tmp_path)
    installed.cache_clear()


def test_it_is_a_slice_whose_bundles_hold_its_code_and_its_packages_apart(folder: Folder) -> None:
    folder.write("helping/more.py", "MORE = 1\n")
    folder.write("source.py", "raise SystemExit\n")
    declared = installed()["collect.things"]
    assert (declared.stack_name, declared.package, declared.tasks) == ("CollectThingsSlice", "systems.rest.airbyte", ("extract",))
    for data in (False, True):
        bundle = slice_bundle(declared, Settings(), data=data)
        made = made_beside(declared)
        assert made is not None
        ((name, text),) = made.files
        found = json.loads(text)
        assert name == "things/manifest.json" and sorted(found["streams"]) == ["orders"] and not found["left_out"]
        assert (sorted(found["code"]), found["homes"]) == (["components.py", "helping/more.py"], ["source_things"])
        assert bundle.apart == Apart((folder.path / "requirements.txt").resolve(), (), ("aarch64-manylinux_2_28", "3.13"))
        assert "systems/rest/airbyte/runner/__main__.py" in {name for _, name in bundle.files()}


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        (document.OVERLAY, "lag: 5\n", "no overlay says that packages of its own read it"),
        (document.OVERLAY, "engine: other\n", "`engine` of an overlay is not airbyte"),
        ("requirements.txt", "airbyte-cdk>=7\n", "airbyte-cdk is not pinned to one version and its hashes"),
        ("requirements.txt", PINNED.replace("7.39.1", "6.61.6"), "airbyte-cdk 6.61.6 is not run here, but 7 and what follows it"),
        ("requirements.txt", f"requests==2.34.2 {HASH}\n", "airbyte-cdk is not among the packages"),
    ],
)
def test_what_it_says_wrongly_is_told_with_its_place(folder: Folder, file: str, text: str, told: str) -> None:
    folder.write(file, text)
    with pytest.raises(DefinitionError, match=rf"slices/collect/things/\w+\.\w+.*{told}") as refused:
        document.read(document.folder_of("things"))
    assert refused.value.remedy


def test_packages_that_are_not_written_down_are_told_with_the_command_that_writes_them(folder: Folder) -> None:
    (folder.path / "requirements.txt").unlink()
    with pytest.raises(
        DefinitionError, match=r"no requirements\.txt says what brings it.*`atoll source packages slices/collect/things`"
    ):
        document.read(document.folder_of("things"))


def test_of_the_streams_to_check_by_those_are_known_that_it_reads(folder: Folder) -> None:
    check = {"type": "CheckStream", "stream_names": ["made", "orders"]}
    said = manifest() | {"streams": [coded(stream("orders", {"id": TYPES["string"]}))], "check": check}
    folder.write(
        document.MANIFEST, yaml.safe_dump(said | {"dynamic_streams": [{"type": "DynamicDeclarativeStream", "name": "made"}]})
    )
    assert document.read(folder.path)["check"] == ["orders"]
    folder.write(document.MANIFEST, yaml.safe_dump(said))
    assert document.read(folder.path)["check"] == ["orders"]


def test_a_cursor_of_code_is_left_out(folder: Folder) -> None:
    of_code = coded(stream("orders", {"id": TYPES["string"]}))
    of_code["incremental_sync"] = {
        "type": "CustomIncrementalSync",
        "class_name": "source_things.components.Own",
        "cursor_field": "id",
    }
    folder.write(document.MANIFEST, yaml.safe_dump(manifest() | {"streams": [of_code]}))
    found = coverage(folder.path)
    assert found.tables == () and found.left_out["orders"].startswith("a cursor of code, source_things.components.Own")


def test_a_cursor_that_parameters_name_is_one_by_itself(folder: Folder) -> None:
    said = coded(stream("orders", {"id": TYPES["string"], "updated": TYPES["timestamptz"]})) | {"$parameters": {"moves": "updated"}}
    said["incremental_sync"]["cursor_field"] = "{{ parameters.get('moves', 'updated_at') }}"
    folder.write(document.MANIFEST, yaml.safe_dump(manifest() | {"streams": [said]}))
    (table,) = coverage(folder.path).tables
    assert (table.cursor, table.mode, table.reads) == ("updated", "MERGE", "what its cursor says is new")


def test_its_options_say_where_it_runs_and_no_grant_rotates(folder: Folder) -> None:
    model = options.model_of("things")
    assert {"secret", "lag", "run", "task_gb"} <= {*model.model_fields} and "rotating_grant" not in model.model_fields
    connection = Connection("c", "things", {"secret": "s", "run": "auto"}, HERE)
    secret = {"url": "http://127.0.0.1", "token": "t"}
    assert options.config_of(connection, secret, document.document_of("things")) == secret


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        ({"requires": ["airbyte_cdk (>=6,<7)", "pendulum (<3)"]}, [TRIED, "pendulum (<3)"]),
        (
            {"connectorBuildOptions": {"baseImage": "docker.io/airbyte/source-declarative-manifest:7.4.0@sha256:0"}},
            ["airbyte-cdk==7.4.0"],
        ),
        ({"connectorBuildOptions": {"baseImage": "docker.io/airbyte/source-declarative-manifest:6.44.0@sha256:0"}}, [TRIED]),
        ({"license": "MIT"}, [TRIED]),
        (None, [TRIED]),
    ],
)
def test_what_it_needs_is_what_its_metadata_says(folder: Folder, data: Any, wanted: list[str]) -> None:
    folder.write("metadata.yaml", yaml.safe_dump({"data": data}))
    assert wanted_of(folder.path) == wanted
