"""The rules of the layout that imports alone do not show."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("language", "shared_metadata", "systems", "conductor", "slices", "infra", "console")
SKELETON = [
    "README.md",
    "slice.py",
    "config.py",
    "logic.py",
    "client.py",
    "handlers.py",
    "workflow.py",
    "stack.py",
    "requirements.txt",
    "tests",
]
SLICES = sorted(file.parent for file in (ROOT / "slices").glob("*/*/slice.py"))
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc", "manager", "base"}
MAY_IMPORT_THE_CDK = re.compile(r"(^console/cdk_app\.py|/stack\.py|^infra/[^/]+\.py|^conductor/stack\.py)$")


def sources() -> list[Path]:
    return [file for package in PACKAGES for file in (ROOT / package).rglob("*.py") if "tests" not in file.parts]


def imported(file: Path) -> set[str]:
    """Top-level names of every module that the file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def test_every_slice_has_the_same_files() -> None:
    missing = [f"{s.relative_to(ROOT)}/{name}" for s in SLICES for name in SKELETON if not (s / name).exists()]
    assert SLICES and not missing


def test_a_slices_folder_is_its_registration() -> None:
    from slices.registry import installed

    of_manifests = [file.parent for file in (ROOT / "slices").glob("*/*/manifest.yaml")]
    assert of_manifests and set(installed()) == {f"{s.parent.name}.{s.name}" for s in (*SLICES, *of_manifests)}


def test_only_stacks_infra_and_the_app_import_the_cdk() -> None:
    strange = [
        str(file.relative_to(ROOT))
        for file in sources()
        if imported(file) & {"aws_cdk", "constructs", "cdk_nag"} and not MAY_IMPORT_THE_CDK.search(str(file.relative_to(ROOT)))
    ]
    assert strange == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [str(file) for file in sources() if file.stem in FORBIDDEN_NAMES] == []


def test_every_module_opens_with_a_sentence() -> None:
    assert [str(f.relative_to(ROOT)) for f in sources() if not ast.get_docstring(ast.parse(f.read_text()))] == []


@pytest.mark.parametrize("folder", SLICES, ids=lambda s: f"{s.parent.name}.{s.name}")
def test_declaring_a_slice_is_cheap(folder: Path) -> None:
    module = f"slices.{folder.parent.name}.{folder.name}.slice"
    code = (
        f"import sys, {module}; heavy = {{'boto3', 'aws_cdk', 'sqlglot', 'duckdb', 'pyarrow', 'psycopg', 'pydantic'}};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_imports_point_one_way() -> None:
    found = subprocess.run([Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


def test_product_imports_only_what_its_users_install() -> None:
    """Of what is on the path here much belongs to the tests, or to the extra `local` that the embedded AWS needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    installed, extra = ({normal(name) for name in n} for n in (project["dependencies"], project["optional-dependencies"]["local"]))
    # brought by the package that has to agree with it
    installed |= {"botocore", "jsii", "s3fs", "packageurl-python"}
    installed |= {"pyspark"}  # of a job's program, which runs where Spark is
    apart = {"airbyte-cdk", "requests"}  # of the program of a process that has them
    distributions, strange = packages_distributions(), set()
    for file in sources():
        allowed = installed | (extra if "embedded" in file.parts else apart if "runner" in file.parts else set())
        for name in imported(file) - set(PACKAGES) - set(sys.stdlib_module_names):
            brought_by = {normal(found) for found in distributions.get(name, [name])}
            if not brought_by & allowed and not name.startswith("mypy_boto3"):
                strange.add(f"{file.relative_to(ROOT)}: {name}")
    assert not strange


def normal(requirement: str) -> str:
    """The name of a distribution as indexes know it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~ ]", requirement)[0]).lower()
