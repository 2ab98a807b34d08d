"""What holds of every text: it compiles, or its mistakes have places, causes and remedies; its layout is stable."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlglot

from language import ProgramErrors, compile_program, compile_with_positions, format_program
from language.compiler import Compilation
from language.text.diagnostics import source_text
from shared_metadata.contract.declaration import Slice
from shared_metadata.program.source_schemas import ConnectionSchemas, SourceSchemas

FILE = "p.sql"
_SQL = {"query", "filter", "predicate", "source"}


def airline() -> SourceSchemas:
    """The snapshots of the reference project's sources."""
    files = (Path(__file__).parents[2] / "examples" / "airline" / "schemas").glob("*.json")
    return {file.stem: ConnectionSchemas.from_json(file.read_text()) for file in files}


def check_text(text: str, slices: Mapping[str, Slice], schemas: SourceSchemas | None = None) -> Compilation | None:
    """Fails with AssertionError, or whatever else the compiler raises, for a text that is not answered well.

    Gives what the text compiled to, if it did; schemas: to type it as well.
    """
    try:
        compiled = compile_with_positions({FILE: text}, slices, schemas)
    except ProgramErrors as errors:
        compiled = None
        check_errors(errors, text)
    formatted = _check_layout(text)
    if compiled is not None:
        assert formatted is not None, "what compiles can be laid out"
        assert meaning(formatted, slices) == meaning(text, slices), "the layout means something else"
    return compiled


def check_errors(errors: ProgramErrors, text: str) -> None:
    """Every mistake has a place in the text, a cause and a remedy, and can be shown."""
    lines = source_text(FILE, text).text.split("\n")
    assert errors.diagnostics
    for found in errors.diagnostics:
        assert found.file == FILE and 1 <= found.line <= len(lines)
        line = lines[found.line - 1]
        assert line.startswith(found.source_line) and not line[len(found.source_line) :].strip("\r")
        assert 1 <= found.column <= len(line) + 1 and found.length >= 1
        assert found.cause.strip() and found.remedy.strip()
        assert "Traceback" not in found.cause and "sqlglot" not in found.cause
    assert str(errors) and json.dumps(errors.to_dict())


def _check_layout(text: str) -> str | None:
    try:
        formatted = format_program(text, FILE)
    except ProgramErrors as errors:
        check_errors(errors, text)
        return None
    assert format_program(formatted, FILE) == formatted, "the layout is not stable"
    return formatted


def meaning(text: str, slices: Mapping[str, Slice]) -> Any:
    """The plan without places, its SQL as tokens."""
    plain = json.loads(compile_program({FILE: text}, slices).to_json())
    del plain["sources"]
    return _stripped(plain)


def _stripped(value: Any, key: str = "") -> Any:
    if isinstance(value, dict) and "means" in value:
        return value["means"]  # of a place in a text
    if isinstance(value, dict):
        return {k: _stripped(v, k) for k, v in value.items() if k != "position"}
    if isinstance(value, list):
        return [_stripped(item) for item in value]
    if key in _SQL:
        tokens = sqlglot.tokenize(value, read="duckdb")
        return [t.text if value[t.start] in "'\"" else t.text.upper() for t in tokens]
    return value
