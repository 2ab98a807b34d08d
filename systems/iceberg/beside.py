"""Chooses what a merge does with files that hold keys of its batch: writes them anew, or names their rows as deleted. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pyiceberg.manifest import DataFile

from systems.iceberg.delete_files import can_have_deletes

WORN = 0.1  # the part of a file's rows that may be deleted; more of them are written anew
LEAST_BYTES = 64 << 20  # of files that a batch would write anew; less is written anew within seconds
MOST_ROWS = 5_000_000  # deleted in a table: some 11 MB, which each batch writes anew within a second
MOST_MARKED_BYTES = 2 << 30  # of files that are read as a whole for rows that the source has no more


def beside(
    files: Sequence[DataFile],
    going: Mapping[str, int],
    deleted: Mapping[str, int],
    *,
    fresh: Collection[str] = (),
    marked: Collection[str] = (),
) -> set[str]:
    """The paths of those files that stay, with deletes beside them; the others that hold rows that go are written anew.

    going: path ▸ how many rows of it go.  deleted: path ▸ how many are deleted already, of all files of the table.
    fresh: files that the batch adds, again perhaps.  marked: files that hold rows which the source has no more.
    """
    most, read, chosen = MOST_ROWS - sum(deleted.values()), 0, list[DataFile]()
    for file in sorted(files, key=lambda one: worn(one, going, deleted)):
        path = file.file_path
        if path not in going or path in fresh or not can_have_deletes(file) or worn(file, going, deleted) > WORN:
            continue
        most -= going[path]
        read += file.file_size_in_bytes if path in marked else 0
        if most < 0 or read > MOST_MARKED_BYTES:
            break
        chosen.append(file)
    return {file.file_path for file in chosen} if sum(file.file_size_in_bytes for file in chosen) >= LEAST_BYTES else set()


def worn(file: DataFile, *deleted: Mapping[str, int]) -> float:
    """The part of its rows that is deleted."""
    return sum(one.get(file.file_path, 0) for one in deleted) / max(1, file.record_count)
