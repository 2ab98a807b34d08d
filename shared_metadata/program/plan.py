"""The plan form of a data program: what the compiler writes, the conductor schedules and slices execute.

Plain frozen dataclasses, JSON in and out, no heavy import: control Lambdas load this at every cold start. A statement becomes flows:

    INSERT INTO lake.crm FROM crm …     ▸ Flow 'lake.crm' (COLLECT, dataset 'lake.crm.account:staged')
                                        ▸ Flow 'lake.crm:load' (LOAD, dataset 'lake.crm.account')
    CREATE MATERIALIZED VIEW lake.a.b … ▸ Flow 'lake.a.b' (VIEW)
    INSERT INTO ops.public.t … AS …     ▸ Flow 'ops.public.t:result' (RESULT, run by the warehouse's organize slice)
                                        ▸ Flow 'ops.public.t' (PUBLISH)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeAlias

from shared_metadata.errors import DefinitionError
from shared_metadata.program.calls import Call
from shared_metadata.program.places import Place, filled
from shared_metadata.program.plain import fields_of, from_plain, hook_of
from shared_metadata.program.type_widening import PROMOTIONS

FORMAT = 1
MASK_KEY = "mask_key"  # the option of a warehouse that names the secret whose key hashes columns


class Kind(StrEnum):
    """The work of a flow; its stage follows from it."""

    COLLECT = "collect"
    LOAD = "load"
    VIEW = "view"
    RESULT = "result"
    PUBLISH = "publish"


STAGES: Mapping[Kind, str] = {
    Kind.COLLECT: "collect",
    Kind.LOAD: "organize",
    Kind.VIEW: "organize",
    Kind.RESULT: "organize",
    Kind.PUBLISH: "harness",
}


class Mode(StrEnum):
    """How a batch's rows reach the target."""

    REPLACE = "REPLACE"
    APPEND = "APPEND"
    MERGE = "MERGE"


class Mask(StrEnum):
    """The part of a column's values that enters the warehouse."""

    HASH = "hash"  # HMAC-SHA-256 of the value's text, in hexadecimal
    DROP = "drop"  # nothing: the column is not even selected at the source


# Masks by column name; for a struct with only some fields masked, by their names. JSON has plain texts as leaves.
Masks: TypeAlias = Mapping[str, "Mask | Masks"]


@dataclass(frozen=True)
class Position:
    """A position in the program's text; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Connection:
    """A source or target outside: `CREATE CONNECTION name TO system WITH (…)`; `options` are the slice's config."""

    name: str
    system: str
    options: Mapping[str, Any]
    position: Position


@dataclass(frozen=True)
class Warehouse:
    """A place for tables: `CREATE WAREHOUSE name USING system WITH (…)`.

    at_once: how many of its tables are at work at once, 0 for any.  widens: which type becomes which there without loss."""

    name: str
    system: str
    options: Mapping[str, Any]
    position: Position
    at_once: int = 0
    widens: tuple[tuple[str, str], ...] = PROMOTIONS


@dataclass(frozen=True)
class Table:
    """One dataset that a flow makes.

    dataset: its name, e.g. 'lake.crm.account', 'lake.crm.account:staged', 'ops.public.scorecard:result'.
    source: COLLECT only: the table as the source names it, without the connection ('Account', 'public.flights').
    inputs: datasets that must be complete through the batch's end; empty for COLLECT.
    signature: a digest of the columns, types and lineage that the compiler found (DatasetLineage.signature); COLLECT: of the source's
        table as the program was compiled against (schema_digest), '' for a query over several.
    masks: COLLECT: output column ▸ how it is masked, or which of its fields are and how.
    mode, key, cursor: COLLECT, LOAD: its own, where the statement's tables have different ones (`Flow.of`); mode None: the flow's.
    """

    dataset: str
    source: str = ""
    inputs: tuple[str, ...] = ()
    signature: str = ""
    masks: Masks = field(default_factory=dict)
    mode: Mode | None = None
    key: tuple[str, ...] = ()
    cursor: str = ""

    def masked(self, how: Mask) -> frozenset[str]:
        """The whole columns with this mask."""
        return frozenset(name for name, mask in self.masks.items() if mask == how)


