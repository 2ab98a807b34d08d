"""How long a day's outage of many flows takes to catch up: the conductor's real rounds, in simulated time.

    python -m benchmarks.outage [--flows 999] [--batches 96] [--seconds 4 8 6] [--functions 1000] [--starts 300] [--running 500]
        [--covers] [--json]

Flows of 15 minutes in chains of three have missed so many batches, and every interval counts; with --covers, only the last of them.
An execution claims its batch a second after its start, and commits it after the given seconds, for its place in the chain; at most
`functions` run at once, the others wait. Requests take what they take in AWS (LATENCY), a start the processor time of
`benchmarks.conductor_rounds`; StartExecution's bucket of 1,300 is filled by `starts` a second; `running` is the conductor's ceiling.
The clock and the stream call one after the other, where in truth they run beside one another; events reach the conductor 1.25 s after
their commit. Beside it: as fast as the executions themselves allow.
"""

from __future__ import annotations

import argparse
import heapq
import json
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from benchmarks.conductor_rounds import ACCOUNT, REGION, TABLE, chains
from benchmarks.counting_dynamodb import CountingDynamoDB
from conductor.environment import EVENTS_AT_ONCE, MAX_RUNNING, Environment
from conductor.starter import Starter
from shared_metadata.program.intervals import Interval, from_text, to_text
from shared_metadata.state.records import Batch, Event, EventKind, TableState, Worker
from shared_metadata.store import items, keys
from shared_metadata.store.writer import MetadataWriter

QUARTER = 900
ORIGIN = datetime(2026, 11, 1, tzinfo=UTC)
# seconds, with the processor time of boto3 on a whole processor
LATENCY = {"GetItem": 0.009, "BatchGetItem": 0.028, "Query": 0.012}
START_SECONDS, CLAIM_SECONDS, STREAM_SECONDS, CALL_SECONDS, ROUND_SECONDS = 0.0045, 1.0, 1.25, 0.03, 55
BUCKET = 1300
EVENTS_KEPT = timedelta(minutes=10)


@dataclass(frozen=True)
class CaughtUp:
    """minutes: until all is done.  at_once: the most executions that ran.  rounds, busy: how many, and their part of the time."""

    batches: int
    minutes: float
    ideal_minutes: float
    at_once: int
    rounds: int
    longest_round_seconds: float
    busy: float
    starts: int
    describes: int


