"""docs/deploying.md says of a VPC what the slices declare, of Lake Formation whose roles it concerns."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conductor.environment import MAX_RUNNING
from console.cdk_app import ENDPOINTS, IMAGES, _endpoint_names
from infra.settings import DEFAULT_CIDR, LOG_DAYS, Settings
from infra.sizes import MEMORY_MB, TMP_MB
from shared_metadata.contract.declaration import Slice
from slices.registry import installed

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "deploying.md").read_text()
PRIVATE = PAGE.partition("\n## A private database\n")[2].partition("\n## ")[0]
LAKE_FORMATION = PAGE.partition("\n## Lake Formation\n")[2].partition("\n## ")[0]
GRANTS = (ROOT / "tests" / "infra" / "grants.txt").read_text()
ROWS = [(names, why) for why, names in re.findall(r"^\| (.*) \| ((?:`[a-z.-]+`(?:, )?)+) \|$", PRIVATE, re.MULTILINE)]
COSTS = PAGE.partition("\n## What it costs\n")[2].partition("\n## ")[0]
SLICES = {one.id: one for one in installed().values()}


def test_each_endpoint_that_a_slice_needs_is_named_and_no_other() -> None:
    named = [name for names, _ in ROWS for name in re.findall("`(.*?)`", names)]
    needed = {name for one in SLICES.values() for name in _endpoint_names(one)}
    assert sorted(named) == sorted({*needed, *IMAGES, *(name for names in ENDPOINTS.values() for name in names)})


@pytest.mark.parametrize("id", sorted(id for id, one in SLICES.items() if one.services and one.services != ("glue",)))
def test_a_slice_s_endpoint_says_whose_it_is(id: str) -> None:
    told = {name: why for names, why in ROWS for name in re.findall("`(.*?)`", names)}
    for name in _endpoint_names(SLICES[id]):
        assert f"`{id.replace('.', '/')}`" in told[name] or name == "glue"


@pytest.mark.parametrize("id", sorted(id for id, one in SLICES.items() if not one.code))
def test_what_stays_outside_of_a_vpc_is_named(id: str) -> None:
    outside = PRIVATE.partition("What is on the internet")[2]
    assert _outside(SLICES[id]) == (f"`{id.replace('.', '/')}`" in outside)


def _outside(declaration: Slice) -> bool:
    stack = ROOT / declaration.package.replace(".", "/") / "stack.py"
    return bool(re.search(r"reaches_internet\"?(=|: )True", stack.read_text()))


def test_each_stack_whose_roles_use_the_catalog_is_named_for_lake_formation() -> None:
    using = set(re.findall(r"^(\w+) [^|]*\|[^|]*\|.* glue:\w+", GRANTS, re.MULTILINE))
    assert using == set(re.findall(r"`Atoll-(\w+)`", LAKE_FORMATION)) and len(using) > 1


def test_each_kind_of_grant_that_lake_formation_checks_is_given() -> None:
    given = set(re.findall(r"--resource '{\"(\w+)\"", LAKE_FORMATION))
    assert given == {"Database", "Table", "DataLocation"} and "CREATE_DATABASE" not in LAKE_FORMATION, "they are made beforehand"


def _option(name: str) -> tuple[str, str]:
    """An option's default, and what it does, as the page has them."""
    (found,) = re.findall(rf"^\| `{name}` \| (.*?) ?\| (.*) \|$", PAGE, re.MULTILINE)
    return found


def test_the_options_have_the_defaults_that_the_page_tells() -> None:
    parts = ", ".join(f"{id}={one.capabilities.part_mb}" for id, one in sorted(SLICES.items()) if one.capabilities.part_mb)
    defaults = {"prefix": Settings.prefix, "vpcCidr": DEFAULT_CIDR, "logDays": Settings.log_days, "running": MAX_RUNNING}
    for name, value in {**defaults, "partOf": parts}.items():
        assert _option(name)[0] == f"`{value}`"
    assert re.findall(r"\d+", _option("logDays")[1]) == [str(days) for days in LOG_DAYS]
    for name, sizes in {"memoryOf": MEMORY_MB, "tmpOf": TMP_MB}.items():
        assert f"{sizes[0]} to {sizes[-1]:,}" in _option(name)[1]


def test_what_it_costs_stands_in_the_benchmarks() -> None:
    figures, benchmarks = re.findall(r"\b\d\.\d\d\b", COSTS), (ROOT / "docs" / "benchmarks.md").read_text()
    assert len(figures) >= 4 and [figure for figure in figures if f"{figure} $" not in benchmarks] == []
