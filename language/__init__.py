"""The language: a data program's text becomes a plan, by a chain of named forms, each made by one module.

    text ─ tokens ▸ parser ─▶ syntax ─ resolve ─▶ resolved ─ typed ─▶ resolved, lineage ─ plan ─▶ shared_metadata.program.Program

Importing this package is cheap: the compiler, and sqlglot with it, is imported by the first call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from language.text import plugins
from language.text.diagnostics import Diagnostic, ProgramErrors
from language.text.recursion import bounded_recursion
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Program
from shared_metadata.program.source_schemas import SourceSchemas

if TYPE_CHECKING:
    from language.cache.statements import Memo
    from language.compiler import Compilation

plugins.put_off()

__all__ = ["Diagnostic", "ProgramErrors", "compile_program", "compile_with_positions", "format_program"]


def compile_program(sources: Mapping[str, str], slices: Mapping[str, Slice], schemas: SourceSchemas | None = None) -> Program:
    """The plan of the program whose files are `sources` (name to text), for the installed `slices` (by id).

    schemas: of the sources, by connection; with None nothing is typed.  Raises ProgramErrors, which holds every mistake found.
    """
    return compile_with_positions(sources, slices, schemas).program


def compile_with_positions(
    sources: Mapping[str, str], slices: Mapping[str, Slice], schemas: SourceSchemas | None = None, memo: Memo | None = None
) -> Compilation:
    """Compiles to the plan, its resolved form and the columns' lineage; `memo` saves work, and learns."""
    from language.compiler import compile_sources

    with bounded_recursion():
        return compile_sources(sources, slices, schemas, memo)


def format_program(text: str, file: str) -> str:
    """`text` laid out in the one standard way; the program means the same. Raises ProgramErrors for syntax errors."""
    from language.format.program import format_text

    with bounded_recursion():
        return format_text(text, file)
