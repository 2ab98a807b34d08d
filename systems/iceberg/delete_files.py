"""Files that name rows of others which are deleted: Iceberg's position deletes, read and written.

Each names rows of files that the table has, and each row once: where a file leaves the table, its rows leave these files in the same
commit. So a table has as many rows as its files say, less those that these do, and a file that comes back has all of its rows.
https://iceberg.apache.org/spec/#position-delete-files
"""

from __future__ import annotations

import math
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat, ManifestContent
from pyiceberg.table import Table

PATH, POSITION = "file_path", "pos"
PATH_ID, POSITION_ID = 2147483546, 2147483545
FIELD_ID = b"PARQUET:field_id"
FOLDER = "data/deletes"  # below the table's place
ROWS = pa.schema(
    [
        pa.field(PATH, pa.dictionary(pa.int32(), pa.string()), nullable=False, metadata={FIELD_ID: str(PATH_ID).encode()}),
        pa.field(POSITION, pa.int64(), nullable=False, metadata={FIELD_ID: str(POSITION_ID).encode()}),
    ]
)
GROUP_ROWS = 1 << 20

Item = TypeVar("Item")
Positions = Mapping[str, Sequence[int]]  # the path of a file ▸ the numbers of rows in it, from 0


@dataclass
class Folded:
    """What becomes of a table's delete files in one commit."""

    added: list[DataFile] = field(default_factory=list)
    removed: list[DataFile] = field(default_factory=list)


def delete_files(table: Table, snapshot_id: int | None) -> list[DataFile]:
    """Those of a version of the table; none for None."""
    snapshot = table.snapshot_by_id(snapshot_id) if snapshot_id is not None else None
    manifests = snapshot.manifests(table.io) if snapshot else ()
    held = (manifest for manifest in manifests if manifest.content == ManifestContent.DELETES)
    return [entry.data_file for manifest in held for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True)]


def is_ours(table: Table, file: DataFile) -> bool:
    """Whether Atoll has written it: of others' it is not known that they name each row once."""
    return file.content == DataFileContent.POSITION_DELETES and file.file_path.startswith(f"{table.location()}/{FOLDER}/")


def deleted_rows(io: FileIO, files: Iterable[DataFile]) -> dict[str, int]:
    """The path of a file ▸ how many of its rows are deleted."""
    return {path: sum(map(len, pieces)) for path, pieces in _read(io, files).items()}


def folded(
    table: Table, removed: Sequence[DataFile], deleted: Positions, within: Mapping[str, DataFile], *, whole: bool = False
) -> Folded:
    """What becomes of the delete files of the table's current version: one of each partition that the commit touches.

    removed: the files that leave the table.  deleted: rows of files that stay, which are deleted by the commit.
    within: those files, by their paths.  whole: all files leave.
    """
    found, former = Folded(), delete_files(table, table.metadata.current_snapshot_id)
    if whole:
        return Folded(removed=former)
    groups, new = _grouped((file, file) for file in former), _grouped((within[path], path) for path in deleted)
    leave = {file.file_path for file in removed}
    for group in {*map(_group, removed)} & {*groups} | {*new}:
        rows = _read(table.io, groups[group])
        stay = {path: positions for path, positions in rows.items() if path not in leave}
        if len(stay) == len(rows) and group not in new:
            continue
        for path in new[group]:
            stay.setdefault(path, []).append(pa.array(deleted[path], pa.int64()))
        found.removed += groups[group]
        if stay:
            found.added.append(_written(table, stay, groups[group][0] if groups[group] else within[new[group][0]]))
    return found


def can_have_deletes(file: DataFile) -> bool:
    """Whether readers find the delete files of a file's partition: by NaN, which is not equal to itself, some do not."""
    values = [file.partition[number] for number in range(len(file.partition))]
    return not any(isinstance(value, float) and math.isnan(value) for value in values)


def _grouped(known: Iterable[tuple[DataFile, Item]]) -> dict[tuple[int, str], list[Item]]:
    groups: dict[tuple[int, str], list[Item]] = defaultdict(list)
    for file, item in known:
        groups[_group(file)].append(item)
    return groups


def _group(file: DataFile) -> tuple[int, str]:
    """Readers look for the deletes of a file among those of its partition."""
    return file.spec_id, str(file.partition)


def _read(io: FileIO, files: Iterable[DataFile]) -> dict[str, list[pa.Array]]:
    """The path of a file ▸ the rows of it that these name, in pieces."""
    found: dict[str, list[pa.Array]] = defaultdict(list)
    for file in files:
        with io.new_input(file.file_path).open() as stream:
            table = pq.read_table(stream, columns=[PATH, POSITION], read_dictionary=[PATH])
        for batch in table.to_batches():
            paths, positions, begin = batch.column(PATH), batch.column(POSITION), 0
            runs = pc.run_end_encode(paths.indices)
            for index, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
                found[paths.dictionary[index].as_py()].append(positions.slice(begin, end - begin))
                begin = end
    return found


def _written(table: Table, rows: Mapping[str, Sequence[pa.Array]], like: DataFile) -> DataFile:
    """A file of these rows, in the order that the format asks for, beside the others of a partition."""
    url = f"{table.location()}/{FOLDER}/{uuid.uuid4()}.parquet"
    paths = sorted(rows, key=str.encode)
    positions = [pa.concat_arrays(rows[path]) for path in paths]
    numbers = pa.concat_arrays([pa.repeat(pa.scalar(number, pa.int32()), len(one)) for number, one in enumerate(positions)])
    columns = [
        pa.DictionaryArray.from_arrays(numbers, pa.array(paths)),
        pa.concat_arrays([one.take(pc.sort_indices(one)) for one in positions]),
    ]
    with table.io.new_output(url).create() as stream:
        pq.write_table(
            pa.table(columns, schema=ROWS), stream, GROUP_ROWS, compression="zstd", use_dictionary=[PATH], store_schema=False
        )
    count = len(numbers)
    file = DataFile.from_args(
        content=DataFileContent.POSITION_DELETES,
        file_path=url,
        file_format=FileFormat.PARQUET,
        partition=like.partition,
        record_count=count,
        file_size_in_bytes=len(table.io.new_input(url)),
        value_counts={PATH_ID: count, POSITION_ID: count},
        null_value_counts={PATH_ID: 0, POSITION_ID: 0},
        lower_bounds={PATH_ID: paths[0].encode()},
        upper_bounds={PATH_ID: paths[-1].encode()},
    )
    file.spec_id = like.spec_id
    return file
