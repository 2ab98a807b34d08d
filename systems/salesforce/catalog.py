"""Which objects an org has, what they are, and how many records they have, as the user of a session sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared_metadata.contract.discovery import MOST_NAMES
from shared_metadata.contract.sizes import Size
from systems.salesforce.objects import OBJECT_NAME, SalesforceObject, read_describe
from systems.salesforce.refusals import Refused
from systems.salesforce.session import Session

COUNTED_AT_ONCE = 100  # names in a URL


class Catalog:
    """An org's objects, each of which is asked for once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._answers: dict[str, Mapping[str, Any]] = {}
        self._described: dict[str, SalesforceObject] = {}

    def names(self, able: str = "queryable") -> list[str]:
        """The objects of which describe says that they are able to: that they can be queried, 'createable'; sorted."""
        names = [found["name"] for found in self._session.get("sobjects")["sobjects"] if found[able]]
        return sorted(names)[:MOST_NAMES]

    def find(self, name: str) -> SalesforceObject | None:
        """An object by its name in any case; None when it is not there, or hidden from the user."""
        if name not in self._described and (answer := self.answer(name)) is not None:
            self._described[name] = read_describe(answer)
        return self._described.get(name)

    def answer(self, name: str) -> Mapping[str, Any] | None:
        """What describe answers of it, as it is."""
        if not OBJECT_NAME.fullmatch(name):
            return None
        if name not in self._answers:
            try:
                self._answers[name] = self._session.get(f"sobjects/{name}/describe")
            except Refused as error:
                if error.code != "NOT_FOUND":
                    raise
                return None
        return self._answers[name]

    def sizes(self, wanted: Sequence[str]) -> dict[str, Size]:
        """The sizes of objects in records, as Salesforce counts them, approximately and unread; it tells no bytes."""
        names = [name for name in wanted if OBJECT_NAME.fullmatch(name)]
        counts: dict[str, int] = {}
        for at in range(0, len(names), COUNTED_AT_ONCE):
            told = self._session.get("limits/recordCount", {"sObjects": ",".join(names[at : at + COUNTED_AT_ONCE])})
            counts |= {str(one["name"]).lower(): int(one["count"]) for one in told["sObjects"]}
        return {name: Size(counts[name.lower()]) for name in names if name.lower() in counts}
