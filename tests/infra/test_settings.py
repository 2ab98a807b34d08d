"""What is set from outside when the stacks are made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.concurrency import Ceilings, of_functions
from infra.embedded.aws import client_environment
from infra.embedded.state import Folders
from infra.settings import OPTIONS, Settings


def test_whoever_talks_to_the_embedded_aws_leaves_out_what_its_functions_find_beside_them(tmp_path: Path) -> None:
    assert Settings.of_context({}.get, client_environment(Folders(tmp_path), 4566)).host_dependencies
    assert not Settings.of_context({}.get, {}).host_dependencies


@pytest.mark.parametrize(
    ("context", "environment", "cause"),
    [
        ({}, {"ATOLL_DEPENDENCIES": "docker"}, "ATOLL_DEPENDENCIES=docker: accepted are bundled and host"),
        ({"vpcId": "vpc-1"}, {}, "belong together"),
        ({"vpcId": "vpc-1", "subnetIds": "subnet-1", "vpc": "true"}, {}, "give one of the two"),
        ({"vpc": "yes"}, {}, "vpc=yes: accepted are true and false"),
        ({"keepData": "maybe"}, {}, "keepData=maybe"),
        ({"prefix": "9 lives"}, {}, "prefix=9 lives: accepted is a letter"),
        ({"vpcCidr": "10.0.0.0/28"}, {}, "vpcCidr"),
        ({"tags": "team"}, {}, "tags=team"),
        ({"concurrency": "many"}, {}, "concurrency=many"),
        ({"concurrencyOf": "organize.iceberg=x"}, {}, "concurrencyOf=x"),
    ],
)
def test_what_does_not_fit_is_named(context: Mapping[str, str], environment: Mapping[str, str], cause: str) -> None:
    with pytest.raises(ValueError, match=cause):
        Settings.of_context(context.get, environment)


def test_each_option_is_read_and_no_other() -> None:
    asked: list[str] = []

    def get(name: str) -> None:
        asked.append(name)

    assert Settings.of_context(get, {}) == Settings()
    assert {*asked, "program"} == set(OPTIONS)


def test_options_become_settings() -> None:
    context = {
        "prefix": "Analytics",
        "tags": "team=data,cost-center=42",
        "keepData": "false",
        "concurrency": "100",
        "concurrencyOf": "organize.iceberg=40",
        "vpcCidr": "10.20.0.0/16",
    }
    found = Settings.of_context(context.get, {})
    assert (found.stack_name("Conductor"), found.tags, found.keep_data) == (
        "Analytics-Conductor",
        {"team": "data", "cost-center": "42"},
        False,
    )
    assert found.ceilings == Ceilings(100, {"organize.iceberg": 40}) and found.vpc_cidr == "10.20.0.0/16"
    assert Settings(prefix="").stack_name("Conductor") == "Conductor"


@pytest.mark.parametrize(
    ("ceilings", "expected"),
    [
        (Ceilings(), {}),
        (Ceilings(0, {"a": 7}), {"a": 7}),
        (Ceilings(20), {"a": 9, "b": 8, "conductor": 3}),
        (Ceilings(20, {"a": 5}), {"a": 5, "b": 12, "conductor": 3}),
    ],
)
def test_a_ceiling_is_shared_out_and_never_passed(ceilings: Ceilings, expected: Mapping[str, int]) -> None:
    found = ceilings.of(["a", "b"])
    assert found == expected
    assert not ceilings.installation or sum(found.values()) == ceilings.installation


def test_a_slices_functions_share_its_ceiling() -> None:
    assert of_functions(10, "a", ["plan", "load", "commit"], ["landed"]) == {"landed": 1, "plan": 3, "load": 3, "commit": 3}
    with pytest.raises(ValueError, match="need 4 at least"):
        of_functions(3, "a", ["plan", "load", "commit"], ["landed"])


@pytest.mark.parametrize(
    ("ceilings", "cause"),
    [(Ceilings(3), "need 5 at least"), (Ceilings(9, {"c": 1}), "concurrencyOf=c"), (Ceilings(9, {"a": 8}), "need 12")],
)
def test_a_ceiling_that_leaves_nothing_for_somebody_is_refused(ceilings: Ceilings, cause: str) -> None:
    with pytest.raises(ValueError, match=cause):
        ceilings.of(["a", "b"])
