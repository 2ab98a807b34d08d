"""Chooses the small files of a table that are worth being put together. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from pyiceberg.manifest import DataFile

SMALL = 0.75  # of the target; larger files stay as they are
LEAST_FILES = 8  # fewer of a partition are not worth a commit
TINY_BYTES = 1 << 20  # files below this are always taken along


def bins(files: Sequence[DataFile], target_bytes: int) -> list[list[DataFile]]:
    """Lists of files of one partition that shall become one file each, of about `target_bytes`.

    A file that is larger than all smaller ones together waits until these have grown: so a row is written anew a few times, as often
    as its file doubles, and not in every run.
    """
    partitions: dict[tuple[int, str], list[DataFile]] = defaultdict(list)
    for file in files:
        if file.file_size_in_bytes < SMALL * target_bytes:
            partitions[file.spec_id, str(file.partition)].append(file)
    return [one for group in partitions.values() for one in _packed(_alike(group), target_bytes) if len(one) >= LEAST_FILES]


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
