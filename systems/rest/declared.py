"""Declares the slice of a folder that holds a manifest and no code; nothing of the manifest is read for it."""

from __future__ import annotations

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode

CURSOR_TYPES = ("date-time", "date", "epoch")  # as columns.CURSOR_TYPES


def declared(system: str) -> Slice:
    """The slice of a source by its folder's name: `zendesk_support` ▸ `CollectZendeskSupportSlice`."""
    return Slice(
        stage="collect",
        system=system,
        title="".join(word[:1].upper() + word[1:] for word in system.split("_")),
        capabilities=Capabilities(
            dialect="filescan",
            modes=(Mode.REPLACE, Mode.MERGE),
            queries="projection",
            cursor_types=CURSOR_TYPES,
            never_seen="that a record was deleted, a change that the API shows later after its moment than the connection's `lag`, "
            "one that leaves the cursor's field as it was (REPLACE reads all), or a record whose moment lies further ahead than "
            "the API is asked for",
            rejects_rows=True,
        ),
        config=f"systems.rest.options:{system}",
        check="systems.rest.checking:check_flow",
        misses="systems.rest.checking:misses",
        systems=("rest",),
        steps=("plan", "extract", "commit", "discover"),
        code="systems.rest",
        bundled="systems.rest.document:bundled",
    )
