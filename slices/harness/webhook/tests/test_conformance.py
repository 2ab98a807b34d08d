"""The slice does what every harness slice does, as far as it declares it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from doubles.webhook.application import Application
from doubles.webhook.server import served
from shared_metadata.program import Mode
from shared_metadata.program.schema import SchemaColumn
from slices.harness.webhook.tests.under_test import Target
from tests.conformance.fixtures import Cloud
from tests.conformance.harness import CARRIERS, HarnessConformance, Way


@pytest.fixture
def target() -> Iterator[Target]:
    application = Application()
    with served(application) as url:
        yield Target(application, url)


class TestConformance(HarnessConformance):
    """The application tells rows apart by the flow's key; where there is none it adds them."""

    def way(self, cloud: Cloud, target: Any, shape: Sequence[SchemaColumn] = CARRIERS, **more: Any) -> Way:
        target.shape = tuple(shape)
        target.application.key = () if more.get("mode") == Mode.APPEND else more.get("key", ("carrier",))
        return super().way(cloud, target, shape, **more)
