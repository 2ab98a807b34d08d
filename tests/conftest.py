"""What every suite shares: one embedded AWS for all tests of a session that ask for it."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.embedded import LocalStack, down, up
from infra.embedded.ports import free_port
from tests.background import ended_by


@pytest.fixture(scope="session")
def local_aws() -> Iterator[LocalStack]:
    """A fresh embedded AWS with PostgreSQL; tests that use it carry `@pytest.mark.xdist_group("emulator")`."""
    yield from fresh_aws()


@pytest.fixture(scope="module")
def own_aws() -> Iterator[LocalStack]:
    """One for a module alone, which deploys stacks into it; such a module is an xdist group of its own."""
    yield from fresh_aws()


def fresh_aws() -> Iterator[LocalStack]:
    """Not in pytest's folder: its next session, of whatever project, closes it to all others, as whom PostgreSQL runs for root."""
    root = Path(tempfile.mkdtemp(prefix="atoll-aws-"))
    stop = f"import pathlib, infra.embedded; infra.embedded.down(pathlib.Path({str(root)!r}))"
    with ended_by([sys.executable, "-c", stop], Path(__file__).parents[1]):
        try:
            yield up(root, port=free_port())
        finally:
            down(root)
            shutil.rmtree(root, ignore_errors=True)
