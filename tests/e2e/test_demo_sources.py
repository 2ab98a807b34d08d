"""`make demo-sources`: five kinds of source, deployed, reconciled to the row before and after they change."""

from __future__ import annotations

import pytest

from examples.sources.demo import FiveSources
from tests.background import fresh_aws

pytestmark = [
    pytest.mark.xdist_group("alone"),
    pytest.mark.timeout(1500),
    pytest.mark.budget(400),
    pytest.mark.deep,
    pytest.mark.nightly,
]


def test_what_is_published_is_what_five_kinds_of_source_say_before_and_after_they_change() -> None:
    with fresh_aws() as stack, FiveSources(stack) as demo:
        found = demo.run()
        assert [(one.rows, one.examples) for one in found] == [(16, ()), (16, ())]
        demo.partners.change()  # which nobody has collected yet
        (seen,) = demo.reconciled()
        assert seen.missing == seen.unexpected == 16
