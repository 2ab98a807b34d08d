"""A function's code in the project's folder: whether it is there, and a digest of all of it."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shared_metadata import naming
from shared_metadata.contract.apart.requirements import check_pinned
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Call, Flow
from shared_metadata.program.schema import Schema
from shared_metadata.program.type_names import parsed, words
from slices.organize.pyfunctions.config import FunctionOptions
from slices.organize.pyfunctions.logic import Handler, step
from slices.organize.pyfunctions.slice import SLICE

# https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html, FunctionName
MOST_CHARACTERS = 64 - len(naming.function(SLICE.id, step("")))
_OURS = ("apart", "conductor", "console", "infra", "language", "shared_metadata", "slices", "systems", "tests")
_NEVER = ("uuid", "map")
_NOT_CODE = {"__pycache__", "tests"}


def check(flow: Flow, tables: Mapping[str, Schema]) -> None:
    """See `Slice.check`."""
    for call in flow.calls:
        _check(call, f"the function {call.function} ({call.position})")


def _check(call: Call, place: str) -> None:
    handler = Handler.of(FunctionOptions.read(call.options, place=place).handler)
    if len(call.function) > MOST_CHARACTERS:
        raise DefinitionError(f"{place} has a name of more than {MOST_CHARACTERS} characters", remedy="call it by a shorter one")
    if handler.folder in _OURS or handler.folder in sys.stdlib_module_names:
        cause = f"{place} is in {handler.folder}/, which is the name of a package that it runs beside"
        raise DefinitionError(cause, remedy="put it into a folder of another name")
    if not Path(handler.file).is_file():
        raise DefinitionError(f"{place} has its handler in {handler.file}, which is not there", remedy="write it, or correct handler")
    if Path(handler.requirements).is_file():
        check_pinned(Path(handler.requirements), "", f"uv pip compile --generate-hashes writes {handler.requirements} so")
    for column in (*call.takes, *call.returns):
        if wrong := sorted({*words(parsed(column.type))} & {*_NEVER}):
            cause = f"{place} has a column {column.name} of {column.type}, and {wrong[0]} is nothing that it is given, or gives"
            raise DefinitionError(cause, remedy="CAST it to VARCHAR where it is called, and declare it so")


def code_of(options: Mapping[str, Any]) -> str:
    """See `Slice.code_of`."""
    handler = options.get("handler")
    if not isinstance(handler, str) or ":" not in handler or not Path(Handler.of(handler).folder).is_dir():
        return ""
    found = hashlib.sha256()
    for file in _files(Path(Handler.of(handler).folder)):
        found.update(f"{file.as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return found.hexdigest()[:16]


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.rglob("*")) if file.is_file() and not _NOT_CODE & {*file.parts})
