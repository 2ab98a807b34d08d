"""Types what functions in code are given, and follows what they give back to it: each column of that comes from all of this."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from language.forms.resolved import Call, Publish, View
from language.resolve.arguments import fits
from language.sql.dialect import Tables, as_warehouse
from language.sql.typing import TypedQuery
from language.text.diagnostics import Problem, Span
from language.typed.bodies import check_bodies
from language.typed.masked_columns import Drops, explain_dropped
from language.typed.mistakes import Mistakes
from language.typed.places import with_edits, within
from shared_metadata.program.lineage import ColumnLineage, ColumnRef, Use
from shared_metadata.program.schema import SchemaColumn

Used = tuple[ColumnRef, Use, Span]


@dataclass(frozen=True)
class Given:
    """What the calls of a statement are given.

    calls: with the stars of their queries spelled out.  tables: what the functions give, by the datasets as which queries name it.
    uses: of the queries, of the functions too.  columns: dataset ▸ the columns from which all of its come.
    """

    calls: tuple[Call, ...]
    tables: Mapping[str, tuple[SchemaColumn, ...]]
    uses: Sequence[Used]
    columns: Mapping[str, tuple[ColumnRef, ...]]

    def through(self, outputs: Iterable[ColumnLineage], uses: Iterable[Used]) -> tuple[list[ColumnLineage], list[Used]]:
        """What a query over the results makes and uses of the tables that the functions' rows come from."""
        if not self.calls:
            return [*outputs], [*uses]
        found = [replace(column, inputs=tuple(sorted({*_through(column.inputs, self.columns)}))) for column in outputs]
        seen = [(one, use, span) for ref, use, span in uses for one in _through((ref,), self.columns)]
        return found, [*seen, *self.uses]


def typed_calls(statement: View | Publish, inputs: Tables, dropped: Drops, mistakes: Mistakes) -> Given:
    """dropped: of each collected dataset the columns that MASK drops."""
    calls, tables = list[Call](), dict[str, tuple[SchemaColumn, ...]]()
    uses, columns = list[Used](), dict[str, tuple[ColumnRef, ...]]()
    for call in statement.calls:
        base, seen = call.query.span, {**inputs, **tables}
        typed = explain_dropped(as_warehouse(call.query.dialect).type(call.query, seen), inputs, dropped)
        mistakes.say(typed.problems, base)
        check_bodies(call.query, seen, typed, mistakes)
        _check_given(call, typed, mistakes)
        refs = [ColumnRef(table, name, tuple(fields)) for column in typed.columns for table, name, *fields in column.inputs]
        columns[call.table] = tuple(sorted({*_through(refs, columns)}))
        named = [(ColumnRef(u.table, u.column, u.fields), u.use, within(base, u.start, u.end)) for u in typed.uses]
        uses += [(one, use, span) for ref, use, span in named for one in _through((ref,), columns)]
        # How many rows there are, and which, is the function's to say: by all that it is given.
        uses += [(ref, Use.FILTER, call.span) for ref in columns[call.table]]
        tables[call.table] = call.returns
        calls.append(replace(call, edits=with_edits(base, call.edits, typed.edits)))
    return Given(tuple(calls), tables, uses, columns)


def _through(refs: Iterable[ColumnRef], columns: Mapping[str, tuple[ColumnRef, ...]]) -> Iterator[ColumnRef]:
    for ref in refs:
        yield from columns.get(ref.dataset, (ref,))


def _check_given(call: Call, typed: TypedQuery, mistakes: Mistakes) -> None:
    """Adds what a function is given in another type than it takes."""
    for wanted, column in zip(call.takes, typed.columns, strict=False):
        if wanted.type and column.type and wanted.type != column.type and not fits(column.type, wanted.type):
            declared = next(one for one in call.function.takes if one.name.folded == wanted.name)
            cause = f"`{wanted.name}` of `{call.function.name.text}` is {wanted.type}, and this is {column.type}"
            span = within(call.query.span, column.start, column.end)
            mistakes.add(Problem(span, cause, f"CAST({wanted.name} AS {declared.type.text}) in what it is given"))
