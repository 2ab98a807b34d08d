"""The options of `CREATE WAREHOUSE … USING iceberg WITH (…)`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import ConfigDict, Field

from shared_metadata.contract.accepted import refusals
from shared_metadata.contract.maintenance import keep as keeping
from shared_metadata.contract.tasks.options import TaskOptions
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Mode


class Config(TaskOptions):
    """None is required. Where DuckDB computes, `run` says in what (TaskOptions).

    engine: what computes the views and what is published, where they do not name another by USING; DuckDB by itself.
    larger: with the engine 'auto', which engine computes what is too large; by itself the first of those that take over.
    larger_from_gb: with it, from which size of a batch's inputs on that computes, in GB of 10^9 bytes of the lake's files; 0 for what
        the functions hold.
    task_from_gb: with run = 'auto', from which size of a batch's inputs on a view is a task's, as larger_from_gb.
    scan_limit_gb: how much one statement of Athena may read, in GB of 10^9 bytes, before it is stopped; 0 for any amount.
    spark_vcpus: how many vCPUs all jobs of Spark may have at once, in workers of four.
    spark_timeout_minutes: how long one job of Spark may take, its start included, before it is cancelled.
    target_file_mb: the size of the files that this slice writes.
    delete_files: whether a MERGE may name rows as deleted beside large files; without, it writes each anew that holds one.
    keep: for how long all versions of tables can be read, e.g. '7 days'; '' for a hundred batches of each, and six hours at least.
    mask_key: a reference of the secret whose key hashes what is collected into the warehouse; only collect slices read it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: str = Field(default="duckdb", min_length=1)
    larger: str = ""
    larger_from_gb: float = Field(default=0, ge=0, le=10_000_000)
    task_from_gb: float = Field(default=0, ge=0, le=10_000_000)
    scan_limit_gb: int = Field(default=0, ge=0, le=10_000_000)
    spark_vcpus: int = Field(default=64, ge=8, le=4000)
    spark_timeout_minutes: int = Field(default=360, ge=5, le=360)
    target_file_mb: int = Field(default=128, ge=1, le=1024)
    delete_files: bool = True
    keep: str = Field(default="", pattern=keeping.PATTERN, description=keeping.LENGTH)
    mask_key: str = Field(default="", min_length=1)

    def keep_of(self, interval_seconds: int) -> timedelta:
        """How long versions of a table are kept, whose batches have this length."""
        return keeping.keep_of(self.keep, interval_seconds)

    def target_bytes(self, mode: Mode) -> int:
        """The size of files that are put together; smaller for MERGE, since a batch rewrites each file that holds one of its keys."""
        return (self.target_file_mb << 20) // (4 if mode == Mode.MERGE else 1)

    @classmethod
    def read(cls, options: Mapping[str, Any], *, place: str) -> Config:
        """Raises DefinitionError that names the option and what is accepted."""
        if unknown := sorted(set(options) - set(cls.model_fields)):
            raise DefinitionError(f"an iceberg warehouse has no option {unknown[0]}", place=place, remedy=_accepted(cls))
        for wrong in refusals(cls, options):
            raise DefinitionError(f"the option {wrong.name} takes {wrong.takes}", place=place, remedy=_accepted(cls))
        return cls(**options)


def _accepted(model: type[Config]) -> str:
    return f"the options of an iceberg warehouse are: {', '.join(model.model_fields)}"
