"""Which objects batches have taken: lists in S3, each written once under a name made of its content, and what a cursor says of them.

A cursor names a base and what was taken since. An object is known by its key and its ETag: one that is listed late, whatever its
LastModified, is not among them and is taken by the next batch, and one whose content was replaced is taken again.
"""

from __future__ import annotations

import gzip
import hashlib
import heapq
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from slices.collect.s3.objects import Found

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MOST_SINCE = 32  # lists, before they become one


@dataclass(frozen=True)
class Manifest:
    """A list of objects in the order of their keys, in S3.  count, bytes: of the objects."""

    key: str
    count: int
    bytes: int

    def plain(self) -> list[str | int]:
        return [self.key, self.count, self.bytes]


@dataclass(frozen=True)
class Known:
    """What batches have taken so far: of two lists that name a key the later one says which version.  since: from the oldest on."""

    lists: tuple[Manifest, ...] = ()

    @staticmethod
    def of(cursor: str) -> Known:
        values = json.loads(cursor) if cursor else {}
        return Known(tuple(Manifest(*one) for one in values.get("lists", ())))

    def cursor(self) -> str:
        return json.dumps({"lists": [one.plain() for one in self.lists]})


class Manifests:
    """Reads and writes them, below a prefix of the installation's bucket that is the slice's own."""

    def __init__(self, s3: S3Client, bucket: str, prefix: str) -> None:
        self._s3, self._bucket, self._prefix = s3, bucket, prefix

    def write(self, flow: str, objects: Iterable[Found]) -> Manifest:
        count = size = 0
        digest = hashlib.sha256()
        with tempfile.TemporaryFile() as file:
            with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=5, mtime=0) as lines:
                for found in objects:
                    count, size = count + 1, size + found.size
                    digest.update(line := found.line())
                    lines.write(line)
            file.seek(0)
            key = f"{self._prefix}{flow.replace(':', '/')}/objects-{digest.hexdigest()[:32]}.jsonl.gz"
            self._s3.upload_fileobj(file, self._bucket, key)
        return Manifest(key, count, size)

    def read(self, key: str, first: int = 0, end: int | None = None) -> Iterator[Found]:
        with tempfile.TemporaryFile() as file:
            self._s3.download_fileobj(self._bucket, key, file)
            file.seek(0)
            with gzip.GzipFile(fileobj=file) as lines:
                yield from map(Found.of_line, islice(lines, first, end))

    def untaken(self, known: Known, listed: Iterable[Found], wanted: Callable[[Found], bool]) -> Iterator[Found]:
        """Yields, in the order of keys, what is listed and wanted, and what no batch has taken as it is now."""
        taken = self._taken(known)
        have = next(taken, None)
        for found in listed:
            while have is not None and have.key < found.key:
                have = next(taken, None)
            if (have is None or (have.key, have.etag) != (found.key, found.etag)) and wanted(found):
                yield found

    def added(self, flow: str, known: Known, new: Manifest) -> Known:
        """What is known with a batch more; many lists, or such as are longer than the first, are made into one."""
        lists = (*known.lists, new) if new.count else known.lists
        if len(lists) <= MOST_SINCE and (len(lists) < 3 or sum(one.count for one in lists[1:]) <= lists[0].count):
            return Known(lists)
        return Known((self.write(flow, self._taken(Known(lists))),))

    def _taken(self, known: Known) -> Iterator[Found]:
        """One for each key, in their order."""
        numbered = [map(partial(_numbered, -at), self.read(one.key)) for at, one in enumerate(known.lists)]
        last = None
        for key, _, found in heapq.merge(*numbered):
            if key != last:
                yield found
            last = key


def _numbered(at: int, found: Found) -> tuple[str, int, Found]:
    return found.key, at, found
