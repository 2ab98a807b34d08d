"""Real bundles: each imports its handlers with nothing but its own files beside it, and fits into a Lambda function."""

import json
import platform
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

import botocore
import pytest

from infra import bill_of_materials
from infra.apart import BundleError
from infra.bundling import LAMBDA, NEEDS_OWN_BOTOCORE, PROJECT, RUNTIME_PACKAGES, Bundle, Platform, compiler
from infra.pruning import prune
from infra.settings import Settings
from infra.slice_bundle import made_beside, slice_bundle
from slices.registry import installed
from tests.infra.looked_at import looked_at

REQUIREMENTS = PROJECT / "conductor" / "requirements.txt"
UNZIPPED_LIMIT = 250 * 1024 * 1024  # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
HOST = Platform(f"{platform.machine()}-manylinux_2_28", f"{sys.version_info.major}.{sys.version_info.minor}")
ROOM = 10_000_000  # for the next versions of what is in it
DATA_MODULES = ("pyarrow", "duckdb", "pyiceberg")


def bundles() -> Iterator[tuple[Bundle, str]]:
    """Every bundle that is deployed, and the module of its handlers."""
    yield Bundle("conductor", ("shared_metadata", "conductor"), REQUIREMENTS, data=False), "conductor.handlers"
    for declaration in looked_at().values():
        for data in (False, True):
            yield slice_bundle(declaration, Settings(), data=data), f"{declaration.package}.handlers"


def case(bundle: Bundle, handlers: str, *, deep: bool):
    marks = [
        pytest.mark.xdist_group(bundle.name),
        *([pytest.mark.deep, pytest.mark.nightly(8), pytest.mark.budget(30)] if deep else []),
    ]
    return pytest.param(bundle, handlers, id=bundle.name, marks=marks)


# The conductor's and one slice's; those with the libraries for data are a hundred megabytes each to unpack.
CASES = [case(*found, deep=number > 1) for number, found in enumerate(bundles())]


def test_what_is_marked_as_of_rows_is_in_no_bundle_of_control_functions(tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("pydantic==2.0  # of rows and all else\nkeeper==1.0 # rows\nduckdb==1.5\n# rows\n")
    control, data = (Bundle("own", (), requirements, data).wanted for data in (False, True))
    assert (control, data) == (("pydantic==2.0",), ("pydantic==2.0", "keeper==1.0", "duckdb==1.5"))


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Lambda's own Python brings: boto3 and what it needs."""
    import boto3

    packages, folder = Path(boto3.__file__).parents[1], tmp_path_factory.mktemp("runtime")
    modules = {"python-dateutil": "dateutil", "six": "six.py"}
    for name in (modules.get(package, package) for package in RUNTIME_PACKAGES):
        (folder / name).symlink_to(packages / name)
    return folder


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Bundle], Path]:
    """The folder of a bundle for this machine, which nobody changes."""

    @cache
    def unpack(bundle: Bundle) -> Path:
        folder = tmp_path_factory.mktemp("unpacked") / "bundle"
        replace(bundle, platform=HOST).unpack(folder)
        return folder

    return unpack


def run(folder: Path, runtime: Path, code: str) -> str:
    """Runs code that sees the standard library, the bundle and the runtime's packages, and nothing else."""
    start = f"import sys; sys.path[:0] = {[str(folder), str(runtime)]!r}\n"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", start + code], capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("bundle", "handlers"), CASES)
def test_a_bundle_imports_its_handlers_with_nothing_but_its_own_files(bundle, handlers, runtime, unpacked):
    folder = unpacked(bundle)
    client = f"{handlers.rpartition('.')[0]}.client"
    needed = [handlers, client] if bundle.data or handlers.startswith("slices.collect") else [handlers]
    shown = run(folder, runtime, f"import {', '.join(needed)}\nprint(sys.modules[{handlers!r}].__file__)")
    assert shown.startswith(str(folder))


@pytest.mark.parametrize(("bundle", "handlers"), [case for case in CASES if not case.values[0].data])
def test_a_control_bundle_brings_and_loads_nothing_for_data(bundle, handlers, runtime, unpacked):
    folder = unpacked(bundle)
    assert not [name for name in DATA_MODULES if (folder / name).exists()]
    assert (
        run(folder, runtime, f"import {handlers}\nprint([m for m in {(*DATA_MODULES, 'sqlglot')!r} if m in sys.modules])").strip()
        == "[]"
    )


@pytest.mark.parametrize(("bundle", "handlers"), [case for case in CASES if case.values[0].data or "conductor" in case.id])
def test_a_bundle_for_lambda_fits(bundle, handlers, tmp_path):
    folder = tmp_path / "bundle"
    bundle.unpack(folder)
    assert bundle.platform == LAMBDA
    if not compiler(LAMBDA.python):  # where there is one the bundle has compiled files too; they are as large for any version
        subprocess.run([sys.executable, "-m", "compileall", "-q", "-q", str(folder)], check=False, capture_output=True)
        assert next(folder.rglob("*.pyc"), None)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < UNZIPPED_LIMIT - ROOM
    libraries = [path for path in files if path.name.endswith(".so")]
    assert all(path.open("rb").read(20)[18] == 0xB7 for path in libraries), "a library is not for arm64"


