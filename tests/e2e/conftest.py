"""One deployed airline for all modules that ask for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.airline import crm
from examples.airline.demo import Demo
from tests.background import fresh_aws
from tests.e2e.canaries import Planted


@pytest.fixture(scope="package")
def airline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    """Tests that use it carry `@pytest.mark.xdist_group("airline")`, and leave its sources, secrets and program as they were."""
    folder = tmp_path_factory.mktemp("crm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATOLL_FUNCTION_ENVIRONMENTS", "1")  # each further one takes seconds of a core to begin
        yield from _planted(folder)


def _planted(folder: Path) -> Iterator[Planted]:
    try:
        with fresh_aws() as stack:
            yield Planted(Demo(stack, folder))
    finally:
        crm.down(folder)
