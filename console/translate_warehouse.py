"""What `atoll translate` does where a program goes to another warehouse: which there are, and the statements beside its queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from console.cache import ProjectCache
from console.project import compile_texts
from console.wording import names_of
from language.text.diagnostics import Diagnostic, ProgramErrors, did_you_mean
from shared_metadata.contract.declaration import Slice
from shared_metadata.errors import InputError
from slices.registry import installed

if TYPE_CHECKING:
    from language.compiler import Compilation
    from language.translate.statements import Goal, Rewritten


def computes(system: str, engine: str) -> Slice:
    """The slice with that engine for a warehouse of this system, or that keeps warehouses of another. Raises InputError."""
    from language.sql.meanings.forms import translated_dialects

    organizers = [one for one in installed().values() if one.stage == "organize"]
    engines = {one.engine: one for one in organizers if one.works_in == system and one.engine}
    warehouses = {one.system: one for one in organizers if not one.warehouse and one.system != system}
    found = engines.get(engine) or warehouses.get(engine)
    if found is None:
        able = [name for name, one in warehouses.items() if one.capabilities.dialect in translated_dialects()]
        remedy = did_you_mean(engine, [*engines, *able])
        remedy += f"its engines are {', '.join(sorted(engines)) or 'none'}; other warehouses are {', '.join(sorted(able))}"
        raise InputError(f"there is no engine `{engine}` for a warehouse of {system}", remedy=remedy)
    if found.capabilities.dialect not in translated_dialects():
        remedy = "write its queries by hand; `atoll check` reads them"
        raise InputError(f"of {found.title}'s SQL it is not known here what means the same in another", remedy=remedy)
    return found


def with_warehouse(compilation: Compilation, goal: Goal, options: str) -> Iterator[Rewritten]:
    """CREATE WAREHOUSE, and what is collected into it. Raises InputError."""
    from language.forms.resolved import Collect
    from language.translate.statements import rewritten_collect, rewritten_warehouse

    assert compilation.lineage is not None
    statements = compilation.resolved.statements
    warehouses = {one.warehouse.name.folded: one.warehouse for one in statements if one.warehouse.system.folded != goal.engine}
    if len(warehouses) > 1:
        remedy = "write over the views of one by name, and its CREATE WAREHOUSE by hand"
        raise InputError(
            f"the program has several warehouses that would go to {goal.engine}: {names_of([*warehouses])}", remedy=remedy
        )
    for warehouse in warehouses.values():
        yield rewritten_warehouse(warehouse, goal.engine, options)
    for one in statements:
        if isinstance(one, Collect) and one.warehouse.name.folded in warehouses:
            yield rewritten_collect(one, goal, compilation.lineage)


def mistakes_of(sources: Mapping[str, str], snapshots: Mapping[str, str], found: Sequence[Rewritten]) -> tuple[Diagnostic, ...]:
    """What the program has as mistakes when it is written over, but for those of statements that are still to be written."""
    from language.translate.statements import with_statements

    texts = with_statements(sources, tuple(one for one in found if not one.problems))
    left = [_lines(texts, one) for one in found if one.problems]
    try:
        compile_texts(texts, snapshots, ProjectCache(()))
    except ProgramErrors as errors:
        return tuple(one for one in errors.diagnostics if not any(one.file == file and one.line in lines for file, lines in left))
    return ()


def _lines(texts: Mapping[str, str], one: Rewritten) -> tuple[str, range]:
    """Where a statement that has stayed as it was stands now."""
    text, file = texts[one.span.source.file], one.span.source.file
    first = text[: text.index(one.span.text)].count("\n") + 1
    return file, range(first, first + one.span.text.count("\n") + 1)
