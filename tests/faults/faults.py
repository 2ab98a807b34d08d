"""What can go wrong, and where: kinds of faults, and the calls to the outside that they strike."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

CONDUCTOR = "conductor"


class Kind(StrEnum):
    """What happens to a call. A process that dies is killed by SIGKILL; nothing of it runs any more."""

    DIES_BEFORE = "dies before"  # the call is not made
    DIES_DURING = "dies during"  # … is half sent
    DIES_AFTER = "dies after"  # … was made, and its answer is not read
    LOST = "answer lost"  # … was made, and the connection ends instead of an answer
    LOST_FOR_GOOD = "answer lost for good"  # likewise, and until the function ends nothing of the kind gets through
    THROTTLED = "throttled"
    STARVED = "throttled for good"  # every further call of the kind, until the function ends
    CONFLICT = "transaction conflict"  # another transaction writes the same item
    CONTENDED = "transaction conflicts for good"
    NO_ROOM = "no concurrency"  # the function is not called at all
    NOT_READY = "network interface not ready"  # likewise
    TOO_LARGE = "answer too large"  # the function is called, and its execution ends: no state carries what it answers
    TOO_LONG = "execution too long"  # likewise, instead of the call: the execution has as many events as it may
    ITEM_TOO_LARGE = "item too large"  # DynamoDB does not write it
    SERVER_ERROR = "server error"
    DOWN = "down"  # a server error for every further call of the kind until the function ends
    RESET = "reset"
    SLOW = "slow"
    TIMED_OUT = "timed out"  # the gateway's answer after it waited: the call was not made
    PAUSED = "paused"  # the process stands still, the state machine tries the step again, then it wakes and goes on
    OVERTAKEN = "overtaken"  # likewise, but its execution ends too, and another claims the batch
    MACHINE = "machine stops"  # all processes die, and it is a day later when they come back
    CLOCK_FORWARD = "clock jumps forward"  # by two hours
    CLOCK_BACK = "clock jumps back"  # by two hours
    CHANGED = "rows change"  # while the source is being read
    CUT = "cut in mid-stream"  # of what the source answers, only a part arrives
    EXPIRED = "token expired"
    RATE_LIMIT = "rate limit"
    PAGE_TWICE = "page twice"


PAUSES = (Kind.PAUSED, Kind.OVERTAKEN)
CLOCKS = (Kind.CLOCK_FORWARD, Kind.CLOCK_BACK)
DEATHS = (Kind.DIES_BEFORE, Kind.DIES_DURING, Kind.DIES_AFTER)
LOSSES = (Kind.LOST, Kind.LOST_FOR_GOOD)
AWS_TROUBLES = (Kind.THROTTLED, Kind.STARVED, Kind.SERVER_ERROR, Kind.DOWN, Kind.RESET, Kind.SLOW, Kind.TIMED_OUT)
# What nobody is to blame for: it is waited for, and no attempt at a batch is counted.
LATER = (Kind.THROTTLED, Kind.STARVED, Kind.CONFLICT, Kind.CONTENDED, Kind.NO_ROOM, Kind.NOT_READY)
CONFLICTS = (Kind.CONFLICT, Kind.CONTENDED)
# What Step Functions says when an execution meets a limit of its own; no Catch catches it, so that nothing is recorded by the step.
EXECUTION_LIMITS = {
    Kind.TOO_LARGE: ("States.DataLimitExceeded", "a step returned a result with a size exceeding the maximum number of bytes"),
    Kind.TOO_LONG: ("States.Runtime", "the execution reached the maximum number of history events (25000)"),
}
LIMITS = (*EXECUTION_LIMITS, Kind.ITEM_TOO_LARGE)
INVOKE, REFUSED_CALLS = "lambda.Invoke", (Kind.NO_ROOM, Kind.NOT_READY)
# What befalls every further call of the kind, until the function ends.
LASTING = {
    Kind.LOST_FOR_GOOD: Kind.RESET,
    Kind.DOWN: Kind.DOWN,
    Kind.STARVED: Kind.STARVED,
    Kind.CONTENDED: Kind.CONTENDED,
}
ENDING = (*DEATHS, *LASTING, *PAUSES, *LIMITS)  # a function's call does not succeed after it
ONCE_A_BATCH = (Kind.MACHINE, *CLOCKS)
SOURCE = {
    "salesforce": (
        Kind.EXPIRED,
        Kind.RATE_LIMIT,
        Kind.SERVER_ERROR,
        Kind.CUT,
        Kind.RESET,
        Kind.SLOW,
        Kind.PAGE_TWICE,
        *DEATHS,
        *PAUSES,
    ),
    "postgres": (*DEATHS, *LOSSES, Kind.DOWN, Kind.RESET, Kind.SLOW, *PAUSES, *ONCE_A_BATCH),
}

READS = ("Get", "Head", "List", "Query", "Describe", "BatchGet", "SELECT", "SHOW", "BEGIN", "SET", "Scan")


@dataclass(frozen=True, order=True)
class Site:
    """A call: the `number`-th to `operation` (as in 'dynamodb.PutItem' or 'postgres.COMMIT') of a step of a flow's batch."""

    flow: str
    dataset: str
    step: str
    operation: str
    number: int

    @property
    def writes(self) -> bool:
        return not self.operation.partition(".")[2].startswith(READS)

    def __str__(self) -> str:
        return f"{self.flow}/{self.dataset}/{self.step}/{self.operation}/{self.number}"

    @property
    def service(self) -> str:
        return self.operation.partition(".")[0]

    @property
    def call(self) -> str:
        """The operation without its service; a further page of Salesforce's has an id of its own as its name."""
        name = self.operation.partition(".")[2]
        return "(next page)" if self.service == "salesforce" and "-" in name else name

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What can go wrong with it."""
        if self.operation == INVOKE:
            return REFUSED_CALLS if self.flow == CONDUCTOR else (*REFUSED_CALLS, *EXECUTION_LIMITS)
        found = SOURCE.get(self.service, (*DEATHS, *LOSSES, *AWS_TROUBLES, *PAUSES, *ONCE_A_BATCH))
        if self.service == "dynamodb" and self.writes:
            return (*found, *CONFLICTS, *([] if self.call == "DeleteItem" else [Kind.ITEM_TOO_LARGE]))
        if self.operation == "postgres.COPY":
            return (*found, Kind.CUT)
        if self.service == "salesforce":
            never = {"token": (Kind.EXPIRED, Kind.PAGE_TWICE), "describe": (Kind.PAGE_TWICE,)}.get(self.call, ())
            return tuple(kind for kind in found if kind not in never)
        return found

    @staticmethod
    def read(text: str) -> Site:
        flow, dataset, step, operation, number = text.split("/")
        return Site(flow, dataset, step, operation, int(number))


@dataclass(frozen=True, order=True)
class Combination:
    """What is to be tried: a kind of fault at an operation of a step, as in 'organize.iceberg load', 's3.PutObject'."""

    step: str
    operation: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.step}, {self.operation}: {self.kind}"


@dataclass(frozen=True, order=True)
class Fault:
    """One kind of trouble at one call of one batch."""

    batch: int
    site: Site
    kind: Kind

    def tries(self, slice_id: str) -> Combination:
        step = "" if slice_id == CONDUCTOR else self.site.step.rstrip("0123456789")
        return Combination(f"{slice_id} {step}".strip(), self.site.service + "." + self.site.call, self.kind)

    def __str__(self) -> str:
        return f"{self.batch}/{self.site}/{self.kind}"

    @staticmethod
    def read(text: str) -> Fault:
        batch, _, rest = text.partition("/")
        site, _, kind = rest.rpartition("/")
        return Fault(int(batch), Site.read(site), Kind(kind))


@dataclass
class Invocation:
    """A step that runs: who it is, the process it runs in, and how often it has called each operation.

    early: if it stands still, it wakes before the table's next step, else when the batch is done.
    """

    batch: int
    flow: str
    dataset: str
    step: str
    slice_id: str
    pid: int
    counts: dict[str, int] = field(default_factory=dict)
    lasting: dict[str, Kind] = field(default_factory=dict)
    early: bool = False

    @property
    def place(self) -> tuple[str, str, str]:
        return self.flow, self.dataset, self.step

    def next_site(self, operation: str) -> Site:
        number = self.counts.get(operation, 0)
        self.counts[operation] = number + 1
        return Site(self.flow, self.dataset, self.step, operation, number)


class Schedule:
    """The faults that are still to come, those that have struck, and every call that was met."""

    def __init__(self, faults: tuple[Fault, ...] = ()) -> None:
        self.waiting = set(faults)
        self.fired: list[Fault] = []
        self.met: dict[tuple[int, Site], str] = {}
        self.slices: dict[Fault, str] = {}

    def strike(self, invocation: Invocation, operation: str) -> Kind | None:
        """What this call meets; notes that it was made."""
        site = invocation.next_site(operation)
        self.met[invocation.batch, site] = invocation.slice_id
        if lasting := invocation.lasting.get(operation):
            return lasting
        found = [fault for fault in self.waiting if (fault.batch, fault.site) == (invocation.batch, site)]
        if not found:
            return None
        fault = min(found, key=lambda one: (one.kind not in ENDING, one))  # after the others the call may not come again
        self.struck(fault, invocation)
        if fault.kind in LASTING:
            invocation.lasting[operation] = LASTING[fault.kind]
        return fault.kind

    def struck(self, fault: Fault, invocation: Invocation) -> None:
        self.waiting.remove(fault)
        self.fired.append(fault)
        self.slices[fault] = invocation.slice_id
