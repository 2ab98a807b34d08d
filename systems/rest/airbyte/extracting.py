"""Extracts one part of a table by airbyte-cdk: portion after portion, until done or the deadline is near.

Resume token: {'done', 'files'}; `done` names the document of the portions that were read. A portion counts as a whole or not at all,
and is known by what it is of, since parents may come in another order, or be others, when they are read again; it is kept as a digest
with a salt, for keys of parents may be masked.
Rows that move between numbered pages are told as systems.rest.extracting does it: such a portion is read until two passes agree.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from shared_metadata.contract.collect import Extracted, ExtractRequest
from shared_metadata.contract.projection import place_of
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.tasks.outgrown import Outgrown
from shared_metadata.errors import RetryLater
from systems.rest.airbyte.process import Kit
from systems.rest.manifest import Node
from systems.rest.parquet_files import ParquetFiles
from systems.rest.passes import MOST_PASSES, Moving, Passes, moving

PAGE_BYTES, GROUP_BYTES = 4 << 20, 64 << 20  # of a local file, and of all that go into one Parquet file
LATEST_SECONDS, LEAST_SECONDS = 30.0, 60.0  # of a call: what is left to write rows; what a silent API is waited for at least


class Extraction:
    """key: fields that tell records apart; none where the whole record does.  salt: as of Passes.  numbered: pages are numbers, or
    offsets.
    """

    def __init__(
        self,
        kit: Kit,
        stream: Mapping[str, Node],
        request: ExtractRequest,
        files: ParquetFiles,
        key: Sequence[str],
        salt: str,
        *,
        numbered: bool,
    ) -> None:
        self._kit, self._stream, self._out, self._files = kit, stream, request.out, files
        self._key, self._salt, self._numbered = key, salt.encode(), numbered
        self._place = place_of(request.flow, request.table)
        self._portion, self._listings = "", [""]
        self._passes: Passes | None = None
        self._page: IO[bytes] | None = None
        self._pages: list[Path] = []  # local files, of portions that are read and of the one that is
        self._kept = 0  # how many of these are of portions that are read
        self._written: list[Mapping[str, Any]] = []  # of the portion that is being read, whose rows were too many to wait
        self._taken: list[Mapping[str, Any]] = []
        self._news = 0

    def run(self, job: Mapping[str, Any], resume: Mapping[str, Any], deadline: Deadline) -> Extracted:
        """resume: of an earlier call's; {} at first."""
        staging, dataset = self._out.staging, self._out.dataset
        known: dict[str, Any] | None = staging.read(dataset, resume["done"]) if resume else {"portions": (), "salted": True}
        assert known is not None, "it is written before the token that names it"
        # A document of a former version has the runner's own names of portions.
        self._done = {*known["portions"]} if known.get("salted") else {*map(self._named, known["portions"])}
        self._number = int(resume["files"]) if resume else 0
        timer = threading.Timer(max(deadline.seconds_left - LATEST_SECONDS, LEAST_SECONDS), self._kit.end)
        timer.daemon = True
        with tempfile.TemporaryDirectory(prefix="airbyte-") as folder:
            self._folder = Path(folder)
            timer.start()
            try:
                left = self._read(job, deadline)
            except RetryLater as error:
                if isinstance(error, Moving) or not self._news:
                    raise
                left = True
            finally:
                timer.cancel()
                self._close()
            self._forget()
            self._flush()
        if not left:
            return Extracted(tuple(self._taken))
        if not self._news:
            raise self._too_long()
        name = f"portions-{self._out.part:04d}-{self._out.call}.json"
        staging.write({"portions": sorted(self._done), "salted": True}, dataset, name)
        return Extracted(tuple(self._taken), {"done": name, "files": self._number})

    def _read(self, job: Mapping[str, Any], deadline: Deadline) -> bool:
        """Whether portions are left."""
        for line in self._kit.lines(job):
            if not line.startswith(b"="):
                self._record(line)
                continue
            word, _, told = line[1:].decode().strip().partition(" ")
            if word == "portion":
                if deadline.near and self._news:
                    return True
                self._portion, self._passes = self._named(told), Passes(self._key, salt="") if self._numbered else None
                self._kit.answer("skip" if self._portion in self._done else "read")
            elif word == "end":
                self._kit.answer("next" if self._ended(int(told)) else "again")
            else:
                self._kit.answer("go" if self._listed(told) else "again")
        return self._kit.ended_here

    def _named(self, told: str) -> str:
        """The name by which a portion is kept; told: the runner's, which whoever knows a value can make."""
        return hashlib.blake2b(told.encode(), digest_size=16, key=self._salt).hexdigest()

    def _record(self, line: bytes) -> None:
        if self._passes:
            self._passes.see([json.loads(line)], last=False)
        if self._page is None:
            self._pages.append(self._folder / f"{self._number:06d}-{len(self._pages):06d}.json")
            self._page = self._pages[-1].open("wb")
        self._page.write((b"," if self._page.tell() else b"[") + line)
        if self._page.tell() >= PAGE_BYTES:
            self._close()
        if len(self._pages) * PAGE_BYTES >= GROUP_BYTES:
            self._flush()

    def _ended(self, requests: int) -> bool:
        """Whether the portion is read; else it is to be read again. Records of a single page have moved nowhere."""
        if self._passes and requests > 1:
            for _ in range(2):  # more than one page, however few the records
                self._passes.see((), last=False)
            if not self._passes.end(self._stream):
                self._forget()
                return False
        self._close()
        self._done.add(self._portion)
        self._taken += self._written
        self._written, self._kept = [], len(self._pages)
        self._news += 1
        return True

    def _listed(self, digest: str) -> bool:
        """Whether two listings of the portions after one another are alike. Raises Moving."""
        if digest == self._listings[-1]:
            return True
        if len(self._listings) > MOST_PASSES:
            raise moving(self._stream)
        self._listings.append(digest)
        return False

    def _close(self) -> None:
        if self._page:
            self._page.write(b"]")
            self._page.close()
        self._page = None

    def _forget(self) -> None:
        """Forgets what was read of the portion that is not read to its end."""
        self._close()
        for file in self._pages[self._kept :]:
            file.unlink()
        del self._pages[self._kept :]
        self._written = []

    def _flush(self) -> None:
        """Writes the rows of portions that are read, and then of the one that is being read, into files of their own."""
        self._close()
        for pages, written in ((self._pages[: self._kept], self._taken), (self._pages[self._kept :], self._written)):
            if pages:
                written.append(self._files.from_pages(pages, self._number))
                self._number += 1
                for file in pages:
                    file.unlink()
        self._pages, self._kept = [], 0

    def _too_long(self) -> Outgrown:
        return Outgrown(
            "one portion of it takes longer than a call, and airbyte-cdk cannot go on within one",
            place=self._place,
            remedy="have the manifest read it in shorter steps",
        )