@pytest.mark.parametrize("bundle", [pytest.param(bundle, id=bundle.name) for bundle, _ in bundles()])
def test_boto3_and_botocore_come_from_one_place(bundle):
    """Both from the bundle, pinned together, or both from the runtime, which is updated without a deploy."""
    own = {"boto3", "botocore"} - set(bundle.excluded)
    asks_for_botocore = any(line.startswith(NEEDS_OWN_BOTOCORE) for line in bundle.wanted)
    assert own in (set(), {"boto3", "botocore"})
    assert any(line.startswith("boto3==") for line in bundle.wanted) == asks_for_botocore == bool(own)


def test_a_bundle_holds_no_infrastructure_and_no_tests():
    names = [name for bundle, _ in bundles() for _, name in bundle.files()]
    assert "slices/collect/postgres/handlers.py" in names
    assert not [name for name in names if "/tests/" in name or name.endswith(("stack.py", "workflow.py", ".md", ".txt"))]
    assert not [name for name in names if name.startswith(("infra", "language", "console", "tests"))]


def test_the_same_input_gives_the_same_zip(tmp_path, monkeypatch):
    bundle = Bundle("conductor", ("shared_metadata", "conductor"), None, data=False)
    contents = []
    for number in (1, 2):
        monkeypatch.setattr("infra.bundling.BUNDLES", tmp_path / str(number))
        contents.append(bundle.build().read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.security
@pytest.mark.parametrize(("bundle", "handlers"), CASES)
def test_a_bundle_lists_every_package_that_is_in_it(bundle, handlers, unpacked):
    folder = unpacked(bundle)
    document = json.loads((folder / "sbom.cdx.json").read_text())
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    listed = {component["purl"] for component in document["components"]}
    assert listed == {purl(found.name, found.version) for found in distributions(path=[str(folder)])}
    pinned = {purl(*line.split("==")) for line in locked()}
    assert {purl(*re.sub(r"\[.*\]", "", line).split("==")) for line in bundle.wanted} <= listed <= pinned


@pytest.mark.security
def test_a_package_that_is_not_what_the_lock_says_is_not_installed(tmp_path, monkeypatch):
    wrong = re.sub(r"sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", (PROJECT / "requirements.lock").read_text())
    (tmp_path / "wrong.lock").write_text(wrong)
    monkeypatch.setattr("infra.bundling.LOCK", tmp_path / "wrong.lock")
    monkeypatch.setattr("infra.bundling.PACKAGES", tmp_path / "packages")
    bundle = Bundle("conductor", ("conductor",), REQUIREMENTS, data=False)
    with pytest.raises(BundleError, match="Hash mismatch"):
        bundle.unpack(tmp_path / "bundle")


def test_the_bill_of_materials_is_the_same_for_the_same_packages(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, order in ((first, ("b", "a")), (second, ("a", "b"))):
        for name in order:
            (folder / f"{name}-1.0.dist-info").mkdir(parents=True)
            (folder / f"{name}-1.0.dist-info" / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n")
    assert bill_of_materials.of(first) == bill_of_materials.of(second)
    (second / "a-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.4\nName: a\nVersion: 1.1\n")
    assert bill_of_materials.of(first) != bill_of_materials.of(second)


def test_sources_that_are_a_manifest_run_one_bundle_each_beside_its_own_document(tmp_path, monkeypatch):
    monkeypatch.setattr("infra.made.BUNDLES", tmp_path)
    github, stripe = (installed()[name] for name in ("collect.github", "collect.stripe"))
    for data in (False, True):
        bundles = [slice_bundle(one, Settings(), data=data) for one in (github, stripe)]
        assert len({(bundle.name, bundle.digest) for bundle in bundles}) == 1
    zips = [made.build() for one in (github, stripe, github) if (made := made_beside(one))]
    assert len(set(zips)) == 2 and zips.pop() == zips[0]
    names = [zipfile.ZipFile(one).namelist() for one in zips]
    assert names == [[f"python/atoll-made/{system}/manifest.json"] for system in ("github", "stripe")]
    assert max(one.stat().st_size for one in zips) < 1_000_000 and made_beside(installed()["collect.postgres"]) is None


def test_other_code_is_another_bundle():
    conductor, shared = (Bundle("x", code, None, data=False) for code in (("conductor",), ("shared_metadata",)))
    assert conductor.digest != shared.digest


def test_no_requirement_is_unpinned_or_other_than_in_the_lock():
    for bundle, _ in bundles():
        assert not [line for line in bundle.wanted if re.sub(r"\[.*\]", "", line) not in locked()], bundle.name


def locked() -> set[str]:
    return {line.split(" ")[0] for line in (PROJECT / "requirements.lock").read_text().splitlines() if "==" in line}


def purl(name: str, version: str) -> str:
    """https://github.com/package-url/purl-spec/blob/main/types-doc/pypi-definition.md"""
    return f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{version}"


@pytest.mark.parametrize("declaration", looked_at().values(), ids=lambda found: found.id)
def test_a_bundle_keeps_what_describes_the_services_that_its_slice_calls(declaration, tmp_path):
    """Without it a client of the service cannot be made."""
    folder = tmp_path / "botocore" / "data"
    for name in (*declaration.services, "s3", "braket"):
        (folder / name).mkdir(parents=True)
    prune(tmp_path, slice_bundle(declaration, Settings(), data=True).services)
    assert {path.name for path in folder.iterdir()} == {*declaration.services, "s3"}
    assert {path.name for path in (Path(botocore.__file__).parent / "data").iterdir()} >= set(declaration.services)
