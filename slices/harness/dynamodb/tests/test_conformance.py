"""The slice does what every harness slice does, as far as it declares it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from shared_metadata.program.schema import SchemaColumn
from slices.harness.dynamodb.tests.under_test import Target, under_test
from tests.conformance.fixtures import Cloud
from tests.conformance.harness import CARRIERS, HarnessConformance, Limits, Way


@pytest.fixture
def target() -> Iterator[Target]:
    with under_test() as found:
        yield found


class TestConformance(HarnessConformance):
    """The table is its user's: it is there before anything is published."""

    limits = Limits(infinity=False, doubles=(1e-130, 9.99e125))

    def way(self, cloud: Cloud, target: Any, shape: Sequence[SchemaColumn] = CARRIERS, **more: Any) -> Way:
        way = super().way(cloud, target, shape, **more)
        target.shape = tuple(shape)
        if not target.is_there:
            target.create([*(column for column in shape if column.name in way.flow.key)], way.flow.key)
        return way
