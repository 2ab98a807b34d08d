"""A statement of the engine 'auto': its query and its expectations in the SQL of the engine that computes what is too large."""

from __future__ import annotations

from collections.abc import Sequence

from language.forms.resolved import Publish, View
from language.resolve.outputs import check_output_name, check_written
from language.sql.dialect import Tables, as_warehouse
from language.sql.edits import edited, placed
from language.sql.query import Places, WarehouseQuery
from language.sql.typing import TypedQuery
from language.text.diagnostics import SourceText, Span
from language.translate.query import translated, translated_condition
from language.typed.mistakes import Mistakes
from language.typed.places import with_edits, within
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Beyond, Expectation
from shared_metadata.program.schema import SchemaColumn


def beyond(
    statement: View | Publish, larger: Slice, typed: TypedQuery, columns: Sequence[SchemaColumn], inputs: Tables, mistakes: Mistakes
) -> Beyond | None:
    """None where it cannot be written over, which is added to the mistakes at its place.

    typed, columns: the query's, and what it makes.  inputs: by the names that FROM has.
    """
    query, own, dialect = statement.query, statement.query.dialect, larger.capabilities.dialect
    for column in typed.columns:
        place = within(query.span, column.start, column.end)
        mistakes.gather(check_written, column.name, column.type, larger, place)
        mistakes.gather(check_output_name, column.name, {}, larger, frozenset(), place)
    found = translated(query.span, own, dialect, inputs, larger.engine)
    mistakes.say(found.problems, query.span)
    expectations, sound = list[Expectation](), not found.problems
    for one in statement.statement.clauses.expectations:
        condition = translated_condition(one.predicate, own, dialect, columns, larger.engine)
        mistakes.say(condition.problems, one.predicate)
        sound = sound and not condition.problems
        span = _span(condition.text, one.predicate)
        places = placed(span, (), as_warehouse(dialect).predicate(span).bounds) if sound else ()
        expectations.append(Expectation(one.name.folded, condition.text, one.action, one.name.span.position, places))
    return _beyond(found.text, query.span, dialect, inputs, expectations) if sound else None


def _beyond(text: str, at: Span, dialect: str, inputs: Tables, expectations: Sequence[Expectation]) -> Beyond:
    engine, span = as_warehouse(dialect), _span(text, at)
    query: WarehouseQuery = engine.read(span)
    folded = tuple((part, part.text.lower()) for table in query.tables for part in table.spans if part.text != part.text.lower())
    edits = with_edits(span, folded, engine.type(query, inputs).edits)
    places: Places = (*((table.span, ".".join(table.folded)) for table in query.tables), *query.bounds)
    return Beyond(edited(span, edits), placed(span, edits, places), tuple(expectations))


def _span(text: str, at: Span) -> Span:
    """A text of its own."""
    return Span(SourceText(at.source.file, text), 0, len(text))
