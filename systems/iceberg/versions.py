"""What is read of a version of a table, and what a commit makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyiceberg.manifest import DataFile

from shared_metadata.program.schema import SchemaColumn
from systems.iceberg.delete_files import Positions

Written = Mapping[str, Any]  # {'url'}, and 'partition' where the table is partitioned


@dataclass(frozen=True)
class Change:
    """What one commit does to a table.

    added: files with new rows, as Engine.write gives them.  rewritten: the same of rows of the removed ones.
    removed: files of the parent; everything for `replace`.  aside: the snapshot does not become the current one.
    deleted: rows of files that stay, by paths.  within: those files.  looked: the rows among which keys were looked for.
    """

    added: Sequence[Written]
    removed: Sequence[DataFile] = ()
    rewritten: Sequence[Written] = ()
    replace: bool = False
    aside: bool = False
    deleted: Positions = field(default_factory=dict)
    within: Mapping[str, DataFile] = field(default_factory=dict)
    looked: int = 0


@dataclass(frozen=True)
class Read:
    """A version of a table as it is read.  files, deletes: the URLs of its data, and of what names rows of them as deleted."""

    files: Sequence[str]
    deletes: Sequence[str]
    columns: Sequence[SchemaColumn]
