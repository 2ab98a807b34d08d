"""`atoll translate`: writes the queries of views over to another engine of their warehouse, or a program to another warehouse."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from console.cache import ProjectCache
from console.check import write_file
from console.empty_program import first_statement
from console.project import compile_texts, read_snapshots, read_sources, show_errors
from console.target import json_option
from console.translate_warehouse import computes, mistakes_of, with_warehouse
from console.wording import counted
from language.text.diagnostics import Diagnostic, ProgramErrors, did_you_mean
from shared_metadata.errors import InputError

if TYPE_CHECKING:
    from language.compiler import Compilation
    from language.translate.statements import Goal, Rewritten


@click.command(short_help="Write queries over to another engine's SQL.")
@click.argument("views", nargs=-1)
@click.option("--to", "engine", required=True, metavar="ENGINE", help="An engine of the views' warehouse, or another warehouse.")
@click.option("--with", "options", default="", metavar="OPTIONS", help="Of another warehouse: what stands in its WITH (…).")
@click.option("--write", is_flag=True, help="Change the program's files, instead of showing the statements.")
@json_option
def translate(views: tuple[str, ...], engine: str, options: str, write: bool, as_json: bool) -> None:
    """Write the queries of VIEWS over to ENGINE's SQL, with their USING clause (default: all views and published queries of this
    folder's program that another engine computes).

    A query is written over only where each part of it is known to mean the same to both engines, by a test over rows that tell them
    apart; what is not is shown at its place, and its statement stays as it is. A query is read by ENGINE's dialect before it is
    shown, with the same columns and types. Comments and lines stay where the words around them do. Exit code 1 when a statement
    could not be written over.

    Where ENGINE is another warehouse, as redshift, the warehouse itself becomes one: CREATE WAREHOUSE, what is collected into it and
    all that reads it. What cannot be written over is then yours to write in its SQL; `atoll check` finds it.

    \b
      atoll translate lake.ops.carrier_day --to athena
      atoll translate --to spark --write               the whole program
      atoll translate --to redshift --with "managed = TRUE" --write
    """
    sources = read_sources(())
    snapshots = read_snapshots(sources)
    try:
        compilation = compile_texts(sources, snapshots or {}, ProjectCache(()))
    except ProgramErrors as errors:
        show_errors(errors, as_json)
    goal, found = _rewritten(compilation, views, engine, options)
    _refuse_halves(goal, views, options, write)
    sound = found if goal.moves else _compiled(sources, snapshots or {}, found)
    mistakes = mistakes_of(sources, snapshots or {}, found) if goal.moves and not views else ()
    done = tuple(one for one in sound if not one.problems)
    if write and done:
        from language.translate.statements import with_statements

        for file, text in with_statements(sources, done).items():
            if text != sources[file]:
                write_file(file, text)
    shown = tuple(one for one in sound if one.edits or one.problems)
    click.echo(_as_json(shown, goal, write, mistakes) if as_json else _shown(shown, goal, write, compilation))
    _end([*(problem for one in sound for problem in one.problems), *mistakes], as_json)


def _end(wrong: Sequence[Diagnostic], as_json: bool) -> None:
    """Ends the command with what is wrong, if anything is."""
    if wrong and not as_json:
        click.echo(str(ProgramErrors(wrong)), err=True)
    if wrong:
        raise SystemExit(1)


def _refuse_halves(goal: Goal, views: Sequence[str], options: str, write: bool) -> None:
    """Raises InputError for a part of a warehouse that is to go to another, and for options of one that stays."""
    if goal.moves and views and write:
        raise InputError(f"a warehouse goes to {goal.engine} as a whole", remedy="leave the names of views out, or leave --write out")
    if options and not goal.moves:
        remedy = f"leave it out: {goal.engine} computes in the warehouse that is there"
        raise InputError("--with is of another warehouse", remedy=remedy)


def _rewritten(compilation: Compilation, views: Sequence[str], engine: str, options: str) -> tuple[Goal, tuple[Rewritten, ...]]:
    """Where the statements go to, and each that is to go there. Raises InputError."""
    from language.forms.resolved import Collect
    from language.translate.statements import Goal, Rewritten, name_of, rewritten

    statements = {name_of(one): one for one in compilation.resolved.statements if not isinstance(one, Collect)}
    known = {name.lower(): name for name in statements}
    for name in views:
        if name.lower() not in known:
            remedy = did_you_mean(name, statements) + "name a view, or what is published"
            raise InputError(f"the program makes no view `{name}`", remedy=remedy)
    assert compilation.lineage is not None
    chosen = [statements[known[name.lower()]] for name in dict.fromkeys(views)] or [*statements.values()]
    goal, found = Goal(engine, ""), list[Rewritten]()
    for one in chosen:
        slice_ = computes(one.warehouse.system.folded, engine)
        if slice_.id != one.organizer.id:
            goal = Goal(engine, slice_.capabilities.dialect, moves=slice_.works_in != one.warehouse.system.folded)
            found.append(rewritten(one, goal, compilation.lineage))
    if goal.moves and not views:
        found = [*with_warehouse(compilation, goal, options), *found]
    return goal, tuple(found)


def _compiled(sources: Mapping[str, str], snapshots: Mapping[str, str], found: tuple[Rewritten, ...]) -> tuple[Rewritten, ...]:
    """The statements, those with mistakes that the whole program has with them and not without."""
    from language.translate.statements import with_statements

    done = tuple(one for one in found if not one.problems)
    if not done:
        return found
    try:
        compile_texts(with_statements(sources, done), snapshots, ProjectCache(()))
    except ProgramErrors as errors:
        if len(done) == 1:
            (one,) = done
            return tuple(_refused(each, errors.diagnostics) if each is one else each for each in found)
        checked = {one.name: _compiled(sources, snapshots, (one,))[0] for one in done}
        return tuple(checked.get(one.name, one) for one in found)
    return found


def _refused(one: Rewritten, diagnostics: Sequence[Diagnostic]) -> Rewritten:
    """A statement of which the compiler says these things when it is written over; their places are those of the statement's name."""
    place = one.span.diagnostic("", "")
    said = tuple(replace(place, length=1, cause=f"written over, {each.cause}", remedy=each.remedy) for each in diagnostics)
    return replace(one, edits=(), problems=said)


