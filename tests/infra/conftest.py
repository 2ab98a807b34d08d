"""One synthesis of all stacks for the whole session: it takes longer than all tests over it together."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from infra.concurrency import Ceilings
from infra.settings import Settings
from infra.sizes import Sizes
from language import compile_program
from shared_metadata.program import Program
from slices.registry import installed

ACCOUNT, REGION = "111122223333", "eu-central-1"
CONTEXT: Mapping[str, Any] = {"aws:cdk:bundling-stacks": []}
Templates = Mapping[str, dict[str, Any]]


@pytest.fixture(scope="session")
def program() -> Program:
    return compile_program({"program.sql": Path(__file__).with_name("program.sql").read_text()}, installed())


@pytest.fixture(scope="session")
def app_module() -> ModuleType:
    from console import cdk_app

    return cdk_app


@pytest.fixture(scope="session")
def environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDK_DEFAULT_ACCOUNT", ACCOUNT)
        patch.setenv("CDK_DEFAULT_REGION", REGION)
        patch.setenv("JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION", "1")
        yield


@dataclass(frozen=True)
class Assembly:
    """What one synthesis wrote."""

    folder: Path

    @property
    def templates(self) -> Templates:
        """Stack ▸ template."""
        return {f.name.split(".")[0]: json.loads(f.read_text()) for f in sorted(self.folder.glob("*.template.json"))}

    @property
    def stacks(self) -> Mapping[str, dict[str, Any]]:
        """Stack ▸ what the CDK's command is told of it: its name in CloudFormation, its tags, whether it is protected."""
        found = json.loads((self.folder / "manifest.json").read_text())["artifacts"]
        return {name: one["properties"] for name, one in found.items() if one["type"] == "aws:cloudformation:stack"}


def synthesise(app_module: ModuleType, program: Program, settings: Settings, folder: Path) -> Assembly:
    """Fails on any finding of cdk-nag that is not acknowledged."""
    app_module.make_app(program, settings, outdir=str(folder), context=CONTEXT).synth()
    return Assembly(folder)


PRIVATE_IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/ecr-public/lambda/python@sha256:{'0' * 64}"
# Every option that changes what is deployed stands in one of these four.
PLAIN = Settings()
OWN_VPC = Settings(own_vpc=True, vpc_cidr="10.20.0.0/16")
EVERY_OTHER = Settings(
    prefix="Analytics",
    vpc_id="vpc-0123456789abcdef0",
    subnet_ids=("subnet-0123456789abcdef0", "subnet-0123456789abcdef1"),
    key_arn=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    keep_data=False,
    permissions_boundary="developers",
    tags={"team": "data", "cost-center": "42"},
    ceilings=Ceilings(200, {"organize.iceberg": 40}),
    sizes=Sizes({"organize.iceberg": 2560, "organize.iceberg.refresh": 3000}, {"organize.iceberg": 8192}, {"collect.postgres": 1024}),
)
# Of a program that asks for tasks, which have resources of their own.
TASKS = Settings(own_vpc=True, task_image=PRIVATE_IMAGE, log_days=90, running=200)


@pytest.fixture(scope="session")
def tasks_program() -> Program:
    return compile_program({"program.sql": Path(__file__).with_name("tasks.sql").read_text()}, installed())


@pytest.fixture(scope="session")
def assembly(app_module: ModuleType, program: Program, environment: None, tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    return synthesise(app_module, program, PLAIN, tmp_path_factory.mktemp("assembly"))


@pytest.fixture(scope="session")
def vpc_assembly(app_module: ModuleType, program: Program, environment: None, tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    return synthesise(app_module, program, OWN_VPC, tmp_path_factory.mktemp("vpc-assembly"))


@pytest.fixture(scope="session")
def other_assembly(app_module: ModuleType, program: Program, environment: None, tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    return synthesise(app_module, program, EVERY_OTHER, tmp_path_factory.mktemp("other-assembly"))


@pytest.fixture(scope="session")
def tasks_assembly(
    app_module: ModuleType, tasks_program: Program, environment: None, tmp_path_factory: pytest.TempPathFactory
) -> Assembly:
    return synthesise(app_module, tasks_program, TASKS, tmp_path_factory.mktemp("tasks-assembly"))


@pytest.fixture(scope="session")
def templates(assembly: Assembly) -> Templates:
    return assembly.templates


@pytest.fixture(scope="session")
def vpc_templates(vpc_assembly: Assembly) -> Templates:
    return vpc_assembly.templates


@pytest.fixture(scope="session")
def other_templates(other_assembly: Assembly) -> Templates:
    return other_assembly.templates
