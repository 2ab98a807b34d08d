"""The lists of what batches have taken: against a model, over whatever came, was replaced, went and came again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slices.collect.s3 import manifests
from slices.collect.s3.manifests import Known, Manifests
from slices.collect.s3.objects import Found
from tests.conformance.fixtures import Cloud, open_cloud

KEYS = ("a", "a/b", "a-b", "Z", "é", "🛫", "\uffff", "new\nline", '"')
There = st.lists(st.dictionaries(st.sampled_from(KEYS), st.sampled_from(("1", "2", "3"))), max_size=12)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    monkeypatch.setattr(manifests, "MOST_SINCE", 3)
    yield from open_cloud(monkeypatch)


@settings(max_examples=100, suppress_health_check=[*HealthCheck], deadline=None)
@given(history=There)
def test_each_version_is_taken_once_whatever_came_and_went(cloud: Cloud, history: Sequence[Mapping[str, str]]) -> None:
    """In the order in which S3 lists: that of UTF-8's bytes."""
    taken, known, model = Manifests(cloud.s3, cloud.bucket, "taken/"), Known(), dict[str, str]()
    for there in history:
        listed = [Found(key, there[key], 1, 0) for key in sorted(there, key=str.encode)]
        new = list(taken.untaken(known, listed, lambda _: True))
        assert {one.key: one.etag for one in new} == {key: etag for key, etag in there.items() if model.get(key) != etag}
        model |= there
        known = Known.of(taken.added("lake.a", known, taken.write("lake.a", new)).cursor())
        assert len(known.lists) <= manifests.MOST_SINCE


def test_a_list_is_read_in_part(cloud: Cloud) -> None:
    taken = Manifests(cloud.s3, cloud.bucket, "taken/")
    found = [Found(f"{number:03d}", "e", number, 0) for number in range(10)]
    made = taken.write("lake.a", found)
    assert (made.count, made.bytes) == (10, 45) and list(taken.read(made.key, 3, 5)) == found[3:5]
    assert taken.write("lake.a", found) == made