@dataclass(frozen=True)
class Column:
    """One output column of a collect query: its folded name, and the source's column or expression in its own dialect."""

    name: str
    source: str


@dataclass(frozen=True)
class Expectation:
    """`EXPECT name: (predicate) OR action`; action is WARN, FAIL or QUARANTINE; predicate is warehouse SQL, with its places."""

    name: str
    predicate: str
    action: str
    position: Position
    places: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Beyond:
    """A flow's query and expectations in the SQL of its slice's own engine, where those that it has are another's.

    A test has shown that both mean the same: the slice computes what is small by the one, and what is large by the other.
    """

    query: str
    places: tuple[Place, ...] = ()
    expectations: tuple[Expectation, ...] = ()


@dataclass(frozen=True)
class BadRows:
    """The limit of a batch's rejected rows, as a count or in percent of all; a batch beyond it becomes not visible."""

    rows: int = 0
    percent: float | None = None

    def allow(self, bad: int, rows: int) -> bool:
        """Whether a batch may have this many rejected rows."""
        return bad <= self.rows if self.percent is None else bad * 100 <= self.percent * rows

    def __str__(self) -> str:
        return f"{self.rows} BAD ROWS" if self.percent is None else f"{self.percent:g} PERCENT BAD ROWS"


@dataclass(frozen=True, slots=True)  # of so many fields an instance's own dict would be half of a program in memory
class Flow:
    """One unit of scheduling: a batch is a flow and an interval.

    slice_id: the slice that runs it, e.g. 'collect.salesforce', 'organize.iceberg', 'harness.postgres'.
    connection: COLLECT and PUBLISH: the connection's name; else ''.  warehouse: the warehouse's name.
    interval_seconds: the batch's length; intervals are aligned to 1970-01-01T00:00Z (weeks to Monday 1969-12-29).
    mode, key, cursor: None or empty means that the slice's declared default applied and was none.
    query: VIEW and RESULT: warehouse SQL, tables named in full as datasets ('lake.ops.flights').
        COLLECT with AS: the source's own SQL, tables without the connection ('public.flights'); else ''.
    places: VIEW and RESULT: where the query names a dataset or a bound, for a slice to `fill`. A plan of an earlier Atoll has none.
    columns, filter: COLLECT with AS: the projection (empty: all columns), and the WHERE as source SQL or ''; for sources without it.
    casts: COLLECT with AS: output column ▸ the type, as in a schema, to which the statement casts it.
    whole: the query uses neither batch_start() nor batch_end(): its result is the whole state as of the batch's end.
    tolerates: VIEW and RESULT: input ▸ by how many seconds it may lag.  calls: of functions in code, in the order in which they run.
    left_out: COLLECT of a query that is no projection: the same query over the rows that its WHERE does not take; '' for none.
    sees_deleted: VIEW and RESULT: the inputs whose `_deleted` the query names; of all others it sees no row that is marked so.
    covers: missed batches may be made as one: what the last of them leaves is the same, whether those before it were made or not.
    follows: VIEW in APPEND: missed batches may be made as one where they read one version of its input, which needs none for each.
    bad_rows: how many rows a batch may set aside. None: COLLECT and PUBLISH: none; others: as many as its expectations quarantine.
    mask_key: COLLECT with a hashed column: the reference of the secret that holds the key; else ''.
    rising: COLLECT: the program says that the cursor's values rise.  capture: COLLECT with MERGE: changes are read from the log.
    beyond: VIEW and RESULT with the engine 'auto': the same in the SQL of the larger engine, whose slice runs the flow.
    """

    id: str
    kind: Kind
    slice_id: str
    warehouse: str
    interval_seconds: int
    tables: tuple[Table, ...]
    position: Position
    connection: str = ""
    mode: Mode = Mode.REPLACE
    key: tuple[str, ...] = ()
    cursor: str = ""
    query: str = ""
    places: tuple[Place, ...] = ()
    columns: tuple[Column, ...] = ()
    filter: str = ""
    casts: Mapping[str, str] = field(default_factory=dict)
    partition_by: tuple[str, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    fresh_within_seconds: int = 0
    whole: bool = True
    tolerates: Mapping[str, int] = field(default_factory=dict)
    bad_rows: BadRows | None = None
    mask_key: str = ""
    left_out: str = ""
    sees_deleted: tuple[str, ...] = ()
    covers: bool = False
    follows: bool = False
    beyond: Beyond | None = None
    rising: bool = False
    capture: bool = False
    calls: tuple[Call, ...] = ()

    def of(self, dataset: str) -> Flow:
        """The flow with the mode, key and cursor by which one of its datasets is made."""
        table = next(table for table in self.tables if table.dataset == dataset)
        return self if table.mode is None else replace(self, mode=table.mode, key=table.key, cursor=table.cursor)

    @property
    def modes(self) -> set[Mode]:
        return {table.mode or self.mode for table in self.tables}

    @property
    def at_large(self) -> Flow:
        """The flow as its slice's own engine computes it. Only where it has `beyond`."""
        assert self.beyond is not None
        return replace(self, **fields_of(self.beyond), beyond=None)

    @property
    def stage(self) -> str:
        return STAGES[self.kind]

    @property
    def reports_left(self) -> bool:
        """COLLECT: whether to report rows that the warehouse has and the source, or the WHERE, has no longer."""
        return self.mode == Mode.MERGE and bool(self.filter or self.left_out or self.capture)

    @property
    def quarantines(self) -> bool:
        """Whether rows may be rejected."""
        return self.bad_rows is not None or any(e.action == "QUARANTINE" for e in self.expectations)

    def filled(self, words: Mapping[str, str], spelled: Callable[[str], str] = str) -> str:
        """The query with a slice's words at its places.  words: by dataset, and of BATCH_START and BATCH_END.

        spelled: writes the rest. Raises DefinitionError for a plan of an earlier Atoll, which does not know its places.
        """
        if not self.places and any(table.inputs for table in self.tables):
            cause = f"the plan of {self.id} does not tell where its query names datasets"
            remedy = "apply the program again: its plan is of an earlier version"
            raise DefinitionError(cause, place=str(self.position), remedy=remedy)
        return filled(self.query, self.places, words, spelled)

    @property
    def supersedes(self) -> bool:
        """PUBLISH: whether a batch is the target's whole content, so that only the latest one counts."""
        return (self.whole or self.mode == Mode.REPLACE) and self.mode != Mode.APPEND


@dataclass(frozen=True)
class Program:
    """A compiled data program. `version` names its content; equal content has an equal version.

    lineage: Lineage.version of its columns; '' when it was compiled without the sources' schemas.
    """

    connections: Mapping[str, Connection]
    warehouses: Mapping[str, Warehouse]
    flows: Mapping[str, Flow]
    sources: Mapping[str, str] = field(default_factory=dict)
    lineage: str = ""
    format: int = FORMAT

    @cached_property
    def version(self) -> str:
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    @property
    def slice_ids(self) -> tuple[str, ...]:
        """The slices that this program uses, sorted."""
        return tuple(sorted({flow.slice_id for flow in self.flows.values()}))

    def datasets(self) -> dict[str, tuple[str, ...]]:
        """Flow ▸ its datasets."""
        return {flow.id: tuple(table.dataset for table in flow.tables) for flow in self.flows.values()}

    @cached_property
    def producers(self) -> Mapping[str, Flow]:
        """The flow that makes each dataset."""
        return {table.dataset: flow for flow in self.flows.values() for table in flow.tables}

    def to_json(self) -> str:
        return json.dumps(fields_of(self), default=fields_of, sort_keys=True, separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> Program:
        values = json.loads(text, object_hook=hook_of(Flow, "tables"))  # plain values of all of them would fill a function
        return replace(from_plain(Program, {**values, "flows": {}}), flows=values["flows"])
