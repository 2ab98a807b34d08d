"""A captured table of a source whose log tells what changes: its batches, and what a warehouse would make of them."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Any, ClassVar

import pyarrow.parquet as pq
import pytest

from shared_metadata.contract.collect import CollectSteps, OpenSource
from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Column, Connection, Flow, Kind, Mode, Position, Program, Table
from shared_metadata.program.intervals import Interval
from shared_metadata.state.records import TableState
from systems.sql_source.capture.changes import TooLong
from tests.conformance.fixtures import BatchRun, Cloud, run_batch

HOUR, FLOW, HERE = 3600, "lake.raw.thing", Position("program.atoll", 7, 3)
STAGED = f"{FLOW}:staged"


@dataclass
class CapturingSource(ABC):
    """One captured table `thing` of a database, and the state that its batches have come to.

    database: with a secret, and `run`.  key: of the MERGE.  stands: by key, what a warehouse has of the rows that are there.

    log: the slice's TableLog.  values: of types, some values, as SQL.  in_part: a setting of a session, with which the log tells rows
    in part.  lenient: one with which `no_day` is taken for a day.  in_utc: one for moments.  done: by a word, statements over two
    numbers, {0} and {1}, and a table of id, name and big.
    """

    cloud: Cloud
    database: Any
    key: tuple[str, ...] = ("id",)
    stands: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict)

    declaration: ClassVar[Slice]
    table: ClassVar[str] = "thing"
    log: ClassVar[Any]
    values: ClassVar[Mapping[str, Sequence[str]]]
    in_part: ClassVar[Sequence[str]] = ()
    lenient: ClassVar[Sequence[str]] = ()
    in_utc: ClassVar[Sequence[str]] = ()
    no_day: ClassVar[str]
    hostile: ClassVar[Sequence[str]] = ()
    done: ClassVar[Mapping[str, Sequence[str]]]

    @abstractmethod
    def make(self, columns: str = "id int PRIMARY KEY, name text, big text") -> None:
        """Makes the table `thing`, and whatever a capture of it needs."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[Callable[..., None]]:
        """What runs statements in one session, each a transaction of its own unless they say otherwise."""

    @abstractmethod
    def quoted(self, name: str) -> str: ...

    @abstractmethod
    def forget(self) -> None:
        """Takes the log away that no batch has read."""

    @abstractmethod
    def striking(self, striking: Any) -> AbstractContextManager[None]:
        """Has what the slice's sessions do be done by `striking.does`."""

    @abstractmethod
    def lost(self) -> Exception:
        """What the driver says of a connection that has broken."""

    @abstractmethod
    def opened(self) -> OpenSource:
        """As a fresh process opens the source."""

    @abstractmethod
    def source(self, columns: str = "*") -> list[dict[str, Any]]:
        """What the database has, by its first column."""

    def all(self, *statements: str) -> None:
        with self.writing() as run:
            run(*statements)

    @contextmanager
    def in_pieces(self, changes: int) -> Iterator[None]:
        """Each call reads so many changes of the log, and then its time is over."""
        whole = self.log.changes

        def some(log: Any, *given: Any) -> Iterator[Any]:
            with closing(whole(log, *given)) as found:
                for number, change in enumerate(islice(found, changes), 1):
                    yield change
                    if number == changes:
                        raise TooLong

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(self.log, "changes", some)
            yield

    def apply(self, columns: Mapping[str, str] | None = None, options: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Applies a program that captures the table. columns: of a query, name ▸ the source's; None for all."""
        self.cloud.put_secret("thing", self.database.secret)
        named = tuple(Column(name, source) for name, source in (columns or {}).items())
        how = {"mode": Mode.MERGE, "key": self.key, "capture": True, **more}
        masks = how.pop("masks", {})
        tables = (Table(STAGED, self.table, masks=masks),)
        flow = Flow(FLOW, Kind.COLLECT, self.declaration.id, "lake", HOUR, tables, HERE, connection="out", columns=named, **how)
        connection = Connection("out", self.declaration.system, {"secret": "thing", **(options or {})}, HERE)
        self.cloud.apply(Program({"out": connection}, {}, {FLOW: flow}))

    def steps(self, wrapped: Any = None) -> CollectSteps:
        """As a fresh process makes them."""
        opened = self.opened()
        return CollectSteps(self.declaration, self.cloud.services(self.declaration.id), wrapped(opened) if wrapped else opened)

    def run(self, wrapped: Any = None, **how: Any) -> BatchRun:
        """The next batch, and what becomes of the warehouse by it."""
        before = self.version()
        found = run_batch(self.steps(wrapped), self.cloud.event(FLOW), **how)
        if self.version() != before:
            self.merge()
        return found

    def run_again(self, interval: Interval) -> None:
        """A batch that was made, once more."""
        run_batch(self.steps(), self.cloud.event(FLOW, rerun=True, interval=interval))
        self.merge()

    def later(self) -> None:
        """Until the lease of a batch that did not end is over."""
        self.cloud.clock.now += timedelta(hours=1)

    def state(self) -> TableState:
        return self.cloud.reader.states_of({FLOW: [STAGED]})[FLOW].tables[STAGED]

    def cursor(self) -> str:
        return self.state().cursor

    def last_interval(self) -> Interval:
        end = self.state().watermark
        return Interval(end - timedelta(seconds=HOUR), end)

    def version(self) -> Any:
        return self.cloud.reader.latest_version(STAGED)

    def merge(self) -> None:
        """Does with the latest batch what a load does."""
        manifest = self.cloud.manifest(STAGED)
        rows = [row for file in manifest["files"] for row in self._read(file["key"])]
        gone = [row for file in manifest["left"] for row in self._read(file["key"])]
        keys = [self._key(row) for row in rows]
        assert len(set(keys)) == len(keys)
        if manifest.get("whole"):
            self.stands = {key: self.stands[key] for key in self.set_aside() if key in self.stands}
        for row in gone:
            self.stands.pop(self._key(row), None)
        self.stands |= dict(zip(keys, rows, strict=True))

    def rows(self) -> list[dict[str, Any]]:
        """What a warehouse has, by key, without Atoll's columns."""
        return [{n: v for n, v in self.stands[key].items() if n not in ("_batch", "_deleted")} for key in sorted(self.stands)]

    def manifest(self) -> dict[str, Any]:
        return self.cloud.manifest(STAGED)

    def set_aside(self) -> list[tuple[Any, ...]]:
        """The keys of rows that the latest batch, a whole copy, has set aside."""
        return [self._key(row) for file in self.manifest().get("there", ()) for row in self._read(file["key"])]

    def was_whole(self) -> bool:
        return bool(self.manifest().get("whole"))

    def _key(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(row[name] for name in self.key)

    def _read(self, key: str) -> list[dict[str, Any]]:
        return pq.read_table(io.BytesIO(self.cloud.body(key))).to_pylist()


def begun(capturing: Any, rows: str) -> None:
    """The first batch, over these rows."""
    capturing.database.run(f"INSERT INTO thing VALUES {rows}")
    capturing.apply()
    capturing.run()
    assert capturing.rows() == capturing.source()


def staged(capturing: CapturingSource) -> tuple[int, int]:
    """How many rows the latest batch brought, and how many keys that are gone."""
    manifest = capturing.manifest()
    return sum(file["rows"] for file in manifest["files"]), sum(file["rows"] for file in manifest["left"])
