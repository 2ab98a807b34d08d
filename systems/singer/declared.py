"""Declares the slice of a folder that holds a `tap.yaml` and no code; nothing of it is read for it."""

from __future__ import annotations

from shared_metadata.contract.declaration import Capabilities, Slice
from shared_metadata.program import Mode

CURSOR_TYPES = ("date-time", "date")  # a bookmark of another kind is the tap's alone


def declared(system: str) -> Slice:
    """The slice of a tap by its folder's name: `zuora` ▸ `CollectZuoraSlice`."""
    return Slice(
        stage="collect",
        system=system,
        title="".join(word[:1].upper() + word[1:] for word in system.split("_")),
        capabilities=Capabilities(
            dialect="filescan",
            modes=(Mode.REPLACE, Mode.MERGE),
            queries="projection",
            cursor_types=CURSOR_TYPES,
            rising_types=("integer",),
            never_rising="a row whose number is lower than one that was read already",
            never_seen="what the tap does not bring after its bookmark, a change that shows later after its moment than the "
            "connection's `lag`, or that a record was deleted where the tap has no `_sdc_deleted_at` (REPLACE reads all)",
            rejects_rows=True,
        ),
        config=f"systems.singer.options:{system}",
        systems=("singer",),
        tasks=("extract",),
        steps=("plan", "extract", "commit", "discover"),
        code="systems.singer",
        bundled="systems.singer.tap_file:bundled",
        apart="systems.singer.tap_file:packages",
        image="systems.singer.tap_file:image_of",
    )
