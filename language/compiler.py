"""The chain of forms, one call: text ▸ syntax ▸ resolved ▸ plan."""

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
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Program


@dataclass(frozen=True)
class Compilation:
    """A compiled program: the plan, and the resolved form with the places of everything in it."""

    program: Program
    resolved: ResolvedProgram


def compile_sources(sources: Mapping[str, str], slices: Mapping[str, Slice]) -> Compilation:
    """Compiles files in the order of their names. Raises ProgramErrors with every mistake found."""
    with without_garbage_collection():
        files = [source_text(file, sources[file]) for file in sorted(sources)]
        syntax, problems = parse(files)
        names = declare(syntax, slices, problems)
        resolved = resolve(syntax, names, problems)
        check_graph(resolved, names, problems)
        if problems:
            raise ProgramErrors(problems)
        return Compilation(plan(resolved, sources), resolved)
