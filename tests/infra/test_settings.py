"""What is set from outside when the stacks are made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.embedded.aws import client_environment
from infra.embedded.state import Folders
from infra.settings import Settings


def test_whoever_talks_to_the_embedded_aws_leaves_out_what_its_functions_find_beside_them(tmp_path: Path) -> None:
    assert Settings.of_context({}.get, client_environment(Folders(tmp_path), 4566)).host_dependencies
    assert not Settings.of_context({}.get, {}).host_dependencies


@pytest.mark.parametrize(
    ("context", "environment", "cause"),
    [
        ({}, {"ATOLL_DEPENDENCIES": "docker"}, "ATOLL_DEPENDENCIES=docker: accepted are bundled and host"),
        ({"vpcId": "vpc-1"}, {}, "belong together"),
        ({"vpcId": "vpc-1", "subnetIds": "subnet-1", "vpc": "true"}, {}, "give one of the two"),
    ],
)
def test_what_does_not_fit_is_named(context: Mapping[str, str], environment: Mapping[str, str], cause: str) -> None:
    with pytest.raises(ValueError, match=cause):
        Settings.of_context(context.get, environment)
