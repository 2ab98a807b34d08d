"""What is known of the datasets of a program that is typed, by statement; what the memo knew is read when it is asked for."""

from __future__ import annotations

from language.cache.lineage import Columns
from language.cache.statements import Memo, Outline, digest_of
from language.forms.resolved import Collect, Resolved, View
from language.resolve.names import Undeclared
from language.typed.snapshots import Snapshots
from shared_metadata.program.lineage import DatasetLineage
from shared_metadata.program.schema import Schema


class Known:
    """outlines: of every dataset and published table that could be typed.  sources: the tables at the connections, as read."""

    def __init__(self, memo: Memo | None, snapshots: Snapshots) -> None:
        self.outlines: dict[str, Outline] = {}
        self.sources: dict[str, Schema] = {}
        self._memo, self._snapshots = memo, snapshots
        self._datasets: dict[str, DatasetLineage] = {}
        self._columns: dict[str, Columns] = {}  # in order; a type is '' where it could not be told
        self._bases: dict[int, str] = {}  # by a statement's id
        self._remembered: dict[str, Resolved] = {}  # of each dataset that the memo knew, the statement

    def keep(self, columns: Columns, lineage: DatasetLineage) -> None:
        """Keeps the columns of a dataset that was typed."""
        digest = digest_of(*((column.name, column.type, column.nullable) for column in columns))
        self._columns[lineage.dataset], self._datasets[lineage.dataset] = columns, lineage
        self._remembered.pop(lineage.dataset, None)
        self.outlines[lineage.dataset] = Outline(lineage.dataset, digest, lineage.signature, len(columns))

    def remember(self, outline: Outline, statement: Resolved) -> None:
        """Keeps that the memo knew a dataset, and in which statement."""
        self.outlines[outline.dataset], self._remembered[outline.dataset] = outline, statement
        self._datasets.pop(outline.dataset, None)
        self._columns.pop(outline.dataset, None)

    def columns_of(self, dataset: str) -> Columns:
        """Raises Undeclared where they are not known."""
        if dataset not in self._columns:
            if self._memo is None or dataset not in self._remembered:
                raise Undeclared
            self._columns.update(self._memo.columns(self._remembered[dataset]))
        return self._columns[dataset]

    def lineage(self, dataset: str) -> DatasetLineage:
        """The lineage of a dataset that has an outline."""
        if dataset not in self._datasets and self._memo is not None:
            self._datasets.update(self._memo.lineage(self._remembered[dataset]))
        return self._datasets[dataset]

    def basis(self, statement: Resolved) -> str:
        """A digest of what decides over a statement's types besides itself; '' where that is not known."""
        if id(statement) in self._bases:
            return self._bases[id(statement)]
        known: list[object] = []
        if not isinstance(statement, View):
            known.append(self._snapshots.digest(statement.connection.name.folded))
        for input_ in () if isinstance(statement, Collect) else statement.inputs:
            outline = self.outlines.get(input_.dataset)
            if outline is None:
                return ""
            known.append((input_.dataset, outline.columns))
        return self._bases.setdefault(id(statement), digest_of(*known))
