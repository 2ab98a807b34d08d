"""Calls of functions in code by a flow's query, as a plan has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared_metadata.program.places import Place
from shared_metadata.program.schema import SchemaColumn


@dataclass(frozen=True)
class Call:
    """A call of a function in code by a flow's query, which names what it gives as the dataset `table`.

    function, language: its name, and what it is written in.  options: as CREATE FUNCTION has them.
    query, places: of the rows that it is given, as `Flow.query`; they may name the tables of calls before.
    takes, returns: the columns of what it is given and gives.
    position: of the function in the program.
    code: a digest of its code, as it was when the program was compiled; '' where there was none.
    """

    table: str
    function: str
    language: str
    options: Mapping[str, Any]
    query: str
    takes: tuple[SchemaColumn, ...]
    returns: tuple[SchemaColumn, ...]
    position: str = field(compare=False, repr=False)
    places: tuple[Place, ...] = ()
    code: str = ""
