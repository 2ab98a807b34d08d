"""The process in which a function's own code runs: reads what it is given, calls the handler, writes what it gives.

It has no key of AWS's, and files for all that it says: an answer, which never holds a value, and the traceback on its log.
"""

from __future__ import annotations

import collections.abc
import contextlib
import importlib
import inspect
import json
import sys
import traceback
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shared_metadata.program import from_plain
from shared_metadata.program.schema import SchemaColumn
from slices.organize.pyfunctions.function.conforming import Misfit, arrow_schema, conformed
from slices.organize.pyfunctions.logic import ANSWER, MADE, Handler

_LOG = "its log has the traceback"
_ITERATORS = (collections.abc.Iterator, collections.abc.Iterable, collections.abc.Generator)
Columns = tuple[SchemaColumn, ...]


class Failed(Exception):
    """The call failed; its text names code and columns, and no value."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy


def main(file: str) -> None:
    """file: of the job, as JSON; the answer is written beside it."""
    job = json.loads(Path(file).read_text())
    try:
        answer: dict[str, Any] = {"rows": _run(job, Path(file).with_name(MADE))}
    except Failed as error:
        answer = {"error": {"what": error.what, "remedy": error.remedy}}
    Path(file).with_name(ANSWER).write_text(json.dumps(answer))


def _run(job: Mapping[str, Any], into: Path) -> int:
    handler = Handler.of(job["handler"])
    takes, returns = (tuple(from_plain(SchemaColumn, column) for column in job[key]) for key in ("takes", "returns"))
    function = _loaded(handler)
    given: Any = _batches(job["given"], takes)
    with _errors(handler):
        if not _takes_batches(function):
            given = pa.Table.from_batches(given, arrow_schema(takes))
        result = function(given)
    rows = 0
    with pq.ParquetWriter(into, arrow_schema(returns), compression="zstd") as writer:
        for part in _parts(result, handler):
            try:
                made = conformed(part, returns)
            except Misfit as error:
                raise Failed(f"{handler} {error}", "mend the handler, or what RETURNS says") from None
            writer.write_table(made)
            rows += made.num_rows
    return rows


def _loaded(handler: Handler) -> Callable[[Any], Any]:
    with _errors(handler):
        try:
            found: Any = getattr(importlib.import_module(handler.module), handler.function, None)
        except ModuleNotFoundError as error:
            traceback.print_exc()
            remedy = f"put its package into {handler.requirements}, or the module into {handler.folder}/"
            raise Failed(f"{handler} imports {error.name}, which is not there", remedy) from None
    if not callable(found):
        raise Failed(f"{handler.file} has no function {handler.function}", "name one that it has: handler = 'module:function'")
    made: Callable[[Any], Any] = found
    return made


def _takes_batches(function: Callable[..., Any]) -> bool:
    """Whether the handler's parameter is annotated as an iterator, of record batches."""
    with contextlib.suppress(Exception):  # of annotations that name what is not there
        hints, names = typing.get_type_hints(function), [*inspect.signature(function).parameters]
        kind = hints.get(names[0]) if names else None
        return (typing.get_origin(kind) or kind) in _ITERATORS
    return False


def _batches(files: list[str], takes: Columns) -> Iterator[pa.RecordBatch]:
    schema = arrow_schema(takes)
    for file in files:
        with pq.ParquetFile(file) as opened:
            for batch in opened.iter_batches():
                yield batch.cast(schema)


def _parts(result: Any, handler: Handler) -> Iterator[pa.Table]:
    """What the handler gives, as tables. It goes on working while they are taken."""
    if isinstance(result, pa.Table):
        yield result
        return
    if isinstance(result, pa.RecordBatch) or not isinstance(result, collections.abc.Iterable):
        raise Failed(f"{handler} gave a {type(result).__name__}", "return a pyarrow.Table, or an iterator of pyarrow.RecordBatch")
    batches = iter(result)
    while True:
        with _errors(handler):
            batch = next(batches, None)
        if batch is None:
            return
        if not isinstance(batch, pa.RecordBatch):
            raise Failed(f"{handler} gave an iterator of {type(batch).__name__}", "let it give pyarrow.RecordBatch")
        yield pa.Table.from_batches([batch])


@contextlib.contextmanager
def _errors(handler: Handler) -> Iterator[None]:
    """Errors of the handler's code become one that names the error, the file and the line; the traceback goes to the log."""
    try:
        yield
    except Failed:
        raise
    except MemoryError:
        traceback.print_exc()
        raise Failed(f"{handler} needs more memory than it has", "give it more: memory_mb in CREATE FUNCTION") from None
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        where = f"/{handler.folder}/"
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if where in frame.filename]
        places = [f"{frame.filename[frame.filename.rindex(where) + 1 :]}:{frame.lineno}" for frame in own[-1:]]
        raise Failed(f"{handler} raised {type(error).__name__} at {places[0] if places else handler.file}", _LOG) from None


if __name__ == "__main__":
    main(sys.argv[1])
