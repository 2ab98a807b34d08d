"""What benchmarks of collected events share: the events, a server in a process of its own, and contenders in fresh ones beside it."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared_metadata.costs import cost_dollars

MEMORY_GB = 2
CASTS = {
    "id": "long",
    "user_id": "string",
    "kind": "string",
    "amount": "decimal(12,2)",
    "at": "timestamptz",
    "paid": "boolean",
    "url": "string",
    "score": "double",
}


@dataclass(frozen=True)
class Comparison:
    """One benchmark.  module: its own.  contenders: 'atoll' and the peer, each what it took.

    serve: prints where it answers, and then answers for so many events until it is ended.  variables: of a contender, by that place.
    """

    module: str
    description: str | None
    peer: str
    contenders: Mapping[str, Callable[[], dict[str, Any]]]
    serve: Callable[[int], None]
    variables: Callable[[str], Mapping[str, str]]

    def main(self) -> None:
        parser = argparse.ArgumentParser(description=self.description)
        parser.add_argument("--events", type=int, default=200_000)
        parser.add_argument("--runs", type=int, default=3)
        parser.add_argument("--json", action="store_true")
        parser.add_argument("--memory", action="store_true")
        parser.add_argument("--child", choices=self.contenders)
        parser.add_argument("--serve", action="store_true")
        arguments = parser.parse_args()
        if arguments.serve:
            self.serve(arguments.events)
        elif arguments.child:
            print(json.dumps(self.contenders[arguments.child]()))
        else:
            found = self._memory(arguments.events) if arguments.memory else self._compared(arguments.events, arguments.runs)
            print(json.dumps(found) if arguments.json else "\n".join(f"{name}: {value}" for name, value in found.items()))

    def _compared(self, events: int, runs: int) -> dict[str, Any]:
        found: dict[str, list[dict[str, Any]]] = {self.peer: [], "atoll": []}
        with self._served(events) as address:
            for _ in range(runs):
                for name, results in found.items():
                    results.append(self._run(name, address))
        assert {run["events"] for results in found.values() for run in results} == {events}
        of = {name: {what: statistics.median(run[what] for run in results) for what in results[0]} for name, results in found.items()}
        gb_seconds = of["atoll"]["cpu_seconds"] / events * 1e6 * MEMORY_GB
        return {
            "events": events,
            "bytes_an_event": len(event(events // 2)),
            "runs": runs,
            "load": round(os.getloadavg()[0], 1),
            **{f"{name}_seconds": round(values["seconds"], 2) for name, values in of.items()},
            **{f"{name}_cpu_seconds": round(values["cpu_seconds"], 2) for name, values in of.items()},
            **{f"{name}_events_a_cpu_second": round(events / values["cpu_seconds"]) for name, values in of.items()},
            "ratio_cpu": round(of[self.peer]["cpu_seconds"] / of["atoll"]["cpu_seconds"], 2),
            **{f"{name}_peak_mb": max(run["peak_mb"] for run in results) for name, results in found.items()},
            "dollars_a_million_events": round(cost_dollars({"lambda_arm64_gb_second": gb_seconds}), 6),
        }

    def _memory(self, events: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for count in (events, events * 10):
            with self._served(count) as address:
                found[f"atoll_peak_mb_at_{count}_events"] = self._run("atoll", address)["peak_mb"]
        return found

    def _run(self, child: str, address: str) -> dict[str, Any]:
        """One contender in a fresh process."""
        command = [sys.executable, "-m", self.module, "--child", child]
        environment = {**os.environ, **self.variables(address)}
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    @contextlib.contextmanager
    def _served(self, events: int) -> Iterator[str]:
        """Where the server answers."""
        command = [sys.executable, "-m", self.module, "--serve", "--events", str(events)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()
            server.wait()


def event(number: int) -> bytes:
    return json.dumps(values(number)).encode()


def values(number: int) -> dict[str, Any]:
    """An event's fields, typed as in `CASTS`."""
    return {
        "id": number,
        "user_id": f"user-{number * 7919 % 50_000}",
        "kind": ("view", "click", "order")[number % 3],
        "amount": f"{number % 100_000 / 100:.2f}",
        "at": f"2026-11-23T11:{number // 60 % 60:02d}:{number % 60:02d}.{number % 1000:03d}Z",
        "paid": number % 3 == 0,
        "url": f"https://example.com/products/{number % 9973}?campaign=autumn&position={number % 40}",
        "score": number * 0.37,
    }


def taken(started: float, cpu: float) -> dict[str, Any]:
    """What a contender took since then: seconds, of the clock and of the processor."""
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - cpu, "peak_mb": peak_mb}
