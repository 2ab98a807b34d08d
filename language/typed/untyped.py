"""What queries tell without any snapshot of the sources: functions that there are not, constants without a value, two equal names."""

from __future__ import annotations

from language.forms.resolved import Collect, ResolvedProgram
from language.resolve.outputs import check_twins
from language.sql.dialect import as_source, as_warehouse
from language.text.diagnostics import Diagnostic, Problem


def check_untyped(program: ResolvedProgram, problems: list[Diagnostic]) -> None:
    """Adds what is wrong to `problems`."""
    for statement in program.statements:
        query = statement.query
        if query is None:
            continue
        try:
            reading = as_source(query.dialect) if isinstance(statement, Collect) else as_warehouse(query.dialect)
            problems += reading.mistakes(query)
            if not isinstance(statement, Collect):
                problems += [found for call in statement.calls for found in as_warehouse(query.dialect).mistakes(call.query)]
            check_twins(query)
        except Problem as problem:
            problems += problem.diagnostics
