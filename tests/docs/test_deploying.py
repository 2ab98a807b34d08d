"""docs/deploying.md says of a VPC what the slices declare, of Lake Formation whose roles it concerns."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from console.cdk_app import ENDPOINTS, IMAGES, _endpoint_names
from shared_metadata.contract.declaration import Slice
from slices.registry import installed

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "deploying.md").read_text()
PRIVATE = PAGE.partition("\n## A private database\n")[2].partition("\n## ")[0]
LAKE_FORMATION = PAGE.partition("\n## Lake Formation\n")[2].partition("\n## ")[0]
GRANTS = (ROOT / "tests" / "infra" / "grants.txt").read_text()
ROWS = [(names, why) for why, names in re.findall(r"^\| (.*) \| ((?:`[a-z.-]+`(?:, )?)+) \|$", PRIVATE, re.MULTILINE)]
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
