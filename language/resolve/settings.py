"""How a flow's rows arrive: mode, key and cursor, from its clauses or else, when collecting, its slice's declared defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from language.forms.resolved import Input, Settings
from language.forms.syntax import Clauses, ModeClause, Part
from language.text.diagnostics import Problem, Span, did_you_mean
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Mode
from shared_metadata.program.source_schemas import NO_DEFAULTS, TableDefaults

_CLAUSES = {
    "cursor": "CURSOR",
    "capture": "CAPTURE",
    "partition_by": "PARTITION BY",
    "expectations": "EXPECT",
    "fresh_within": "FRESH WITHIN",
    "masks": "MASK",
    "engine": "USING",
}
_MODES = {  # what a publication does in each to the table's other rows
    Mode.REPLACE: "REPLACE (the table is the result, and other rows are deleted)",
    Mode.APPEND: "APPEND (rows are added)",
    Mode.MERGE: "MERGE ON (key) (rows are updated by their key or added, and others' stay)",
}
_ELSEWHERE = {
    "engine": "what is collected is loaded by the lake itself",
    "masks": "mask the column where it is collected, in the INSERT INTO the warehouse",
}


@dataclass(frozen=True)
class Collected:
    """What is collected, as far as its settings depend on it.

    span: where the program names it.  defaults: of the source's table; None where nothing of the sources is to be known.
    called: the columns of the source's table ▸ what the query calls them; those that it leaves out are not there.
    """

    what: str
    span: Span
    defaults: TableDefaults | None = NO_DEFAULTS
    called: Mapping[str, str] = field(default_factory=dict)

    def key(self, span: Span) -> tuple[str, ...]:
        """The table's key; () where it has none. Raises Problem, placed at `span`, for one that the query leaves out."""
        return tuple(self._called("key", name, span) for name in self.defaults.key) if self.defaults else ()

    def cursor(self, span: Span) -> str:
        """The table's cursor; '' where it has none. Raises as `key`."""
        return self._called("cursor", self.defaults.cursor, span) if self.defaults and self.defaults.cursor else ""

    def _called(self, what: str, name: str, span: Span) -> str:
        if self.called and name not in self.called:
            cause = f"`{name}`, the {what} of {self.what}, is not among the query's columns"
            raise Problem(span, cause, f"add it to the SELECT, or name another {what}; REPLACE needs none")
        return self.called.get(name, name)


def collect_settings(clauses: Clauses, collector: Slice, organizer: Slice, collected: Collected) -> Settings:
    """The settings of INSERT into a warehouse; what the program leaves open the table tells, or else the collector."""
    abilities = collector.capabilities
    mode, key = _collected_mode(clauses, collector, collected)
    span = clauses.mode.span if clauses.mode else _every(clauses)
    _check_mode(mode, organizer, span)
    if clauses.cursor is not None and mode is Mode.REPLACE:
        raise Problem(
            clauses.cursor.span,
            "CURSOR has no use in REPLACE, which reads the whole table every time",
            "remove CURSOR, or use MERGE ON (key) or APPEND",
        )
    if clauses.capture is not None:
        _check_capture(clauses, clauses.capture, mode, collector)
        return Settings(_seconds(clauses), mode, key, capture=True)
    if clauses.cursor is None:
        without = mode is Mode.REPLACE or (mode is Mode.APPEND and not abilities.appends_by_cursor)
        default = (mode is Mode.MERGE and collected.cursor(span)) or abilities.default_cursor
        return Settings(_seconds(clauses), mode, key, "" if without else default)
    if (rising := clauses.cursor.rising) is not None and not abilities.rising_types:
        raise Problem(rising, f"{collector.id} takes no RISING: its cursors are told by their types", "remove RISING")
    return Settings(_seconds(clauses), mode, key, clauses.cursor.folded, rising is not None)


def _check_capture(clauses: Clauses, capture: Span, mode: Mode, collector: Slice) -> None:
    if not collector.capabilities.captures:
        raise Problem(capture, f"{collector.id} reads no log of its source's changes", "remove CAPTURE, or name a CURSOR")
    if clauses.cursor is not None:
        cause = "CAPTURE reads what changed from the source's log, and CURSOR from a column"
        raise Problem(clauses.cursor.span, cause, "keep one of them")
    if mode is not Mode.MERGE:
        cause = f"CAPTURE brings the rows that changed, and {mode} does not put them in the place of the former ones"
        raise Problem(capture, cause, "use MERGE ON (key) with the table's primary key")


def view_settings(clauses: Clauses, organizer: Slice) -> Settings:
    """The settings of a materialized view."""
    mode, key = _mode(clauses, organizer)
    return Settings(_seconds(clauses), mode, key)


def publish_settings(clauses: Clauses, harness: Slice) -> Settings:
    """The settings of INSERT into a connection, which says its mode: a default would decide what becomes of others' rows there."""
    if clauses.mode is None:
        able = [_MODES[mode] for mode in Mode if mode in harness.capabilities.modes]
        remedy = f"add {', '.join(able[:-1])} or {able[-1]}" if len(able) > 1 else f"add {able[0]}"
        raise Problem(_every(clauses), "this publication does not say how its rows reach the table", remedy)
    mode, key = _mode(clauses, harness)
    return Settings(_seconds(clauses), mode, key)


