"""One synthesis of all stacks for the whole session: it takes longer than all tests over it together."""

import importlib.util
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from infra.bundling import PROJECT
from infra.settings import Settings
from language import compile_program
from shared_metadata.program import Program
from slices.registry import installed

ACCOUNT, REGION = "111122223333", "eu-central-1"
CONTEXT = json.loads((PROJECT / "cdk.json").read_text())["context"] | {"aws:cdk:bundling-stacks": []}
Templates = Mapping[str, dict[str, Any]]


@pytest.fixture(scope="session")
def program() -> Program:
    return compile_program({"program.sql": Path(__file__).with_name("program.sql").read_text()}, installed())


@pytest.fixture(scope="session")
def app_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("app", PROJECT / "app.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDK_DEFAULT_ACCOUNT", ACCOUNT)
        patch.setenv("CDK_DEFAULT_REGION", REGION)
        patch.setenv("JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION", "1")
        yield


def synthesise(app_module: ModuleType, program: Program, settings: Settings, folder: Path) -> Templates:
    """Stack name ▸ template. Fails on any finding of cdk-nag that is not acknowledged."""
    app_module.make_app(program, settings, outdir=str(folder), context=CONTEXT).synth()
    return {f.name.split(".")[0]: json.loads(f.read_text()) for f in sorted(folder.glob("*.template.json"))}


@pytest.fixture(scope="session")
def templates(app_module: ModuleType, program: Program, environment: None, tmp_path_factory: pytest.TempPathFactory) -> Templates:
    return synthesise(app_module, program, Settings(), tmp_path_factory.mktemp("assembly"))


@pytest.fixture(scope="session")
def vpc_templates(app_module: ModuleType, program: Program, environment: None, tmp_path_factory: pytest.TempPathFactory) -> Templates:
    return synthesise(app_module, program, Settings(own_vpc=True), tmp_path_factory.mktemp("vpc-assembly"))


@pytest.fixture(scope="session")
def owners_vpc_templates(
    app_module: ModuleType, program: Program, environment: None, tmp_path_factory: pytest.TempPathFactory
) -> Templates:
    settings = Settings(vpc_id="vpc-1", subnet_ids=("subnet-1", "subnet-2"))
    return synthesise(app_module, program, settings, tmp_path_factory.mktemp("owners-vpc-assembly"))
