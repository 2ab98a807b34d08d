"""The bytes of what is kept of a statement: its forms with places relative to its text, so that they hold wherever that text stands.

Pickle does the work, and may make nothing but the data classes named here and the queries that dialects declare: no bytes, wherever
they come from, can run code by being read. Endpoints, slices and the statement itself are left out and put in again by name.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from functools import cache
from typing import Any

from language.forms.resolved import Collect, CollectTable, Input, MaskedPath, Publish, Settings, View
from language.forms.syntax import (
    Clauses,
    CreateCoded,
    CreateConnection,
    CreateFunction,
    CreateView,
    CreateWarehouse,
    CursorClause,
    DeclaredColumn,
    Duration,
    Expect,
    Insert,
    MaskedColumn,
    ModeClause,
    Name,
    Option,
    Parameter,
    Part,
    TableList,
    Tolerate,
    TolerateBadRows,
)
from language.sql.dialect import dialect, dialect_of
from language.text.diagnostics import Span
from language.text.statement_texts import StatementText
from shared_metadata.program import Column, Mask, Mode
from shared_metadata.program.schema import Schema, SchemaColumn

_DATA = (
    *(Clauses, CreateConnection, CreateView, CreateWarehouse, Duration, Expect, Insert, MaskedColumn, ModeClause, Name, Option),
    *(CreateCoded, CreateFunction, CursorClause, DeclaredColumn, Parameter, Part, TableList, Tolerate, TolerateBadRows),
    *(Collect, CollectTable, Input, MaskedPath, Publish, Settings, View, Column, Mask, Mode),
    *(Schema, SchemaColumn),
)
_CLASSES = {(kind.__module__, kind.__qualname__): kind for kind in _DATA}


class Unusable(Exception):
    """Bytes that were not written by this module, or that speak of something which is no longer there."""


def dump(value: object, text: StatementText, known: Mapping[str, object]) -> bytes:
    """`value`, all of whose places lie in `text`; the objects in `known` are written as their names."""
    file = io.BytesIO()
    _pickler(file, text, known).dump(value)
    return file.getvalue()


def load(data: bytes, text: StatementText, known: Mapping[str, object]) -> Any:
    """What `dump` wrote, at the places where the text stands now. Raises Unusable."""
    try:
        return _Unpickler(io.BytesIO(data), text, known).load()
    except Exception as error:  # of damaged bytes pickle raises nearly anything
        raise Unusable from error


def dump_plain(value: object) -> bytes:
    """Numbers, strings, bytes, and dicts, lists and tuples of them."""
    return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)


def load_plain(data: bytes) -> Any:
    """What `dump_plain` wrote. Raises Unusable."""
    try:
        return _Plain(io.BytesIO(data)).load()
    except Exception as error:
        raise Unusable from error


def _span(start: int, end: int) -> Span:
    raise NotImplementedError  # stands in the bytes for the reader's own


def _known(name: str) -> object:
    raise NotImplementedError


def _pickler(file: io.BytesIO, text: StatementText, known: Mapping[str, object]) -> pickle.Pickler:
    """Writes places relative to the text, and the objects that are known as their names."""
    start = text.start
    names = {id(found): name for name, found in known.items()}

    def span(found: Span) -> tuple[Any, ...]:
        return _span, (found.start - start, found.end - start)

    def named(found: object) -> tuple[Any, ...]:
        return _known, (names[id(found)],)

    pickler = pickle.Pickler(file, pickle.HIGHEST_PROTOCOL)
    left_out = {type(found): named for found in known.values()}
    pickler.dispatch_table = {**left_out, Span: span}
    return pickler


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, text: StatementText, known: Mapping[str, object]) -> None:
        super().__init__(file)
        self._source, self._base, self._known = text.source, text.start, known.__getitem__

    def find_class(self, module: str, name: str) -> Any:
        if module == __name__:
            return {"_span": self._span, "_known": self._known}[name]
        return _CLASSES.get((module, name)) or _query_class(module, name)

    def _span(self, start: int, end: int) -> Span:
        return Span(self._source, self._base + start, self._base + end)


@cache
def _query_class(module: str, name: str) -> type:
    """One that the dialect declares in whose folder it stands. Raises KeyError, Unusable."""
    found = dialect_of(module)
    if found is None:
        raise Unusable
    return {(kind.__module__, kind.__qualname__): kind for kind in dialect(found).kept}[module, name]


class _Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        raise Unusable
