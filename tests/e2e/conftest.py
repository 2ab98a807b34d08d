"""One deployed airline for all modules that ask for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from examples.airline import crm
from examples.airline.demo import Demo
from tests.conftest import fresh_aws
from tests.e2e.test_airline import Deployed


@pytest.fixture(scope="package")
def airline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """Tests that use it carry `@pytest.mark.xdist_group("airline")`, and leave its sources, secrets and program as they were."""
    folder = tmp_path_factory.mktemp("crm")
    try:
        for stack in fresh_aws(tmp_path_factory):
            yield Deployed(Demo(stack, folder))
    finally:
        crm.down(folder)
