"""What earlier compilations found out about single statements, so that only what a change touches is compiled again.

A statement's entry is found by its text. What was resolved holds for the same endpoints and slices, what was typed for the same
columns of its inputs; all else that a result depends on is the compiler: whoever keeps a memo keeps it for one compiler. Nothing is
kept of a statement with a mistake.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from language.cache.format import Unusable, dump, dump_plain, load, load_plain
from language.cache.lineage import Columns, columns_of, lineage_of, plain_lineage
from language.forms.resolved import Resolved
from language.forms.syntax import CreateConnection, CreateWarehouse, Statement
from language.text.statement_texts import StatementText
from shared_metadata.program.lineage import DatasetLineage
from shared_metadata.program.schema import Schema

if TYPE_CHECKING:
    from language.resolve.names import Names


@dataclass(frozen=True)
class Outline:
    """What is asked of a typed dataset most: digests of its columns and of its lineage, and the number of its columns."""

    dataset: str
    columns: str
    signature: str
    width: int


@dataclass
class _Entry:
    """One statement's results, each beside a digest of what it depends on besides the text."""

    syntax: bytes
    context: str = ""
    resolved: bytes = b""
    basis: str = ""
    spelled: bytes = b""
    outlines: tuple[tuple[str, str, str, int], ...] = ()
    lineage: bytes = b""
    sources: bytes = b""


