"""The suite of every collect slice, over topics of JSON objects whose types the program says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from slices.collect.kafka.tests.under_test import KafkaUnderTest, SignedInUnderTest
from tests.conformance.collect import COLUMNS, Collecting, label_rows
from tests.conformance.events import EventsConformance


class TopicsConformance(EventsConformance):
    def test_rows_changed_after_the_batch_ended_wait_for_theirs(self, collecting: Collecting) -> None:
        """Not here: events' times are their senders', and a batch takes what is there when it is planned, and no other does."""
        table = collecting.source.create_table(COLUMNS)
        for label, hours in (("a", 0), ("late", 1)):
            collecting.source.put(table, label_rows([label]), collecting.at + timedelta(hours=hours))
        collecting.collect(table)
        collecting.run()
        assert collecting.labels() == ["a", "late"]
        assert collecting.run().calls == {}


class TestConformance(TopicsConformance):
    @pytest.fixture
    def source(self) -> KafkaUnderTest:
        return KafkaUnderTest()


@pytest.mark.repeats(6)
class TestSignedInConformance(TopicsConformance):
    @pytest.fixture
    def source(self) -> SignedInUnderTest:
        return SignedInUnderTest()
