"""The chain of forms, one call: text ▸ syntax ▸ resolved ▸ typed ▸ plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from language.diagnostics import ProgramErrors, source_text
from language.garbage import without_garbage_collection
from language.graph import check_graph
from language.names import declare
from language.parser import parse
from language.plan import plan
from language.resolve import resolve
from language.resolved import ResolvedProgram
from language.typed import type_program
from shared_metadata.contract.declaration import Slice
from shared_metadata.lineage import Lineage
from shared_metadata.program import Program
from shared_metadata.source_schemas import SourceSchemas


@dataclass(frozen=True)
class Compilation:
    """A compiled program: the plan, the resolved form with the places of everything in it, and what is known of its columns."""

    program: Program
    resolved: ResolvedProgram
    lineage: Lineage | None = None


def compile_sources(sources: Mapping[str, str], slices: Mapping[str, Slice], schemas: SourceSchemas | None = None) -> Compilation:
    """Compiles files in the order of their names. Raises ProgramErrors with every mistake found.

    schemas: of the sources, by connection; None leaves everything untyped: enough to know which slices a program needs.
    """
    with without_garbage_collection():
        files = [source_text(file, sources[file]) for file in sorted(sources)]
        syntax, problems = parse(files)
        names = declare(syntax, slices, problems)
        resolved = resolve(syntax, names, problems)
        check_graph(resolved, names, problems)
        lineage = None
        if schemas is not None:
            resolved, lineage = type_program(resolved, schemas, problems)
        if problems:
            raise ProgramErrors(problems, lineage)
        return Compilation(plan(resolved, sources, lineage), resolved, lineage)
