"""Reads one stream, portion by portion.

It is told a job, a line of JSON, on its input, and writes lines: a record as JSON; or what begins with `=` and, but for the last two,
is answered by a line on its input:

    =portions DIGEST     all portions are listed, where the job asks for that     ◂ go | again: they are listed anew
    =portion NAME        one of them comes                                        ◂ read | skip
    =end REQUESTS        its records are written, after so many requests          ◂ next | again: they are read anew
    =done                nothing is left
    =failed JSON         of what it failed: names of code alone, and a status; no text of an error, which may quote a row
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from .failures import Stopped, told_of
from .limits import Limits
from .one_stream import manifest_of

Portion = tuple[str, Callable[[], Iterator[Any]]]


class Runner:
    """job: {'manifest', 'config', 'stream', 'schema', 'changes', 'start', 'end', 'beyond', 'now', 'hosts', 'pause', 'listed'}.

    start, end: of what is asked for, as texts with microseconds and zone; start '' for the stream's own.  beyond: up to which parents
    are asked for.  pause: how many seconds an API that asks for it is waited for.  listed: all portions are listed before one is
    read.
    """

    def __init__(self, job: Mapping[str, Any], out: int) -> None:
        self._job, self._out, self.limits = job, os.fdopen(out, "wb"), Limits(job)

    def run(self) -> None:
        self.limits.hold()
        seen = Counter[str]()
        for name, read in self._settled() if self._job["listed"] else self._portions():
            seen[name] += 1  # what two portions have in common does not tell them apart
            if self._ask(f"portion {name}-{seen[name]}") != "skip":
                self._read(read)
        self.tell("done")

    def tell(self, text: str) -> None:
        self._out.write(f"={text}\n".encode())
        self._out.flush()

    def _ask(self, text: str) -> str:
        self.tell(text)
        if not (answer := sys.stdin.readline()):
            sys.exit(1)  # whoever asked is gone
        return answer.strip()

    def _read(self, read: Callable[[], Iterator[Any]]) -> None:
        while True:
            self.limits.requests = 0
            for record in read():
                self._out.write(json.dumps(record, default=_plain).encode() + b"\n")
            if self._ask(f"end {self.limits.requests}") != "again":
                return

    def _settled(self) -> list[Portion]:
        """The portions, once two listings after one another are alike, as whoever asks judges."""
        while True:
            found = [*self._portions()]
            digest = hashlib.sha256("\n".join(sorted(name for name, _ in found)).encode()).hexdigest()
            if self._ask(f"portions {digest}") != "again":
                return found

    def _portions(self) -> Iterator[Portion]:
        """The portions of a stream that is made anew: one keeps in mind what it has listed."""
        for partition in self._stream().generate_partitions():
            yield _name(partition.to_slice()), partial(_records, partition.read)

    def _stream(self) -> Any:
        from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource

        manifest, config = manifest_of(self._job), dict(self._job["config"])
        self.limits.allow(manifest["streams"])
        source = ConcurrentDeclarativeSource(catalog=None, config=config, state=[], source_config=manifest)
        return next(one for one in source.streams(config) if one.name == self._job["stream"])


def _records(read: Callable[[], Iterable[Any]]) -> Iterator[Any]:
    for found in read():
        record = getattr(found, "data", found)
        if isinstance(record, Mapping):  # else a message of the kit's
            yield dict(record)


def _name(found: Any) -> str:
    """A digest of what a portion is of."""
    told = [dict(found or {}), dict(getattr(found, "extra_fields", None) or {})]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=lambda _: "").encode()).hexdigest()[:24]


def _plain(value: Any) -> Any:
    """What code makes and JSON has not, as a text."""
    return value.isoformat() if isinstance(value, date) else str(value)


def main() -> None:
    out = os.dup(1)
    os.dup2(2, 1)  # whatever prints, prints into the log
    sys.stdout = sys.stderr
    runner = Runner(json.loads(sys.stdin.readline()), out)
    try:
        runner.run()
    except Stopped as stopped:
        runner.tell(f"failed {json.dumps(stopped.told)}")
        sys.exit(1)
    except Exception as error:
        runner.tell(f"failed {json.dumps(told_of(error, Path.cwd(), runner.limits.status))}")
        sys.exit(1)


if __name__ == "__main__":
    main()
