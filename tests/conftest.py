"""What every suite shares: one embedded AWS for all tests of a session that ask for it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.embedded import LocalStack, down, up
from infra.embedded.ports import free_port
from tests.background import ended_by


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A fresh embedded AWS with PostgreSQL; tests that use it carry `@pytest.mark.xdist_group("emulator")`."""
    yield from fresh_aws(tmp_path_factory)


@pytest.fixture(scope="module")
def own_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """One for a module alone, which deploys stacks into it; such a module is an xdist group of its own."""
    yield from fresh_aws(tmp_path_factory)


def fresh_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    root = tmp_path_factory.mktemp("local-aws")
    stop = f"import pathlib, infra.embedded; infra.embedded.down(pathlib.Path({str(root)!r}))"
    with ended_by([sys.executable, "-c", stop], Path(__file__).parents[1]):
        try:
            yield up(root, port=free_port())
        finally:
            down(root)