def _shown(found: Sequence[Rewritten], goal: Goal, write: bool, compilation: Compilation) -> str:
    return "\n".join(_lines(found, goal, write, compilation))


def _lines(found: Sequence[Rewritten], goal: Goal, write: bool, compilation: Compilation) -> Iterator[str]:
    engine = goal.engine
    if lacking := first_statement(compilation.program):
        yield lacking
        return
    if not found:
        yield f"Nothing to write over: {engine} computes all of it."
    for one in found:
        if not one.problems and not write:
            yield f"-- {one.name}, {one.span.position}\n{one.text}\n"
        elif not one.problems:
            yield f"{one.name} is {engine}'s now, {one.span.position}"
    left = sum(bool(one.problems) for one in found)
    if left and goal.moves:
        whose = "is" if left == 1 else "are"
        yield f"{counted(left, 'statement')} cannot be written over, and {whose} yours to write in {engine}'s SQL:"
    elif left:
        yield (
            f"{counted(left, 'statement')} cannot be written over, and stays as it is:"
            if left == 1
            else (f"{counted(left, 'statement')} cannot be written over, and stay as they are:")
        )
    elif found and not write:
        yield "`--write` writes it into the program; `atoll plan` then tells what is made anew."


def _as_json(found: Sequence[Rewritten], goal: Goal, write: bool, mistakes: Sequence[Diagnostic]) -> str:
    said: list[dict[str, Any]] = []
    for one in found:
        errors = ProgramErrors([*one.problems]).to_dict()["errors"] if one.problems else []
        shown = {"statement": one.text if not one.problems else "", "written": write and not one.problems}
        said.append({"dataset": one.name, "position": str(one.span.position), "engine": goal.engine, **shown, "errors": errors})
    of_all = ProgramErrors(mistakes).to_dict() if goal.moves else {}
    return json.dumps({"statements": said, **of_all}, indent=2)
