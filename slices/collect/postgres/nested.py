"""Documents (jsonb) as the lists, maps and structs that a statement says they are: which fit, and how DuckDB makes values of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count

from shared_metadata.contract.parquet.duckdb_session import literal
from shared_metadata.contract.parquet.duckdb_types import duckdb_name
from shared_metadata.program.type_names import TypeName, parsed
from slices.collect.postgres.type_mapping import refusing
from systems.sql_source.dialect import Mapped

# JSON has no other kinds of values; what a document writes as text, a date or a decimal, is text.
ATOMS = frozenset({"boolean", "int", "long", "double", "string"})
_KINDS = {"boolean": "boolean", "string": "string", "list": "array", "map": "object", "struct": "object"}
_RANGES = {
    "int": f"BETWEEN {-(2**31)} AND {2**31 - 1}",
    "long": f"BETWEEN {-(2**63)} AND {2**63 - 1}",
    "double": "BETWEEN '-1.7976931348623157e308'::numeric AND '1.7976931348623157e308'::numeric",
}
_POINTED = r"\.0+([],}]|$)"
# DuckDB reads a number with a point as a double, and rounds it: a text stays as it is, whatever it holds, and of a number stay the
# digits before a point that only zeros follow. jsonb writes no exponents.
_TEXT_OR_WHOLE = r'("(?:[^"\\]|\\.)*")|(-?[0-9]+)\.0+(?=[],}]|$)'
SMALLEST = "2.4703282292062328e-324"  # what is nearer to zero would become it as a double


def is_nested(iceberg: str) -> bool:
    return "<" in iceberg


def document_type(iceberg: str) -> Mapped | None:
    """How a jsonb column is read; None for a type with parts that no document has."""
    wanted = parsed(iceberg)
    if not _possible(wanted):
        return None

    def misfit(column: str) -> str:
        return _unfit(column, wanted, count())

    def expression(column: str) -> str:
        refused = f"WHEN {misfit(column)} THEN {refusing(column, 'jsonb')}::text"
        whole = f"WHEN {column}::text ~ '{_POINTED}' THEN regexp_replace({column}::text, '{_TEXT_OR_WHOLE}', '\\1\\2', 'g')"
        return f"(CASE {refused} {whole} ELSE {column}::text END)"

    return Mapped(str(wanted), expression, misfit)


def read_document(column: str, iceberg: str) -> str:
    """DuckDB's expression of a value from the document's text; keys that the type does not name are left out."""
    return f"json_transform({column}, {literal(_quoted(duckdb_name(parsed(iceberg))))})"


def _quoted(text: str) -> str:
    return json.dumps(text)


def _possible(wanted: TypeName) -> bool:
    if wanted.word == "map" and wanted.parts[0].word != "string":
        return False
    return all(map(_possible, wanted.parts)) if wanted.parts else wanted.word in ATOMS


def _unfit(value: str, wanted: TypeName, names: Iterator[int]) -> str:
    """The condition of a jsonb value that does not fit; what is null or not there does."""
    kind = f"coalesce(jsonb_typeof({value}), 'null')"
    inner = "false"
    if wanted.word in _RANGES:
        number = f"({value})::numeric"
        whole = f"{number} <> trunc({number}) OR " if wanted.word != "double" else ""
        tiny = f" OR {number} <> 0 AND abs({number}) < '{SMALLEST}'::numeric" if wanted.word == "double" else ""
        inner = f"{whole}{number} NOT {_RANGES[wanted.word]}{tiny}"
    elif wanted.word in ("list", "map"):
        part, function = f"e{next(names)}", "jsonb_array_elements" if wanted.word == "list" else "jsonb_each"
        named = f"{part} (v)" if wanted.word == "list" else f"{part} (k, v)"
        inner = f"EXISTS (SELECT FROM {function}({value}) AS {named} WHERE {_unfit(f'{part}.v', wanted.parts[-1], names)})"
    elif wanted.word == "struct":
        inner = " OR ".join(_unfit(f"({value} -> {literal(name)})", part, names) for name, part in wanted.named())
    return f"(CASE {kind} WHEN 'null' THEN false WHEN '{_KINDS.get(wanted.word, 'number')}' THEN {inner} ELSE true END)"
