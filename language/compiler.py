"""The chain of forms, one call: text ▸ syntax ▸ resolved ▸ typed ▸ plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from language.cache.statements import Memo
from language.cache.workers import ALONE, Crew, crew_for
from language.forms.resolved import ResolvedProgram
from language.parse.parser import parse
from language.plan import plan
from language.resolve.functions import declare_functions
from language.resolve.graph import check_graph
from language.resolve.masks import check_mask_keys
from language.resolve.names import declare
from language.resolve.resolve import resolve
from language.text.diagnostics import ProgramErrors, source_text
from language.text.no_gc import without_garbage_collection
from language.typed.program import TypedProgram, type_program
from language.typed.untyped import check_untyped
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Program
from shared_metadata.program.lineage import Lineage
from shared_metadata.program.source_schemas import SourceSchemas


@dataclass(frozen=True)
class Compilation:
    """A compiled program: the resolved form with the places of everything in it, and what follows from it.

    outline: the plan but for `lineage`, whose version alone needs every column's place.  schemas: what it was typed by.
    """

    resolved: ResolvedProgram
    outline: Program
    typed: TypedProgram | None = None
    schemas: SourceSchemas = field(default_factory=dict)

    @cached_property
    def lineage(self) -> Lineage | None:
        """What is known of the program's columns; None where it was not typed."""
        return self.typed.lineage() if self.typed is not None else None

    @cached_property
    def program(self) -> Program:
        """The whole plan."""
        return dataclasses.replace(self.outline, lineage=self.lineage.version) if self.lineage is not None else self.outline


def compile_sources(
    sources: Mapping[str, str], slices: Mapping[str, Slice], schemas: SourceSchemas | None = None, memo: Memo | None = None
) -> Compilation:
    """Compiles files in the order of their names. Raises ProgramErrors with every mistake found.

    schemas: of the sources, by connection; None leaves everything untyped: enough to know which slices a program needs.
    memo: what it knows is not compiled again, and it learns what is new; the result is the same without it.
    """
    with without_garbage_collection(), crew_for(sum(map(len, sources.values())), memo) as crew:
        try:
            return _compile(sources, slices, schemas, memo, crew)
        except ProgramErrors:
            if memo is None or crew.count == 1:
                raise
    memo.begin_again()  # errors are collected by one process, in the files' order
    return _compile(sources, slices, schemas, memo, ALONE)


def _compile(
    sources: Mapping[str, str], slices: Mapping[str, Slice], schemas: SourceSchemas | None, memo: Memo | None, crew: Crew
) -> Compilation:
    files = [source_text(file, sources[file]) for file in sorted(sources)]
    syntax, problems = parse(files, memo, crew)
    names = declare(syntax, slices, problems)
    declare_functions(syntax, names, problems)
    names.schemas = schemas
    resolved = resolve(syntax, names, problems, memo, crew)
    check_graph(resolved, names, problems)
    check_mask_keys(resolved, problems)
    typed = None
    if schemas is not None:
        typed = type_program(resolved, schemas, problems, memo, crew)
        resolved = typed.program
    else:
        check_untyped(resolved, problems)
    crew.leave()
    if problems:
        raise ProgramErrors(problems, typed.lineage() if typed is not None else None)
    return Compilation(resolved, plan(resolved, sources, typed, slices, schemas), typed, schemas or {})
