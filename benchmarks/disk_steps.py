"""A collect slice's steps that stage on the disk, so that a store's speed is no part of what is measured."""

from __future__ import annotations

from pathlib import Path

from shared_metadata.contract.collect import CollectSteps
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.contract.work import Work


def disk_steps(folder: str) -> type[CollectSteps]:
    """The class of steps whose Parquet files lie below a folder; all else of them is in the services' bucket."""

    class DiskStaging(Staging):
        def url(self, *parts: str) -> str:
            path = Path(folder) / self.key(*parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            return str(path)

    class DiskSteps(CollectSteps):
        def staging(self, work: Work) -> Staging:
            return DiskStaging(self.services.s3, self.services.environment.atoll_data_bucket, self.declaration.id, work.claim)

    return DiskSteps
