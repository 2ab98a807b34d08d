"""Stacks of sources that are a manifest differ by their names only, so that what is said of one holds for all."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

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
    text = "CREATE WAREHOUSE lake USING iceberg;\n"
    for system in (name.partition(".")[2] for name in SYSTEMS):
        table = next(iter(document_of(system)["streams"]))
        text += f"CREATE CONNECTION {system}_code TO {system} WITH ({options(system)});\n"
        text += f"INSERT INTO lake.{system} FROM {system}_code TABLES ({table}) EVERY '1 hour' {how(system, table)};\n"
    found = synthesise(app_module, compile_program({"program.sql": text}, installed()), PLAIN, tmp_path).templates
    reviewed = of_one(templates, OF_MANIFESTS, "code")
    assert len(reviewed) > 20
    for name in SYSTEMS:
        assert of_one(found, name, f"{name.partition('.')[2]}_code") == reviewed, name


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
