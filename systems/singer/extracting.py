"""Extracts a table by one run of its tap, until that ends, or the deadline is near.

Resume token of a MERGE: {'state', 'files'}: a tap that is run again goes on from its last STATE, and what it wrote after that is
forgotten. Of a REPLACE there is none: a STATE does not promise that a tap which reads all goes on where it was, and rows would be
there twice.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from shared_metadata.contract.collect import Extracted
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.tasks.outgrown import Outgrown
from shared_metadata.errors import RetryLater
from systems.singer.messages import Message, Reader
from systems.singer.pages import Pages
from systems.singer.process import Tap
from systems.singer.states import progress

FILE_BYTES = 64 << 20  # of lines in a Parquet file, if the tap gives a STATE so often
LATEST_SECONDS, LEAST_SECONDS = 20.0, 60.0  # of a call: what is left to write rows; what a silent tap is waited for at least


class Extraction:
    """open_tap: makes a run.  whole: all rows are read, in one run that ends by itself.  handed_on: the last STATE ▸ the cursor."""

    def __init__(
        self,
        open_tap: Callable[[], Tap],
        reader: Reader,
        pages: Pages,
        catalog: Any,
        whole: bool,
        handed_on: Callable[[Any], str],
        place: str,
    ) -> None:
        self._open_tap, self._reader, self._pages, self._catalog = open_tap, reader, pages, catalog
        self._whole, self._handed_on, self._place = whole, handed_on, place
        self._files: list[tuple[int | None, Mapping[str, Any]]] = []
        self._version: int | None = None
        self._active: int | None = None

    def run(self, began: Any, resume: Mapping[str, Any] | None, deadline: Deadline) -> Extracted:
        """began: the STATE with which the batch begins."""
        state = resume["state"] if resume else began
        self._number, self._first = int(resume["files"]) if resume else 0, state
        self._state = self._kept = state
        with tempfile.TemporaryDirectory(prefix="singer-") as folder, self._open_tap() as tap:
            timer = threading.Timer(max(deadline.seconds_left - LATEST_SECONDS, LEAST_SECONDS), tap.end)
            timer.daemon = True
            timer.start()
            try:
                with (Path(folder) / "lines").open("w+b") as self._lines:
                    stopped = self._read(tap, state, deadline)
                    if not stopped:
                        self._ended(tap)
                    self._flush()
            finally:
                timer.cancel()
        if stopped or tap.ended_here or self._failed:
            return Extracted(tuple(written for _, written in self._files), {"state": self._kept, "files": self._number})
        files = tuple(written for version, written in self._files if not self._is_old(version))
        return Extracted(files, cursor=self._handed_on(self._state))

    def _read(self, tap: Tap, state: Any, deadline: Deadline) -> bool:
        """Reads to the end, or, once the deadline is near, to what follows the next STATE: whether it was that."""
        self._failed, self._end, self._begun = False, 0, 1  # bytes before the last STATE; the number of the file's first line
        may_stop = False
        for line in tap.messages(self._catalog, state):
            if tap.ended_here or (not line.endswith(b"\n") and tap.fails()):  # a line that was not written to its end
                return False
            if may_stop and deadline.near:  # a tap that has come to its end says so by writing nothing more
                tap.end()
                return True
            message = self._reader.read(line)
            may_stop = False
            if message.kind == "RECORD":
                self._record(line, message)
            elif message.kind == "ACTIVATE_VERSION":
                self._active = message.version
            elif message.kind == "STATE":
                self._state, self._end = message.value, self._lines.tell()
                may_stop = not self._whole and self._moved()
                if may_stop and self._end >= FILE_BYTES:
                    self._flush()
        return False

    def _record(self, line: bytes, message: Message) -> None:
        if self._whole and (message.version != self._version or self._lines.tell() >= FILE_BYTES):
            self._end = self._lines.tell()
            self._flush()
            self._version = message.version
        try:
            self._lines.write(line if line.endswith(b"\n") else line + b"\n")
        except OSError:
            remedy = "give its function a larger disk when it is deployed"
            raise Outgrown(
                "what the tap writes before a STATE is more than fits on the disk", place=self._place, remedy=remedy
            ) from None

    def _ended(self, tap: Tap) -> None:
        """What its end means: all rows that it wrote count if it ended well, and those before its last STATE if it did not."""
        try:
            tap.check()
        except RetryLater:
            if self._whole and tap.ended_here:
                raise self._too_long() from None
            if self._whole or not self._moved():
                if tap.ended_here:
                    raise self._no_state() from None
                raise
            self._failed = True
        else:
            self._end = self._lines.tell()

    def _moved(self) -> bool:
        """Whether the tap has come further than where this call began."""
        return bool((progress(self._state) or None) != (progress(self._first) or None))

    def _flush(self) -> None:
        """Writes what counts, and forgets the rest."""
        self._lines.truncate(self._end)
        self._lines.flush()
        if self._end:
            written = self._pages.of_lines(Path(self._lines.name), self._number, self._begun)
            self._files.append((self._version, written))
            self._number += 1
        self._lines.seek(0)
        self._lines.truncate(0)
        self._end, self._begun, self._kept = 0, self._reader.number + 1, self._state

    def _is_old(self, version: int | None) -> bool:
        """Whether the tap has said that rows of this version are no more."""
        return self._active is not None and version != self._active

    def _no_state(self) -> Outgrown:
        return Outgrown(
            "the tap gave no STATE within one call from which it could go on, so that nothing of what it wrote can be kept",
            place=self._place,
            remedy="have it read less at first, by what its configuration begins with",
        )

    def _too_long(self) -> Outgrown:
        remedy = "collect it by MERGE where the tap has a bookmark for it"
        return Outgrown("the tap did not come to its end within one call, and a REPLACE is one run", place=self._place, remedy=remedy)

    _lines: IO[bytes]
