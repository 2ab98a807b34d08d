"""What every suite shares: one embedded AWS for all tests of a session that ask for it."""

from collections.abc import Iterator

import pytest

from infra.embedded import EmbeddedAws
from tests.background import fresh_aws


@pytest.fixture(scope="session")
def local_aws() -> Iterator[EmbeddedAws]:
    """A fresh embedded AWS with PostgreSQL; tests that use it carry `@pytest.mark.xdist_group("emulator")`."""
    with fresh_aws() as stack:
        yield stack


@pytest.fixture(scope="module")
def own_aws() -> Iterator[EmbeddedAws]:
    """One for a module alone, which deploys stacks into it; such a module is an xdist group of its own."""
    with fresh_aws() as stack:
        yield stack
