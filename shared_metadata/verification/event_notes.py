"""The events of completed batches, noted for a verification: a file for a day and a part of the flows. One part is read at a time.

Events lie by day, for all flows. Each day is read once, and what it says of each part goes into a file of its own; a part has as many
flows as bring so many events that they fit into memory. So neither memory nor disk depend on how many flows there are.
"""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Protocol

from shared_metadata.program.intervals import Interval, to_text
from shared_metadata.state.timeline import Programs
from shared_metadata.store.table_actions import EVENT_DAYS
from shared_metadata.verification.facts import Completed, moment

PART_EVENTS = 50_000  # of ninety days, some 10 MB in memory
HELD = 5_000  # events of a day in memory, before they are written
Lines = dict[str, list[str]]  # flow ▸ its events; all as JSON


class Shelf(Protocol):
    """Holds files by name, between the calls of a verification too."""

    def put(self, name: str, file: Path) -> None:
        """Takes a file away from where it is."""

    def get(self, name: str, into: Path) -> None: ...

    def forget(self, names: Sequence[str]) -> None: ...


class Folder:
    """A shelf on this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, name: str, file: Path) -> None:
        place = self._path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(file, place)

    def get(self, name: str, into: Path) -> None:
        shutil.copyfile(self._path / name, into)

    def forget(self, names: Sequence[str]) -> None:
        """All of them: nothing else lies there."""
        shutil.rmtree(self._path, ignore_errors=True)


def parts(programs: Programs, groups: Sequence[tuple[str, ...]]) -> dict[str, int]:
    """Flow ▸ its part: as many groups as bring so many events, or one that brings more."""
    found, part, held = dict[str, int](), 0, 0
    for flows in groups:
        more = sum(_events(programs, flow) for flow in flows)
        if held and held + more > PART_EVENTS:
            part, held = part + 1, 0
        held += more
        found |= dict.fromkeys(flows, part)
    return found


def _events(programs: Programs, name: str) -> int:
    """The events that a flow brings at most: each of its tables may be committed by itself."""
    made = [program.flows[name] for _, program in programs.entries if name in program.flows]
    return max((EVENT_DAYS * 86400 // flow.interval_seconds * len(flow.tables) for flow in made), default=0)


class EventNotes:
    """part_of: flow ▸ its part; events of others are passed over."""

    def __init__(self, shelf: Shelf, part_of: Mapping[str, int]) -> None:
        self._shelf, self._part_of = shelf, part_of
        self._loaded: tuple[int, Lines] | None = None
        self._given = set[str]()  # flows whose events are there no more, as whoever asked has them

    def keep(self, day: str, events: Iterable[Completed]) -> list[str]:
        """Keeps all events of a day, in place of what was kept of it; several threads may, each another day.

        Returns the names of the files, which recur after a hundred days: what a call leaves that dies is written over.
        """
        self._loaded = None
        with tempfile.TemporaryDirectory() as folder:
            lines, held = defaultdict[int, list[str]](list), 0
            for event in events:
                if event.flow in self._part_of:
                    lines[self._part_of[event.flow]].append(_line(event))
                    held += 1
                if held >= HELD:
                    _write(Path(folder), lines)
                    lines, held = defaultdict(list), 0
            _write(Path(folder), lines)
            files = sorted(Path(folder).iterdir())
            names = [f"{file.name}/{date.fromisoformat(day).toordinal() % 100:02}" for file in files]
            for name, file in zip(names, files, strict=True):
                self._shelf.put(name, file)
        return names

    def of(self, flows: Iterable[str], names: Iterable[str]) -> Iterator[Completed]:
        """The events of flows of one part.  names: of all files."""
        wanted = [flow for flow in flows if flow in self._part_of]
        for part in {self._part_of[flow] for flow in wanted}:
            if self._loaded is None or self._loaded[0] != part or not self._given.isdisjoint(wanted):
                self._loaded = None  # before the next one is there
                self._loaded, self._given = (part, self._load(name for name in names if name.startswith(f"{part:05}/"))), set()
            self._given.update(wanted)
            for flow in wanted:
                yield from (_event(flow, line) for line in self._loaded[1].pop(json.dumps(flow), ()))

    def _load(self, names: Iterable[str]) -> Lines:
        found: Lines = defaultdict(list)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "events"
            for name in names:
                self._shelf.get(name, file)
                with gzip.open(file, "rt", encoding="utf-8") as lines:
                    for line in lines:
                        flow, event = line.split("\t", 1)
                        found[flow].append(event)
        return found


def _write(folder: Path, lines: Mapping[int, Sequence[str]]) -> None:
    for part, some in lines.items():
        with gzip.open(folder / f"{part:05}", "at", compresslevel=1, encoding="utf-8") as file:
            file.writelines(some)


def _line(event: Completed) -> str:
    """A line of two fields and a tab between them, which JSON does not have."""
    start, end = to_text(event.interval.start), to_text(event.interval.end)
    fields = (event.flow, [start, end, event.token, dict(event.datasets), event.passed])
    return "\t".join(map(json.dumps, fields)) + "\n"


def _event(flow: str, line: str) -> Completed:
    start, end, token, datasets, passed = json.loads(line)
    return Completed(flow, Interval(moment(start), moment(end)), token, datasets, tuple(passed))
