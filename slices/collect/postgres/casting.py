"""Values as the type to which a statement casts them: what PostgreSQL's own CAST gives, and the condition of what it refuses.

The cast is taken out of the statement (Flow.casts), so that a value which does not fit is one bad row and not the end of the batch.
"""

from __future__ import annotations

import re

from shared_metadata.errors import DefinitionError
from slices.collect.postgres.nested import document_type, is_nested
from slices.collect.postgres.type_mapping import refusing
from systems.postgres.type_mapping import SourceType
from systems.sql_source.dialect import Mapped

_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
_NUMBERS = frozenset({"numeric", "int2", "int4", "int8", "float4", "float8"})
_TEXTS = frozenset({"text", "varchar", "bpchar"})
# What numeric's input takes in all versions, but for NaN and infinity: https://www.postgresql.org/docs/current/datatype-numeric.html
_WRITTEN = r"^\s*[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?\s*$"


def cast_type(source: SourceType, iceberg: str, name: str, place: str) -> Mapped:
    """How a column of the source's type is read as another. Raises DefinitionError where PostgreSQL has no such cast."""
    decimal = _DECIMAL.fullmatch(iceberg)
    if is_nested(iceberg) and source.name == "jsonb" and (document := document_type(iceberg)) is not None:
        return document
    if decimal is None or source.kind != "b" or source.name not in _NUMBERS | _TEXTS:
        raise DefinitionError(
            f"the column {name} cannot be cast to {iceberg}: it is {source.name or 'of a type of the database'}",
            place=place,
            remedy="cast it to a type of its own first, as in CAST(CAST(… AS text) AS …), or take the cast out",
        )
    return _decimal(source.name in _TEXTS, int(decimal[1]), int(decimal[2]))


def _decimal(is_text: bool, precision: int, scale: int) -> Mapped:
    """A decimal rounded to its digits, as CAST rounds; NaN, infinity and numbers with too many digits before the point do not fit."""

    def misfit(column: str) -> str:
        wide = f"coalesce(abs(round({column}::numeric, {scale})) >= '1e{precision - scale}'::numeric, false)"
        if is_text:
            return f"(CASE WHEN {column} !~ '{_WRITTEN}' THEN true ELSE {wide} END)"
        special = f"{column}::text IN ('NaN', 'Infinity', '-Infinity')"
        return f"(CASE WHEN {special} THEN true ELSE {wide} END)"

    def expression(column: str) -> str:
        value = f"CASE WHEN {misfit(column)} THEN {refusing(column, 'numeric')} ELSE {column}::numeric END"
        return f"({value})::numeric({precision},{scale})"

    return Mapped(f"decimal({precision},{scale})", expression, misfit)