class Memo:
    """The entries of a former compilation, and those of this one."""

    def __init__(self, data: bytes = b"") -> None:
        """data: of `to_bytes`; what is damaged counts as nothing."""
        try:
            former = load_plain(data) if data else {}
            self._former: dict[str, _Entry] = {key: _Entry(*fields) for key, fields in former.items()}
        except (Unusable, TypeError, AttributeError):
            self._former = {}
        self._entries: dict[str, _Entry] = {}
        self._of: dict[int, tuple[StatementText, _Entry]] = {}
        self._context, self._known = "", dict[str, object]()
        self._learned = False
        self._news: set[str] = set()  # keys of what was learned

    @property
    def changed(self) -> bool:
        """Whether this compilation learned something, or did not meet a statement of the former one again."""
        return self._learned or self._entries.keys() != self._former.keys()

    def to_bytes(self) -> bytes:
        """The entries of the statements that this compilation saw."""
        return dump_plain({key: tuple(vars(entry).values()) for key, entry in self._entries.items()})

    def among(self, names: Names) -> None:
        """Says what the names in statements stand for."""
        endpoints: dict[str, CreateConnection | CreateWarehouse] = {**names.connections, **names.warehouses}
        self._known = {f"slice {id_}": slice_ for id_, slice_ in names.slices.items()}
        self._known |= {f"endpoint {name}": endpoint for name, endpoint in endpoints.items()}
        systems = [(name, type(e).__name__, e.system.folded, _engine(e)) for name, e in endpoints.items()]
        told = [(name, sorted(known.defaults.items())) for name, known in sorted((names.schemas or {}).items())]
        functions = sorted([*names.functions, *names.coded])  # a statement that calls one is not kept
        self._context = digest_of(sorted(names.slices.items()), systems, sorted(names.broken), names.schemas is None, told, functions)

    def statement(self, text: StatementText) -> Statement | None:
        entry = self._former.get(text.key)
        if entry is None:
            return None
        try:
            found: Statement = load(entry.syntax, text, {})
        except Unusable:
            return None
        self._remember(text, found, entry)
        return found

    def keep_statement(self, text: StatementText, statement: Statement) -> None:
        self._remember(text, statement, _Entry(dump(statement, text, {})))
        self._learn(text)

    def knows_resolved(self, statement: Statement) -> bool:
        _, entry = self._of.get(id(statement), (None, None))
        return entry is not None and entry.context == self._context

    def resolved(self, statement: Statement) -> Resolved | None:
        if not self.knows_resolved(statement):
            return None
        text, entry = self._of[id(statement)]
        return self._load(entry.resolved, text, statement)

    def keep_resolved(self, resolved: Resolved) -> None:
        text, entry = self._of.get(id(resolved.statement), (None, None))
        if text is not None and entry is not None:
            entry.context, entry.resolved = self._context, self._dump(resolved, text, resolved.statement)
            entry.basis = ""
            self._learn(text)

    def knows_typed(self, resolved: Resolved, basis: str) -> bool:
        _, entry = self._of.get(id(resolved.statement), (None, None))
        return entry is not None and entry.basis == basis and entry.context == self._context

    def outlined(self, resolved: Resolved, basis: str) -> tuple[Resolved, Sequence[Outline]] | None:
        """The statement with its stars spelled out and its datasets' outlines, if it was typed on this basis."""
        if not self.knows_typed(resolved, basis):
            return None
        text, entry = self._of[id(resolved.statement)]
        spelled = self._load(entry.spelled, text, resolved.statement) if entry.spelled else resolved
        return (spelled, [Outline(*fields) for fields in entry.outlines]) if spelled is not None else None

    def lineage(self, resolved: Resolved) -> Mapping[str, DatasetLineage]:
        """Outlines by dataset, of a statement that `outlined` knew. Raises Unusable."""
        text, entry = self._of[id(resolved.statement)]
        return {plain[0]: lineage_of(plain, text) for plain in load_plain(entry.lineage)}

    def columns(self, resolved: Resolved) -> Mapping[str, Columns]:
        """Outlines by dataset, of a statement that `outlined` knew. Raises Unusable."""
        _, entry = self._of[id(resolved.statement)]
        return {plain[0]: columns_of(plain) for plain in load_plain(entry.lineage)}

    def sources(self, resolved: Resolved) -> Mapping[str, Schema]:
        """The sources' tables that a statement reads which `outlined` knew. Raises Unusable."""
        text, entry = self._of[id(resolved.statement)]
        found: Mapping[str, Schema] = load(entry.sources, text, {})
        return found

    def keep_typed(
        self,
        resolved: Resolved,
        basis: str,
        spelled: Resolved,
        datasets: Sequence[tuple[Outline, DatasetLineage]],
        sources: Mapping[str, Schema],
    ) -> None:
        """spelled: the statement with its stars spelled out.  sources: the sources' tables that it reads."""
        text, entry = self._of.get(id(resolved.statement), (None, None))
        if text is None or entry is None or not entry.resolved or entry.context != self._context:
            return
        entry.spelled = b"" if spelled == resolved else self._dump(spelled, text, resolved.statement)
        entry.outlines = tuple((o.dataset, o.columns, o.signature, o.width) for o, _ in datasets)
        entry.lineage = dump_plain([plain_lineage(lineage, text) for _, lineage in datasets])
        entry.sources = dump(dict(sources), text, {})
        entry.basis = basis
        self._learn(text)

    def _learn(self, text: StatementText) -> None:
        self._learned = True
        self._news.add(text.key)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known of a former compilation."""
        return not self._former

    def news(self) -> bytes:
        """What was learned since this was asked last, for the memo of another process that compiles the same program."""
        found = {key: tuple(vars(self._entries[key]).values()) for key in self._news}
        self._news.clear()
        return dump_plain(found)

    def learn(self, news: bytes) -> None:
        for key, fields in load_plain(news).items():
            entry = self._entries.get(key) or self._former.setdefault(key, _Entry(b""))
            vars(entry).update(zip(vars(entry), fields, strict=True))
            self._learned = True

    def begin_again(self) -> None:
        """Takes all that was learned for a former compilation's."""
        self._former = {**self._former, **self._entries}
        self._entries, self._of = {}, {}

    def _remember(self, text: StatementText, statement: Statement, entry: _Entry) -> None:
        self._entries[text.key], self._of[id(statement)] = entry, (text, entry)

    def _dump(self, value: Resolved, text: StatementText, statement: Statement) -> bytes:
        return dump(value, text, {**self._known, "statement": statement})

    def _load(self, data: bytes, text: StatementText, statement: Statement) -> Resolved | None:
        self._known["statement"] = statement
        try:
            found: Resolved = load(data, text, self._known)
        except Unusable:
            return None
        return found


def _engine(endpoint: CreateConnection | CreateWarehouse) -> object:
    option = endpoint.engine if isinstance(endpoint, CreateWarehouse) else None
    return option.value if option is not None else None


def digest_of(*values: object) -> str:
    """A digest of the values' spelling in Python: of dataclasses, strings, numbers and lists of them."""
    return hashlib.blake2b(repr(values).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
