"""Finds first loads and merges that are too much for the slice's functions; the rates are measured, and ADR 52 says where; pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from shared_metadata.contract.sizes import MOST_CALLS, SPARE_SECONDS, Asked, Given, TooMuch
from shared_metadata.program import Kind, Mode

MOST_MEMORY_MB = MOST_TMP_MB = 10_240
DUCKDB_SHARE, TMP_SHARE = 0.7, 0.9  # of memory and /tmp, that DuckDB takes
# In memory and /tmp together, by each key that is looked at for others like it: a text of 32 characters takes 48.
KEY_BYTES: Mapping[str, int] = {"string": 48, "binary": 48, "uuid": 24, "decimal": 24}
FIXED_KEY_BYTES = 11
WHOLE_PROCESSOR_MB, MOST_PROCESSORS = 1769, 6  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
TOLD_BYTES = 2**30  # of files that a batch of a MERGE writes anew, from which on `atoll plan` tells it
SPREAD = 8  # bytes that DuckDB takes at most for one of a file, when it has all of the rows at once (docs/scale.md)
ROWS_A_SECOND = 260_000  # written anew by a processor, from S3 and to it
LOOKED_ROWS_A_SECOND = (
    2_000_000  # looked through by a processor for a text of 32 characters, with deletes beside them (docs/scale.md)
)


def too_much(asked: Asked, given: Mapping[str, Given]) -> list[TooMuch]:
    """See `Slice.sizes`."""
    found = []
    if "load" in given and asked.flow.kind == Kind.LOAD and asked.brings.rows:
        found += [*_keys(asked, asked.brings.rows, given["load"]), *_partitions(asked, asked.brings.rows, given["load"])]
    if "commit" in given and asked.flow.mode == Mode.MERGE and asked.stands.rows:
        found += [*_merge(asked, asked.stands.rows, given["commit"]), *_looked(asked, given["commit"])]
    return found


def _keys(asked: Asked, rows: int, given: Given) -> Iterator[TooMuch]:
    """A MERGE looks whether a key comes twice."""
    if asked.flow.mode != Mode.MERGE:
        return
    needed = rows * sum(_key_bytes(asked.types.get(name, "string")) for name in asked.flow.key)
    if needed <= _room(given.memory_mb, given.tmp_mb):
        return
    larger = f"-c memoryOf={asked.flow.slice_id}.load={MOST_MEMORY_MB} -c tmpOf={asked.flow.slice_id}.load={MOST_TMP_MB}"
    enough = needed <= _room(MOST_MEMORY_MB, MOST_TMP_MB)
    fewer = f"begin with fewer rows by a WHERE, or load it in APPEND or REPLACE, which look at no keys{_with(asked)}"
    yield TooMuch(
        f"the keys of {rows:,} rows need about {_gb(needed)} of memory and /tmp at once, and load has {_gb(given_bytes(given))}",
        f"deploy it with {larger}; or {fewer}" if enough else fewer,
    )


def _partitions(asked: Asked, rows: int, given: Given) -> Iterator[TooMuch]:
    """Rows are written anew by partition, in one call."""
    most = int(_pace(given) * (given.seconds - SPARE_SECONDS))
    if asked.flow.partition_by and rows > most:
        yield TooMuch(
            f"PARTITION BY writes {rows:,} rows anew in one call of load, which does about {most:,} in its {given.seconds} s",
            "leave PARTITION BY out, begin with fewer rows by a WHERE, or give it more memory, and with it more of a processor: "
            f"-c memoryOf={asked.flow.slice_id}.load={MOST_MEMORY_MB}",
        )


def _merge(asked: Asked, rows: int, given: Given) -> Iterator[TooMuch]:
    """A batch whose keys are spread writes the whole table anew, in as many calls of commit as it takes.

    What the last batch wrote anew is what the next ones do: where that takes longer than the time between two of them, they come ever
    later. Of a table that tells nothing of it, only what no number of calls can do is refused.
    """
    wrote, interval, remedy = asked.rewrote.rows, asked.flow.interval_seconds, _merges_less(asked)
    calls = math.ceil((rows if wrote is None else wrote) / (_pace(given) * (given.seconds - SPARE_SECONDS)))
    seconds = (rows if wrote is None else wrote) / _pace(given)
    table = f"the table holds {rows:,} rows{_of_bytes(asked.stands.bytes)}"
    if wrote is None:
        what = f"{table}, and a batch whose keys are spread over them writes all anew"
    else:
        a_day = f", {_gb((asked.rewrote.bytes or 0) * 86_400 // interval)} a day" if asked.rewrote.bytes else ""
        what = f"{table}, of which its last batch wrote {wrote:,} anew{_of_bytes(asked.rewrote.bytes)}{a_day}"
    if wrote is not None and seconds > interval:
        late = f"{what}: about {seconds / 60:,.0f} minutes of each {interval / 60:,.0f}, so that batches come ever later"
        yield TooMuch(late, remedy)
    elif calls > MOST_CALLS:
        yield TooMuch(f"{what}: {calls:,} calls of commit, and it is given {MOST_CALLS}", remedy)
    elif calls > 1 or (asked.rewrote.bytes or 0) >= TOLD_BYTES:
        yield TooMuch(f"{what}: about {calls:,} calls of commit, {seconds / 60:,.0f} minutes", remedy, refused=False)


def _looked(asked: Asked, given: Given) -> Iterator[TooMuch]:
    """A batch looks for its keys in one call of commit, in all files that may hold one."""
    seconds = (asked.looked or 0) / _processors(given) / LOOKED_ROWS_A_SECOND
    most = min(given.seconds - SPARE_SECONDS, asked.flow.interval_seconds)
    if seconds > most / 2:
        what = (
            f"its last batch looked for its keys among {asked.looked:,} rows: about {seconds / 60:,.0f} minutes of one call of commit"
        )
        yield TooMuch(f"{what}, and it has {most / 60:,.0f}", _merges_less(asked), refused=seconds > most)


def _merges_less(asked: Asked) -> str:
    return (
        "PARTITION BY what a batch has little of, and have it in the key, or MERGE ON a key that grows with time; a longer EVERY; "
        f"more memory is more of a processor: -c memoryOf={asked.flow.slice_id}.commit={MOST_MEMORY_MB}; "
        "of a view, REPLACE by an engine that is given more"
    )


def _of_bytes(size: int | None) -> str:
    return f" ({_gb(size)})" if size else ""


def most_bytes(given: Given) -> int:
    """The bytes of the inputs' files that fit."""
    return int(given_bytes(given) / SPREAD)


def given_bytes(given: Given) -> int:
    return _room(given.memory_mb, given.tmp_mb)


def _room(memory_mb: int, tmp_mb: int) -> int:
    return int((memory_mb * DUCKDB_SHARE + tmp_mb * TMP_SHARE) * 2**20)


def _key_bytes(type_: str) -> int:
    return KEY_BYTES.get(type_.partition("(")[0], FIXED_KEY_BYTES)


def _pace(given: Given) -> float:
    """Rows a second that are written anew."""
    return ROWS_A_SECOND * _processors(given)


def _processors(given: Given) -> float:
    return min(given.memory_mb / WHOLE_PROCESSOR_MB, MOST_PROCESSORS)


def _gb(size: int) -> str:
    return f"{size / 2**30:,.1f} GB"


def _with(asked: Asked) -> str:
    return "" if asked.flow.cursor else "; a CURSOR brings later batches only what changed"
