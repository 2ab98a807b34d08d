"""Stacks of sources that are a manifest differ by their names only, so that what is said of one holds for all."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from infra.settings import Settings
from language import compile_program
from slices.registry import installed
from systems.rest.document import document_of
from tests.infra.conftest import PLAIN, synthesise
from tests.infra.looked_at import OF_MANIFESTS, looked_at
from tests.infra.test_grants import grants

pytestmark = [pytest.mark.xdist_group("synth"), pytest.mark.deep, pytest.mark.budget(300)]
SYSTEMS = sorted({OF_MANIFESTS, *(set(installed()) - set(looked_at()))})


def test_the_grants_of_each_are_those_of_the_one_that_was_reviewed(
    app_module: ModuleType, environment: None, tmp_path: Path, templates: Any
) -> None:
    text = "CREATE WAREHOUSE lake USING iceberg;\n" + "".join(over(name.partition(".")[2]) for name in SYSTEMS)
    found = synthesise(app_module, compile_program({"program.sql": text}, installed()), PLAIN, tmp_path).templates
    reviewed = of_one(templates, OF_MANIFESTS, "code")
    assert len(reviewed) > 20
    for name in SYSTEMS:
        assert of_one(found, name, f"{name.partition('.')[2]}_code") == reviewed, name


def test_the_stacks_of_two_differ_by_a_layer_that_gives_each_its_document(
    app_module: ModuleType, environment: None, tmp_path: Path
) -> None:
    """Without packages, which the functions of neither have of their own."""
    stacks = {system: installed()[f"collect.{system}"].stack_name for system in ("slack", "stripe")}
    program = compile_program({"program.sql": "CREATE WAREHOUSE lake USING iceberg;\n" + "".join(map(over, stacks))}, installed())
    context = {"aws:cdk:bundling-stacks": [*stacks.values()]}
    app_module.make_app(program, Settings(host_dependencies=True), outdir=str(tmp_path), context=context).synth()
    codes, layers = {}, {}
    for system, stack in stacks.items():
        found = json.loads((tmp_path / f"{stack}.template.json").read_text())["Resources"].values()
        made = [one["Properties"] for one in found if one["Type"] == "AWS::Lambda::Function"]
        codes[system] = sorted((one["Handler"], one["Code"]["S3Key"]) for one in made)
        (layer,) = [one["Properties"] for one in found if one["Type"] == "AWS::Lambda::LayerVersion"]
        layers[system] = layer["Content"]["S3Key"]
        assert len(made) == 4 and all(len(one["Layers"]) == 1 for one in made)
    assert codes["slack"] == codes["stripe"] and layers["slack"] != layers["stripe"]
    for system, others in (("slack", "stripe"), ("stripe", "slack")):
        assert told_in_a_function(tmp_path, codes[system][0][1], layers[system], system) == sorted(document_of(system)["streams"])
        assert "RetryLater: " in told_in_a_function(tmp_path, codes[system][0][1], layers[others], system)


def told_in_a_function(assembly: Path, code: str, layer: str, system: str) -> Any:
    """The streams of the document that a function finds with this code and this layer, or its error."""
    paths = []
    for name, inside in ((code, ""), (layer, "python")):
        folder = assembly / f"unpacked-{name}"
        if not folder.exists():
            zipfile.ZipFile(assembly / f"asset.{name}").extractall(folder)
        paths.append(str(folder / inside))
    asked = f"import sys, json; sys.path[:0] = {paths!r}\nfrom systems.rest.document import document_of\n"
    asked += f"print(json.dumps(sorted(document_of({system!r})['streams'])))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=False, cwd=assembly)
    return json.loads(done.stdout) if not done.returncode else done.stderr


def over(system: str) -> str:
    """Statements over a source's first table."""
    table = next(iter(document_of(system)["streams"]))
    said = f"CREATE CONNECTION {system}_code TO {system} WITH ({options(system)});\n"
    return f"{said}INSERT INTO lake.{system} FROM {system}_code TABLES ({table}) EVERY '1 hour' {how(system, table)};\n"


def options(system: str) -> str:
    """What a connection says at least."""
    spec = document_of(system)["spec"]
    plain = (name for name in spec.get("required") or [] if not spec["properties"][name].get("airbyte_secret"))
    return ", ".join(["secret = '" + system + "_code'", *(f"{name} = 'x'" for name in plain)])


def how(system: str, table: str) -> str:
    only = (document_of(system)["tables"].get(table) or {}).get("only") == "MERGE"
    stream = document_of(system)["streams"][table]
    return f"MERGE ON (id) CURSOR {stream['incremental_sync']['cursor_field']}" if only else "REPLACE"


def of_one(templates: Any, name: str, secret: str) -> list[str]:
    """The grants of a source's roles, as if it and its secret were called otherwise."""
    declared = installed()[name]
    lines = grants({declared.stack_name: templates[declared.stack_name]}, {})
    plain = (json.dumps(line).replace(f"atoll/{secret}-", "atoll/SECRET-").replace(declared.stack_name, "STACK") for line in lines)
    return sorted(line.replace(name, "collect.NAME").replace(name.replace(".", "-"), "collect-NAME") for line in plain)
