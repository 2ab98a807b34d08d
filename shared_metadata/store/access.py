"""Grants on the metadata table: the items of each function; its role is granted these and no others.

A partition key begins with the kind of its item (keys.py), and IAM can tell items apart by it:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html. The names of flows and datasets do not
take part: a program that is applied brings new ones without any stack being deployed again.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared_metadata.store import keys

TIMELINE, DRIFTS = keys.timeline()["pk"], keys.open_drifts()["pk"]
PROGRAMS, FLOWS, DATASETS = f"{keys.PROGRAM_PREFIX}*", f"{keys.FLOW_PREFIX}*", f"{keys.DATASET_PREFIX}*"
EVENTS, STATISTICS, SOURCES = f"{keys.EVENT_PREFIX}*", f"{keys.STATISTICS_PREFIX}*", f"{keys.SOURCE_PREFIX}*"
GRANTS = f"{keys.GRANT_PREFIX}*"


@dataclass(frozen=True)
class Access:
    """Patterns, with * at their ends, of the partition keys of items that are read, updated, put and deleted."""

    reads: tuple[str, ...] = ()
    updates: tuple[str, ...] = ()
    puts: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()

    def __or__(self, other: Access) -> Access:
        updates, puts, deletes = self.updates + other.updates, self.puts + other.puts, self.deletes + other.deletes
        return Access(self.reads + other.reads, updates, puts, deletes)


# Every step reads the program of its batch and extends the batch's lease.
STEP = Access(reads=(PROGRAMS,), updates=(FLOWS,))
# Plan claims the batch, and commits it when there is nothing to do.
PLAN = STEP | Access(reads=(TIMELINE, FLOWS, DATASETS), updates=(DATASETS,), puts=(FLOWS, DATASETS, EVENTS))
COMMIT = STEP | Access(reads=(FLOWS, DATASETS), updates=(DATASETS,), puts=(DATASETS, EVENTS, STATISTICS))
# Collect looks in plan whether its source is still what it was.
LOOK = Access(reads=(DRIFTS,), updates=(DRIFTS,), puts=(DRIFTS,))
DISCOVER = Access(puts=(SOURCES,))
# Batches and versions age during a table's maintenance (contract/maintenance/ageing.py): no other function deletes records.
MAINTAIN = Access(
    reads=(TIMELINE, PROGRAMS, FLOWS, DATASETS, keys.MAINTENANCE),
    updates=(FLOWS, DATASETS),
    puts=(keys.MAINTENANCE,),
    deletes=(FLOWS, DATASETS),
)
# For every function that opens a connection with a rotating grant, beside its own grants.
GRANT_LEASES = Access(reads=(GRANTS,), updates=(GRANTS,))
# A verification reads all that it compares, and records its result.
VERIFY = Access(reads=(TIMELINE, PROGRAMS, FLOWS, DATASETS, EVENTS, DRIFTS), puts=(keys.VERIFICATION,))
CONDUCTOR = Access(reads=(TIMELINE, PROGRAMS, FLOWS, DRIFTS, EVENTS), updates=(FLOWS, EVENTS, DRIFTS), puts=(EVENTS,))


def of_step(stage: str, step: str) -> Access:
    """The grants of a step, the same for every slice of a stage."""
    if step == "plan":
        return PLAN | LOOK if stage == "collect" else PLAN
    return {"commit": COMMIT, "discover": DISCOVER, "landed": Access(), "maintain": MAINTAIN}.get(step, STEP)