def refuse_clauses(clauses: Clauses, what: str, *fields: str) -> None:
    """Raises Problem for the first of these clauses that is there; `what` names the statement."""
    for name in fields:
        if name in clauses.spans:
            raise Problem(clauses.spans[name], f"{_CLAUSES[name]} does not belong to {what}", _ELSEWHERE.get(name, "remove it"))


def _collected_mode(clauses: Clauses, collector: Slice, collected: Collected) -> tuple[Mode, tuple[str, ...]]:
    """The mode that is said, or else the table's, or else the collector's; its key likewise."""
    if clauses.mode is not None and (clauses.mode.mode is not Mode.MERGE or clauses.mode.key):
        return _mode(clauses, collector)
    own = collected.defaults.mode if collected.defaults else None
    mode = clauses.mode.mode if clauses.mode is not None else own or collector.capabilities.default_mode
    if mode is not Mode.MERGE:
        return mode, ()
    span = clauses.mode.span if clauses.mode else _every(clauses)
    _check_mode(mode, collector, span)
    key = collected.key(span) or collector.capabilities.default_key
    if not key and clauses.mode is None and own is None:
        return _mode(clauses, collector)
    if not key and collected.defaults is not None:
        remedy = "name its key, as in MERGE ON (id); or run `atoll discover` again, if its source tells one by now"
        where = collected.span if clauses.tables is not None else span
        raise Problem(where, f"MERGE needs a key, and the source tells none of {collected.what}", remedy)
    return mode, key


def _mode(clauses: Clauses, slice_: Slice) -> tuple[Mode, tuple[str, ...]]:
    abilities = slice_.capabilities
    if clauses.mode is None:
        mode, key = abilities.default_mode, abilities.default_key
        if mode is Mode.MERGE and not key:
            raise Problem(_every(clauses), f"MERGE, the default of {slice_.id}, needs a key here", "add MERGE ON (key column)")
        return mode, key if mode is Mode.MERGE else ()
    _check_mode(clauses.mode.mode, slice_, clauses.mode.span)
    if clauses.mode.mode is Mode.MERGE and not clauses.mode.key:
        raise Problem(clauses.mode.span, "MERGE needs a key here", "name the key, as in MERGE ON (id)")
    return clauses.mode.mode, _key(clauses.mode)


def _key(mode: ModeClause) -> tuple[str, ...]:
    refuse_twins(mode.key)
    return tuple(part.folded for part in mode.key)


def check_bad_rows(clauses: Clauses, outside: Slice | None) -> None:
    """Raises Problem where bad rows are tolerated and nothing sets them aside; outside: what collects or publishes the rows."""
    able = outside is not None and outside.capabilities.rejects_rows
    if clauses.bad_rows is not None and not able and not clauses.quarantines:
        remedy = "say which rows are bad: EXPECT name: (predicate) OR QUARANTINE"
        what = "nothing here sets bad rows aside" if outside is None else f"{outside.id} sets no bad rows aside"
        raise Problem(clauses.bad_rows.span, what, remedy)


def check_collects(clauses: Clauses) -> None:
    """Raises Problem for a clause of a query in a warehouse in a statement that collects."""
    refuse_clauses(clauses, "collecting", "engine")
    if clauses.tolerates:
        raise Problem(clauses.tolerates[0].span, "TOLERATE … STALE does not belong to collecting", "remove it")


def check_tolerates(clauses: Clauses, inputs: Sequence[Input]) -> None:
    """Raises Problem for a dataset that may lag but is not read."""
    read = {known.dataset for known in inputs}
    for tolerate in clauses.tolerates:
        dataset = ".".join(tolerate.dataset.folded)
        if dataset not in read:
            remedy = did_you_mean(dataset, sorted(read)) + "name a dataset of the FROM clause, in full"
            raise Problem(tolerate.dataset.span, f"the query does not read `{tolerate.dataset.dotted}`", remedy)


def refuse_twins(columns: tuple[Part, ...]) -> None:
    """Raises Problem for a column that a list names twice."""
    seen: set[str] = set()
    for part in columns:
        if part.folded in seen:
            raise Problem(part.span, f"the column `{part.folded}` is listed twice", "remove one of them")
        seen.add(part.folded)


def _check_mode(mode: Mode, slice_: Slice, span: Span) -> None:
    if mode not in slice_.capabilities.modes:
        able = ", ".join(slice_.capabilities.modes)
        raise Problem(span, f"{slice_.id} cannot run {mode}", f"it can run: {able}")


def _every(clauses: Clauses) -> Span:
    return clauses.spans["every"]


def _seconds(clauses: Clauses) -> int:
    assert clauses.every is not None  # the parser refuses a statement without it
    return clauses.every.seconds
