"""Extracts one part of a table: page after page of each portion, until done or the deadline is near.

Resume token: {'portion', 'page', 'begun', 'files', 'passes', 'held'}; `page` is the API's own.
Rows that move between numbered pages while these are read would be left out: a portion of several such pages is read again until
two passes after one another bring the same records, and the last one is taken. `passes` names the document of what is known of them,
and `held` are the files of the pass, which count only when it is the last.
"""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shared_metadata.contract.collect import Extracted, ExtractRequest
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.errors import RetryLater
from systems.rest.manifest import Node
from systems.rest.parquet_files import ParquetFiles
from systems.rest.passes import Moving, Passes
from systems.rest.portions import Portion
from systems.rest.reader import Reader
from systems.rest.records import is_plain

GROUP_PAGES, GROUP_BYTES = 50, 64 << 20
FIRST: Mapping[str, Any] = {"portion": 0, "page": None, "begun": False, "files": 0, "passes": "", "held": []}
Token = dict[str, Any]


class Extraction:
    """salt: of Passes."""

    def __init__(
        self,
        reader: Reader,
        stream: Mapping[str, Node],
        request: ExtractRequest,
        portions: Sequence[Portion],
        files: ParquetFiles,
        salt: str,
    ) -> None:
        self._reader, self._stream, self._files, self._salt = reader, stream, files, salt
        self._portions, self._out = portions, request.out
        self._passes: Passes | None = None
        self._kept: list[Path] = []  # pages that are taken
        self._passing: list[Path] = []  # pages of a pass that may have to be read again
        self._done: list[Mapping[str, Any]] = []
        self._bytes, self._pages = 0, 0

    def run(self, resume: Mapping[str, Any] | None, deadline: Deadline) -> Extracted:
        self._at: Token = copy.deepcopy(dict(resume or FIRST))
        self._saved = copy.deepcopy(self._at)
        with tempfile.TemporaryDirectory(prefix="rest-") as folder:
            self._folder = Path(folder)
            try:
                while self._left():
                    self._one_page()
                    if deadline.near:
                        break
                    if len(self._kept) + len(self._passing) >= GROUP_PAGES or self._bytes >= GROUP_BYTES:
                        self._flush()
            except RetryLater as error:
                if isinstance(error, Moving) or not self._pages:
                    raise
                self._flush()
                return Extracted(tuple(self._done), self._resumed())
            self._flush()
        return Extracted(tuple(self._done), self._resumed() if self._left() else None)

    def _resumed(self) -> Token:
        """What the next call goes on with."""
        if self._passes is None:
            return self._saved
        name = f"passes-{self._out.part:04d}-{self._out.call}.json"
        self._out.staging.write(self._passes.state(), self._out.dataset, name)
        return {**self._saved, "passes": name}

    def _left(self) -> bool:
        return bool(self._at["portion"] < len(self._portions))

    def _one_page(self) -> None:
        at, portion = self._at, self._portions[self._at["portion"]]
        if self._passes is None:
            known = self._out.staging.read(self._out.dataset, at["passes"]) if at["passes"] else None
            self._passes = self._reader.passes(self._stream, self._salt, known)
        token = at["page"] if at["begun"] else self._reader.first_token(self._stream)
        page = self._reader.page(self._stream, portion, token)
        shaped = self._reader.shaped(self._stream, portion, page)
        if shaped.taken:
            self._keep(page.text if is_plain(self._stream) else None, shaped.taken)
        self._pages += 1
        if self._passes:
            self._passes.see(shaped.seen, page.following is None)
        if page.following is None:
            self._end_of_portion()
        else:
            at |= {"page": page.following, "begun": True}

    def _keep(self, text: bytes | None, records: Sequence[Any]) -> None:
        """text: of the records as a list in JSON, where it is there."""
        file = self._folder / f"{self._pages:08d}.json"
        self._bytes += file.write_bytes(text if text is not None else json.dumps([*records]).encode())
        (self._passing if self._passes else self._kept).append(file)

    def _end_of_portion(self) -> None:
        at = self._at
        taken = self._passes is None or self._passes.end(self._stream)
        if taken:
            self._done += at["held"]
            self._kept += self._passing
            self._passes = None
        else:
            for file in self._passing:
                file.unlink()
        self._at = {**FIRST, "held": [], "files": at["files"], "portion": at["portion"] + taken}
        self._passing = []

    def _flush(self) -> None:
        for pages, written in ((self._kept, self._done), (self._passing, self._at["held"])):
            if pages:
                written.append(self._files.from_pages(pages, self._at["files"]))
                self._at["files"] += 1
                for file in pages:
                    file.unlink()
        self._kept, self._passing, self._bytes = [], [], 0
        self._saved = copy.deepcopy(self._at)
