"""What the steps of all stages share, in a function whose process is used for one execution after the other."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

from shared_metadata.contract.declaration import Slice
from shared_metadata.contract.steps import Steps
from shared_metadata.contract.work import Work
from shared_metadata.state.records import TableCommit
from shared_metadata.store.writer import MetadataWriter
from tests.conformance.fixtures import SettableClock, create_metadata_table
from tests.memory.dynamodb import MemoryDynamoDB
from tests.metadata.behaviour import FIRST, SECOND, apply, program


def test_executions_of_one_batch_that_make_other_tables_read_their_own_tables_cursors() -> None:
    """Each of them has the first token of its tables, so the batch and the token alone do not tell them apart."""
    dynamodb, clock = MemoryDynamoDB(), SettableClock(FIRST.end + timedelta(minutes=1))
    create_metadata_table(dynamodb, "metadata")
    writer = MetadataWriter(dynamodb, "metadata", clock)  # type: ignore[arg-type]
    wanted = program(2)
    apply(writer, wanted)
    flow = wanted.flows["lake.crm"]
    names = [table.dataset for table in flow.tables]
    version = writer.reader.active_version()

    def claimed(interval, *datasets: str):  # type: ignore[no-untyped-def]
        return writer.claim("lake.crm", interval, datasets, program_version=version, owner="one", lease_seconds=60)

    writer.commit(claimed(FIRST, *names), [TableCommit(name, cursor=f"of {name}") for name in names])
    steps = Steps(Slice("collect", "test", "Test", None, "", ()), SimpleNamespace(reader=writer.reader))  # type: ignore[arg-type]
    for table in flow.tables:
        claim = claimed(SECOND, table.dataset)
        assert claim.token == 1
        assert steps.cursor(Work(flow, table, claim, wanted)) == f"of {table.dataset}"
