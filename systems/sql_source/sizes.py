"""Which tables take longer to read by parts than an extract may; pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from shared_metadata.contract.sizes import SPARE_SECONDS, Asked, Given, TooMuch
from systems.sql_source.options import MAX_PARTS
from systems.sql_source.parts import comes_again

BYTES_A_SECOND = 60 * 2**20  # of table, by one extract, over a network
MERGED = "give it a CURSOR and MERGE ON its key"
LONGEST_SECONDS = 7 * 86_400  # of an execution


def too_much(asked: Asked, given: Mapping[str, Given], part_mb: int, *, goes_on: bool = True) -> list[TooMuch]:
    """What `Slice.sizes` tells, of a slice whose connections have an option max_parts.

    part_mb: of a table in one part, at least.  goes_on: a table that stands still can be read in several calls.
    """
    size = asked.brings.bytes
    return [*_reads(asked, size, given["extract"], part_mb, goes_on)] if size and "extract" in given else []


def _reads(asked: Asked, size: int, given: Given, part_mb: int, goes_on: bool) -> Iterator[TooMuch]:
    """What takes too long to read: in parts beside one another where what changes comes again, else in one, which stands still."""
    in_parts = comes_again(asked.flow)
    parts = min(_max_parts(asked), max(1, size // (part_mb * 2**20))) if in_parts else 1
    seconds = size / BYTES_A_SECOND / parts
    calls = math.ceil(seconds / (given.seconds - SPARE_SECONDS))
    what = f"the source has {size / 2**30:,.1f} GB in it, which take about {seconds / 3600:,.1f} hours to read"
    if seconds > LONGEST_SECONDS:
        more = "give the connection more max_parts (64 at most)" if in_parts else f"{MERGED}, which reads it in parts"
        yield TooMuch(f"{what}, and a batch may take a week", f"{more}, or collect fewer columns or rows of it")
    elif calls > 1 and not in_parts and not goes_on:
        yield TooMuch(
            f"{what}, and one state of it is seen for one call of extract", f"{MERGED}, or collect fewer columns or rows of it"
        )
    elif calls > 1 and not in_parts:
        yield TooMuch(
            f"{what}, in {calls:,} calls of extract; what writes to it meanwhile ends the batch",
            f"{MERGED}, or collect it from a replica that stands still",
            refused=False,
        )


def _max_parts(asked: Asked) -> int:
    return int(str(asked.options.get("max_parts", MAX_PARTS)))
