"""`atoll test`: tries views and functions of the program on rows that are written beside them, without any account."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.project import decoded_file, read_snapshots, read_sources
from console.table import aligned
from console.target import json_option
from console.wording import counted
from language.text.diagnostics import Diagnostic, ProgramErrors, source_text
from shared_metadata.errors import InputError

if TYPE_CHECKING:
    from console.trial_run import Outcome
    from language.forms.trials import Trial

FOLDER = "tests"
SHOWN = 10  # rows of a difference
_EXAMPLE = """write one into tests/, as in
  TEST a_day OF lake.ops.carrier_day
    GIVEN lake.ops.flights CSV $$
      carrier, dep_delay
      AA,      10
    $$
    EXPECT CSV $$
      carrier, mean_delay
      AA,      10
    $$;"""


@click.command("test", short_help="Try views on rows written beside them.")
@click.argument("files", nargs=-1)
@json_option
def trial(files: tuple[str, ...], as_json: bool) -> None:
    """Run the tests in FILES (default: tests/*.sql beside the program): each gives a view's inputs rows and says which it makes.

    \b
      TEST a_day_of_two_carriers OF lake.ops.carrier_day
        AT '2026-01-01T00:00:00Z'                            the batch's start, where the query says batch_start()
        GIVEN lake.ops.flights CSV $$
          carrier, dep_delay, time_hour
          AA,      10,        2026-01-01T08:00:00Z
          UA,      ,          2026-01-01T09:00:00Z
        $$
        EXPECT CSV $$
          carrier, flights, mean_delay
          AA,      1,       10
          UA,      1,
        $$;

    Rows are CSV, CSV FROM 'file.csv' beside the test, a query in parentheses, or NO ROWS. An empty cell is null. Columns that are
    left out are null where rows are given, and not compared where they are expected; the order of rows does not count. An input that
    is not given has no rows.

    The view's expectations are checked too: EXPECT name FAILS says that some row does not meet one, and what nothing says fails the
    test. A function is tried by a call: TEST … OF top(lake.ops.flights, 3).

    The query runs in the engine that computes it in AWS, here, on the given rows alone: nothing is deployed, and no network is used.
    Exit code 1 when a test fails.

    \b
      atoll test
      atoll test tests/carriers.sql --json
    """
    from console.trial_run import compiled, run

    began = time.monotonic()
    sources = read_sources(())
    trials, problems = _read(files or _files_beside(sources))
    compilation, calls = compiled(sources, read_snapshots(sources), trials, as_json)
    outcomes = [run(one, compilation, calls, problems) for one in trials]
    done = [one for one in outcomes if one is not None]
    if as_json:
        errors = ProgramErrors(problems).to_dict()["errors"]
        click.echo(json.dumps({"tests": [_plain(one) for one in done], "errors": errors}, indent=2))
    else:
        _show(done, problems, time.monotonic() - began)
    if problems or any(not one.sound for one in done):
        raise SystemExit(1)


def _files_beside(sources: Iterable[str]) -> list[str]:
    """The tests beside the program's files. Raises InputError where there are none."""
    folders = sorted({Path(file).parent / FOLDER for file in sources})
    found = [str(file) for folder in folders for file in sorted(folder.glob("*.sql"))]
    if not found:
        raise InputError(f"there is no test: {' and '.join(map(str, folders))} has no *.sql file", remedy=_EXAMPLE)
    return found


def _read(files: Sequence[str]) -> tuple[list[Trial], list[Diagnostic]]:
    from language.parse.trials import parse_trials

    trials, problems = list[Any](), list[Diagnostic]()
    for file in files:
        read, wrong = parse_trials(source_text(file, decoded_file(file)))
        trials += read
        problems += wrong
    return trials, problems


def _show(outcomes: Sequence[Outcome], problems: Sequence[Diagnostic], seconds: float) -> None:
    for one in outcomes:
        click.echo(f"{'ok  ' if one.sound else 'FAIL'}  {one.trial.name.text}  {one.of}  {one.trial.name.span.position}")
        for line in _differences(one):
            click.echo(f"      {line}")
    if problems:
        click.echo(str(ProgramErrors(problems)), err=True)
    failed = sum(not one.sound for one in outcomes)
    wrong = f", {counted(len(problems), 'mistake')} in tests" if problems else ""
    click.echo(f"{counted(len(outcomes), 'test')}, {failed} failed{wrong}, {seconds:.1f} s")


def _differences(one: Outcome) -> Iterator[str]:
    yield from one.said
    if one.missing or one.unexpected:
        missing, unexpected = counted(len(one.missing), "row"), counted(len(one.unexpected), "row")
        yield f"{missing} expected that the query does not make (-), {unexpected} made that are not expected (+)"
        rows = [["-", *map(_shown, row)] for row in one.missing[:SHOWN]] + [
            ["+", *map(_shown, row)] for row in one.unexpected[:SHOWN]
        ]
        for cells in aligned(["", *one.columns], sorted(rows, key=lambda row: (row[1:], row[0])), right_from=len(one.columns) + 1):
            yield "  ".join(cells).rstrip()
        left = max(len(one.missing) - SHOWN, 0) + max(len(one.unexpected) - SHOWN, 0)
        if left:
            yield f"and {counted(left, 'row')} more"


def _shown(cell: str | None) -> str:
    return "null" if cell is None else cell


def _plain(one: Outcome) -> dict[str, Any]:
    at = one.trial.name.span.position
    return {
        "test": one.trial.name.folded,
        "of": one.of,
        "file": at.file,
        "line": at.line,
        "sound": one.sound,
        "rows": one.rows,
        "said": list(one.said),
        "missing": [dict(zip(one.columns, row, strict=True)) for row in one.missing],
        "unexpected": [dict(zip(one.columns, row, strict=True)) for row in one.unexpected],
    }
