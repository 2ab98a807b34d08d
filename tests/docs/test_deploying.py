"""docs/deploying.md says of a VPC what the slices declare, and what of their stacks stays outside of one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from console.cdk_app import ENDPOINTS, IMAGES, _endpoint_names
from shared_metadata.contract.declaration import Slice
from slices.registry import installed

ROOT = Path(__file__).parents[2]
PRIVATE = (ROOT / "docs" / "deploying.md").read_text().partition("\n## A private database\n")[2].partition("\n## ")[0]
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
