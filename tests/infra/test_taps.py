"""What a program whose project brings taps, and a manifest with code, has deployed: a stack for each, its grants, an image."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from infra.settings import Settings
from language import compile_program
from slices.registry import installed
from systems.singer import options, tap_file
from tests.infra.conftest import ACCOUNT, Templates, synthesise
from tests.infra.test_grants import pairs
from tests.systems.rest.airbyte.test_folder import PINNED
from tests.systems.rest.airbyte.under_test import CodedUnderTest
from tests.systems.rest.things import Things
from tests.systems.singer.test_hostile import ENTRY
from tests.systems.singer.under_test import TAP

pytestmark = [pytest.mark.xdist_group("synth"), pytest.mark.budget(120), pytest.mark.timeout(900), pytest.mark.deep]
IMAGE = f"{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com/taps@sha256:{'0' * 64}"
PROGRAM = """
CREATE WAREHOUSE lake USING iceberg;
CREATE CONNECTION a TO filed WITH (secret = 'a');
CREATE CONNECTION b TO imaged WITH (secret = 'b', run = 'task');
CREATE CONNECTION c TO things WITH (secret = 'c', run = 'auto');
INSERT INTO lake.a.orders EVERY '1 hour' REPLACE AS SELECT id FROM a.orders;
INSERT INTO lake.b.orders EVERY '1 hour' REPLACE AS SELECT id FROM b.orders;
INSERT INTO lake.c.orders EVERY '1 hour' REPLACE AS SELECT id FROM c.thing0;
"""
FILED, IMAGED, CODED = "CollectFiledSlice", "CollectImagedSlice", "CollectThingsSlice"


@pytest.fixture(scope="module")
def templates(app_module: Any, environment: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Templates]:
    project = tmp_path_factory.mktemp("taps")
    for name, said in (("filed", {"run": TAP.name}), ("imaged", {"run": ["/opt/tap/bin/tap"], "image": IMAGE})):
        folder = project / tap_file.folder_of(name)
        folder.mkdir(parents=True)
        shutil.copyfile(TAP, folder / TAP.name)
        (folder / "tap.yaml").write_text(yaml.safe_dump({**said, "secret": ["token"]}))
        (folder / "catalog.json").write_text(json.dumps({"streams": [ENTRY]}))
    things = Things()
    CodedUnderTest(things, project, PINNED).create_table({})
    things.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        for cached in (installed, tap_file.document_of, options.model_of):
            cached.cache_clear()
        program = compile_program({"program.sql": PROGRAM}, installed())
        yield synthesise(app_module, program, Settings(task_image=IMAGE), project / "out").templates
    installed.cache_clear()


def granted(templates: Templates, stack: str, action: str) -> dict[str, set[str]]:
    """Role ▸ what it may do this to."""
    found: dict[str, set[str]] = {}
    for who, allowed, resource in pairs(templates):
        if who.startswith(f"{stack} ") and allowed == action:
            found.setdefault(who.removeprefix(f"{stack} "), set()).add(resource)
    return found


@pytest.mark.parametrize(("stack", "secret"), [(FILED, "a"), (IMAGED, "b"), (CODED, "c")])
def test_a_taps_roles_read_its_connections_secret_and_no_other(templates: Templates, stack: str, secret: str) -> None:
    found = granted(templates, stack, "secretsmanager:GetSecretValue")
    steps = {"PlanRole", "ExtractRole", "DiscoverRole"} | ({"TasksExtractRole"} if stack != FILED else set())
    assert set(found) == steps
    assert all(f":secret:atoll/{secret}-" in one for resources in found.values() for one in resources), found


@pytest.mark.parametrize(("stack", "system"), [(FILED, "filed"), (IMAGED, "imaged"), (CODED, "things")])
def test_a_taps_roles_write_below_its_own_prefix_alone(templates: Templates, stack: str, system: str) -> None:
    found = granted(templates, stack, "s3:PutObject")
    assert found and all(f"/staging/collect.{system}/*" in one for resources in found.values() for one in resources), found


def test_an_image_of_its_own_is_what_its_tasks_run_in_and_is_pulled_from_its_repository(templates: Templates) -> None:
    resources = templates[IMAGED]["Resources"].values()
    (task,) = (one["Properties"] for one in resources if one["Type"] == "AWS::ECS::TaskDefinition")
    (container,) = task["ContainerDefinitions"]
    assert container["Image"] == IMAGE
    (pulled,) = granted(templates, IMAGED, "ecr:BatchGetImage").values()
    assert [one.endswith(":repository/taps") for one in pulled] == [True]
    assert not [one for one in templates[FILED]["Resources"].values() if one["Type"].startswith("AWS::ECS")]
