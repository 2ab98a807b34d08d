"""What batches take of a topic, against a model: whatever came, was deleted, was added and was made again in between."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slices.collect.kafka.positions import MOST_PARTS, Cursor, Kept, Range, Topic, cut, in_parts, unkept

Event = tuple[str, int, int]  # the topic's id, partition, offset
# What happens to a topic: events come to a partition, its oldest go, partitions are added, it is made again, a batch is planned.
Happenings = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 3), st.integers(1, 4)),
        st.tuples(st.just("trim"), st.integers(0, 3), st.integers(1, 4)),
        st.tuples(st.just("grow"), st.just(0), st.integers(1, 2)),
        st.tuples(st.just("remake"), st.just(0), st.integers(1, 3)),
        st.tuples(st.just("batch"), st.just(0), st.just(0)),
    ),
    max_size=25,
)


class Model:
    """A topic, and what of it was taken and told as lost. has_ids: whether brokers tell ids."""

    def __init__(self, *, has_ids: bool = True) -> None:
        self.has_ids, self.number = has_ids, 0
        self.kept, self.sent = {0: Kept(0, 0), 1: Kept(0, 0)}, list[Event]()
        self.cursor: Cursor | None = None
        self.taken, self.losses, self.first = list[Event](), 0, set[Event]()

    @property
    def topic(self) -> Topic:
        return Topic("t", f"id {self.number}" if self.has_ids else "", dict(self.kept))

    def happen(self, what: str, partition: int, count: int) -> None:
        number = partition % len(self.kept)
        oldest, end = self.kept[number]
        if what == "put":
            self.sent += [(self.topic.id, number, end + n) for n in range(count)]
            self.kept[number] = Kept(oldest, end + count)
        elif what == "trim":
            self.kept[number] = Kept(min(oldest + count, end), end)
        elif what == "grow":
            self.kept |= {len(self.kept) + n: Kept(0, 0) for n in range(count)}
        elif what == "remake":
            self.number += 1
            self.kept = {n: Kept(0, 0) for n in range(count)}
        else:
            self.batch()

    def batch(self) -> None:
        if self.cursor is None:  # what was deleted before is not told
            self.first = {e for e in self.sent if not self._is_there(e)}
        found = cut(self.topic, self.cursor)
        self.taken += [(self.topic.id, one.partition, n) for one in found.ranges for n in range(one.begins, one.ends)]
        self.losses += len(found.losses)
        self.cursor = Cursor.read(found.left.text())

    def _is_there(self, event: Event) -> bool:
        id, partition, offset = event
        return id == self.topic.id and offset >= self.kept[partition].oldest


@settings(max_examples=300)
@given(happenings=Happenings)
def test_each_event_is_of_one_batch_or_told_as_lost(happenings: Any) -> None:
    model = Model()
    for happening in happenings:
        model.happen(*happening)
    model.batch()
    assert len(model.taken) == len(set(model.taken)) and set(model.taken) <= set(model.sent)
    missing = set(model.sent) - set(model.taken) - model.first
    assert not missing or model.losses


def test_a_topic_that_stands_still_gives_nothing() -> None:
    topic = Topic("t", "a", {0: Kept(3, 9), 1: Kept(0, 0)})
    found = cut(topic, Cursor("a", {0: 9, 1: 0}))
    assert (found.ranges, found.losses) == ([], [])


def test_what_retention_has_deleted_is_told_by_its_offsets_and_the_rest_is_read() -> None:
    found = cut(Topic("t", "a", {0: Kept(5, 9)}), Cursor("a", {0: 2}))
    assert found.ranges == [Range(0, 5, 9)]
    (one,) = found.losses
    assert "offsets 2 to 4" in one.what and "from 5 on" in one.what


def test_a_partition_that_is_added_is_read_from_its_first_event_and_what_is_deleted_of_it_by_then_is_told() -> None:
    found = cut(Topic("t", "a", {0: Kept(0, 4), 1: Kept(0, 2), 2: Kept(3, 7)}), Cursor("a", {0: 4}))
    assert found.ranges == [Range(1, 0, 2), Range(2, 3, 7)]
    assert [one.partition for one in found.losses] == [2]


@pytest.mark.parametrize("ids", [("a", "b"), ("", ""), ("a", "")])
def test_a_topic_that_was_made_again_is_read_from_its_first_event(ids: tuple[str, str]) -> None:
    found = cut(Topic("t", ids[1], {0: Kept(0, 4)}), Cursor(ids[0], {0: 9, 1: 7}))
    assert found.ranges == [Range(0, 0, 4)] and len(found.losses) == 2
    assert "made again" in found.losses[0].what and found.left == Cursor(ids[1], {0: 4})


def test_one_whose_newest_events_are_gone_is_read_on_behind_them_and_none_comes_twice() -> None:
    found = cut(Topic("t", "a", {0: Kept(0, 4)}), Cursor("a", {0: 9}))
    assert found.ranges == [] and found.left.offsets == {0: 4}
    assert "its newest event has 3 now" in found.losses[0].what


@pytest.mark.parametrize(
    ("kept", "lost"), [(Kept(0, 9), False), (Kept(2, 5), False), (Kept(3, 9), True), (Kept(0, 4), True), (None, True)]
)
def test_a_range_that_is_read_again_is_there_whole_or_told(kept: Kept | None, lost: bool) -> None:
    topic = Topic("t", "a", {} if kept is None else {0: kept})
    assert (unkept(topic, [Range(0, 2, 5)]) is not None) is lost


def test_ranges_are_parts_of_their_own_while_they_can_be() -> None:
    ranges = [Range(number, 0, 1) for number in range(MOST_PARTS + 2)]
    parts = in_parts(ranges)
    assert len(parts) == MOST_PARTS and sorted(Range(*one) for part in parts for one in part) == ranges


def test_a_cursor_of_a_batch_that_took_nothing_is_one_of_no_batch() -> None:
    assert Cursor.read("") is None and Cursor.read("{}") is None
    assert Cursor.read(Cursor("a", {10: 3, 2: 0}).text()) == Cursor("a", {2: 0, 10: 3})
