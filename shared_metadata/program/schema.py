"""The columns of a dataset, as the warehouse sees them. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SchemaColumn:
    """A column as the warehouse sees it.

    type: Iceberg's name of it: boolean int long float double decimal(p,s) date time timestamp timestamptz string uuid binary
    list<…>.  source_type: the source's own word for it.
    """

    name: str
    type: str
    nullable: bool = True
    source: str = ""
    source_type: str = ""


@dataclass(frozen=True)
class Schema:
    """The columns of a dataset, in order."""

    columns: tuple[SchemaColumn, ...]
