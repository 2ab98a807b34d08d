"""Names that are too long for where they go: a system refuses them when a batch runs, or cuts them off without a word."""

from __future__ import annotations

from language.forms.resolved import Collect, Publish, Resolved
from language.forms.syntax import CreateView
from language.text.diagnostics import Problem, Span
from shared_metadata import naming
from shared_metadata.contract.declaration import Slice


def check_lengths(statement: Resolved) -> None:
    """Raises Problem for a target whose names its system does not take, or whose table of rejected rows the warehouse does not."""
    target, clauses = statement.statement.target, statement.statement.clauses
    if isinstance(statement, Publish):
        for part in target.parts[1:]:
            _check(part.text, statement.harness, part.span)
    datasets = {statement.target: target.span} if isinstance(statement, Publish) else _datasets(statement)
    for dataset, span in datasets.items():
        published, warehouse = isinstance(statement, Publish), statement.warehouse.name.folded
        if not published:
            _, schema, table = dataset.split(".")
            _check(naming.database(warehouse, schema), statement.organizer, target.parts[1].span)
            _check(table, statement.organizer, span)
        if clauses.bad_rows is not None or clauses.quarantines:
            beside = naming.rejected_table(f"{dataset}:result" if published else dataset, warehouse)
            _check(beside.rpartition(".")[2], statement.organizer, span, " of the table of rejected rows")


def check_column(name: str, slice_: Slice, span: Span) -> None:
    """Raises Problem for a column whose name is too long for where it goes."""
    _check(name, slice_, span, " of the column")


def _datasets(statement: Resolved) -> dict[str, Span]:
    if isinstance(statement, Collect):
        return {table.dataset: table.span for table in statement.tables}
    assert isinstance(statement.statement, CreateView)
    return {statement.dataset: statement.statement.target.span}


def _check(name: str, slice_: Slice, span: Span, of: str = "") -> None:
    longest, length = slice_.capabilities.longest_name, len(name.encode())
    if longest and length > longest:
        cause = f"the name{of} `{name[:30]}…` has {length} bytes, and {slice_.id} takes {longest}"
        raise Problem(span, cause, "choose a shorter one")
