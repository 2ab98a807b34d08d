"""Chooses the files of a table that are worth being written anew: small ones, and those of which many rows are deleted. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from pyiceberg.manifest import DataFile

from systems.iceberg.beside import MOST_ROWS, WORN, worn

SMALL = 0.75  # of the target; larger files stay as they are
LEAST_FILES = 8  # fewer of a partition are not worth a commit
TINY_BYTES = 1 << 20  # files below this are always taken along
WORN_BYTES = 512 << 20  # of worn files, for one commit, which writes the delete files of their partition anew


def bins(files: Sequence[DataFile], target_bytes: int, deleted: Mapping[str, int] | None = None) -> list[list[DataFile]]:
    """Lists of files of one partition that shall be written anew together; small ones become one file of about `target_bytes`.

    deleted: path ▸ how many of its rows are deleted. Files with many are written anew without them.
    A file that is larger than all smaller ones together waits until these have grown: so a row is written anew a few times, as often
    as its file doubles, and not in every run.
    """
    old = _worn(files, deleted or {})
    small = [file for file in files if file.file_path not in old and file.file_size_in_bytes < SMALL * target_bytes]
    found = [one for group in _partitions(small) for one in _packed(_alike(group), target_bytes) if len(one) >= LEAST_FILES]
    anew = _partitions([file for file in files if file.file_path in old])
    return found + [one for group in anew for one in _packed(iter(group), WORN_BYTES)]


def _partitions(files: Sequence[DataFile]) -> list[list[DataFile]]:
    partitions: dict[tuple[int, str], list[DataFile]] = defaultdict(list)
    for file in files:
        partitions[file.spec_id, str(file.partition)].append(file)
    return [*partitions.values()]


def _worn(files: Sequence[DataFile], deleted: Mapping[str, int]) -> set[str]:
    """Those of which so many rows are deleted that a batch would soon write them anew; of a table with too many, the worst."""
    total, found = sum(deleted.values()), set[str]()
    most = MOST_ROWS // 4 if total > MOST_ROWS // 2 else total
    for file in sorted((file for file in files if file.file_path in deleted), key=lambda one: worn(one, deleted), reverse=True):
        if worn(file, deleted) <= WORN / 2 and total <= most:
            break
        found.add(file.file_path)
        total -= deleted[file.file_path]
    return found


def _alike(files: list[DataFile]) -> Iterator[DataFile]:
    """The smaller ones, up to where one outweighs all before it."""
    total = 0
    for file in sorted(files, key=lambda one: one.file_size_in_bytes):
        if file.file_size_in_bytes > max(total, TINY_BYTES):
            return
        total += file.file_size_in_bytes
        yield file


def _packed(files: Iterator[DataFile], target_bytes: int) -> Iterator[list[DataFile]]:
    packed: list[DataFile] = []
    size = 0
    for file in files:
        if packed and size + file.file_size_in_bytes > target_bytes:
            yield packed
            packed, size = [], 0
        packed.append(file)
        size += file.file_size_in_bytes
    if packed:
        yield packed