@dataclass
class Simulation:
    """Everything that happens, in the order of its moments (seconds since the end of the outage), until the outage is made up for.

    What falls due meanwhile is done as well.
    """

    flows: int
    batches: int
    seconds: tuple[float, ...]
    functions: int
    starts: float
    running_at_most: int = MAX_RUNNING
    covers: bool = False
    now: float = 0.0
    done: int = 0
    running: int = 0
    most: int = 0
    calls: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.began = ORIGIN + timedelta(seconds=self.batches * QUARTER)
        self._coming: list[tuple[float, int, str, dict[str, str]]] = []
        self._waiting: deque[dict[str, str]] = deque()
        self._events: deque[tuple[float, Event]] = deque()
        self._forgotten: deque[tuple[float, keys.Key]] = deque()
        self._known: dict[str, datetime] = {}
        self._bucket, self._filled, self._order = float(BUCKET), 0.0, 0
        self.dynamodb = CountingDynamoDB(lambda name: self._pass(LATENCY[name]))
        self.dynamodb.create_table(TableName=TABLE)
        program = chains(self.flows, seconds=QUARTER, covers=self.covers)
        writer = MetadataWriter(self.dynamodb, TABLE, self.clock)  # type: ignore[arg-type]
        writer.put_program(program)
        writer.activate(program, former_version="")
        environment = Environment(TABLE, ACCOUNT, REGION, max_running=self.running_at_most)
        self._processes = [Starter(writer, self, environment, lambda *_: None) for _ in range(2)]  # type: ignore[arg-type]
        for name in program.flows:
            self._keep(name, ORIGIN)
        self.now, self.calls, self._behind = 0.0, Counter(), self.flows

    def clock(self) -> datetime:
        return self.began + timedelta(seconds=self.now)

    def run(self) -> tuple[int, float, float]:
        """Rounds of the clock and of the stream until all is done: how many, the longest's seconds, and those of all."""
        rounds, longest, busy, next_clock = 0, 0.0, 0.0, 0.0
        while self._behind:
            began = self.now
            hurried = partial(self._hurried, began)
            if self._events and self._events[0][0] <= self.now:
                count = min(EVENTS_AT_ONCE, sum(moment <= self.now for moment, _ in self._events))
                brought = [self._events.popleft()[1] for _ in range(count)]
                self._processes[1].start_after(brought, self.clock(), hurried)
            elif next_clock <= self.now:
                next_clock = (self.now // 60 + 1) * 60
                self._processes[0].start_due(self.clock(), hurried)
            else:
                self._pass(max(self._next(next_clock) - self.now, 0.001))
                continue
            self._pass(CALL_SECONDS)
            rounds, longest, busy = rounds + 1, max(longest, self.now - began), busy + self.now - began
        return rounds, longest, busy

    def _hurried(self, began: float) -> bool:
        return self.now - began > ROUND_SECONDS

    def _next(self, next_clock: float) -> float:
        coming = [self._coming[0][0]] if self._coming else []
        return min([next_clock, *coming, *([self._events[0][0]] if self._events else [])])

    # -- Step Functions

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:
        self.calls["StartExecution"] += 1
        self._pass(START_SECONDS)
        self._take()
        if name not in self._known:
            self._known[name] = self.clock()
            body = {**json.loads(input), "name": name}
            if self.running < self.functions:
                self._begin(body)
            else:
                self._waiting.append(body)
        return {"executionArn": name, "startDate": self._known[name]}

    def describe_execution(self, **_: Any) -> dict[str, Any]:
        self.calls["DescribeExecution"] += 1
        return {"status": "RUNNING"}

    def _take(self) -> None:
        """A client that is throttled asks slower: it waits for the bucket."""
        self._bucket, self._filled = min(BUCKET, self._bucket + (self.now - self._filled) * self.starts), self.now
        if self._bucket < 1:
            self._pass((1 - self._bucket) / self.starts)
            self._bucket, self._filled = 1.0, self.now
        self._bucket -= 1

    # -- executions

    def _begin(self, body: dict[str, str]) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        self._at(CLAIM_SECONDS, "claim", body)
        self._at(CLAIM_SECONDS + self.seconds[int(body["flow"][-5:]) % 3], "commit", body)

    def _at(self, seconds: float, what: str, body: dict[str, str]) -> None:
        self._order += 1
        heapq.heappush(self._coming, (self.now + seconds, self._order, what, body))

    def _pass(self, seconds: float) -> None:
        """Time goes on, and what falls into it happens."""
        until = self.now + seconds
        while self._coming and self._coming[0][0] <= until:
            moment, _, what, body = heapq.heappop(self._coming)
            self.now = max(self.now, moment)
            (self._claim if what == "claim" else self._commit)(body)
        self.now = max(self.now, until)

    def _claim(self, body: dict[str, str]) -> None:
        interval, name = Interval(from_text(body["start"]), from_text(body["end"])), body["flow"]
        worker = Worker(1, body["name"], self.clock() + timedelta(minutes=16))
        batch = Batch(name, interval, 1, (name,), "v", {}, {name: worker})
        for item in (items.head_values(batch), items.batch_table_values(batch, name, {})):
            self.dynamodb.put(TABLE, items.to_item(item))

    def _commit(self, body: dict[str, str]) -> None:
        """The state, and the event; of batches and events nothing stays that nobody asks for any more."""
        name, start = body["flow"], body["start"]
        self._keep(name, from_text(body["end"]))
        for key in (keys.batch(name, from_text(start)), keys.batch_table(name, from_text(start), name)):
            self.dynamodb.drop(TABLE, key)
        now = self.clock()
        event = Event(EventKind.BATCH_COMPLETED, now, name, {"datasets": {name: 1}})
        values = {"kind": event.kind.value, "at": to_text(now), "flow": name, "detail": event.detail}
        key = keys.event(now, f"{name}#{start}")
        self.dynamodb.put(TABLE, items.to_item({**key, **values}))
        self._events.append((self.now + STREAM_SECONDS, event))
        self._forgotten.append((self.now + EVENTS_KEPT.total_seconds(), key))
        while self._forgotten[0][0] <= self.now:
            self.dynamodb.drop(TABLE, self._forgotten.popleft()[1])
        self.done, self.running = self.done + 1, self.running - 1
        if from_text(start) < self.began <= from_text(body["end"]):
            self._behind -= 1
        if self._waiting:
            self._begin(self._waiting.popleft())

    def _keep(self, name: str, through: datetime) -> None:
        self.dynamodb.put(TABLE, items.to_item(items.new_state(name, name, TableState(through))))


def caught_up(simulation: Simulation) -> CaughtUp:
    rounds, longest, busy = simulation.run()
    ideal = ideal_seconds(simulation)
    return CaughtUp(
        simulation.flows * simulation.batches,
        simulation.now / 60,
        ideal / 60,
        simulation.most,
        rounds,
        longest,
        busy / simulation.now,
        simulation.calls["StartExecution"],
        simulation.calls["DescribeExecution"],
    )


def ideal_seconds(of: Simulation) -> float:
    """If whatever is due were at work at once: a chain keeps the pace of its slowest flow, all together that of the functions."""
    if of.covers:
        return sum(CLAIM_SECONDS + seconds for seconds in of.seconds)
    slowest, together = CLAIM_SECONDS + max(of.seconds), sum(CLAIM_SECONDS + seconds for seconds in of.seconds) / len(of.seconds)
    return max(of.batches * slowest, of.flows * of.batches * together / min(of.functions, of.running_at_most))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--flows", type=int, default=999)
    parser.add_argument("--batches", type=int, default=96)
    parser.add_argument("--seconds", type=float, nargs=3, default=[4.0, 8.0, 6.0])
    parser.add_argument("--functions", type=int, default=1000)
    parser.add_argument("--starts", type=float, default=300.0)
    parser.add_argument("--running", type=int, default=MAX_RUNNING)
    parser.add_argument("--covers", action="store_true")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    asked = (wanted.functions, wanted.starts, wanted.running, wanted.covers)
    simulation = Simulation(wanted.flows, wanted.batches, tuple(wanted.seconds), *asked)
    found = caught_up(simulation)
    if wanted.json:
        print(json.dumps(asdict(found)))
        return
    print(f"{wanted.flows:,} flows of 15 minutes that missed {wanted.batches} batches each:")
    print(f"    caught up after {found.minutes:.1f} minutes; as fast as the executions allow: {found.ideal_minutes:.1f}")
    print(f"    {found.at_once:,} executions at once at most; {found.starts:,} starts, {found.describes:,} questions for executions")
    print(f"    {found.rounds:,} rounds, the longest {found.longest_round_seconds:.1f} s; busy {found.busy:.0%} of the time")


if __name__ == "__main__":
    main()
