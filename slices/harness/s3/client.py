"""Writes a batch's files, then the manifest that names them, and deletes what no manifest names any more when its time is over."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shared_metadata.contract.harness import Published
from shared_metadata.contract.landed import Landed
from shared_metadata.contract.results.changes import published_before
from shared_metadata.contract.results.receipt import identity
from shared_metadata.contract.results.results import Results
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.contract.work import Work
from shared_metadata.errors import DefinitionError, RetryLater
from shared_metadata.program import Connection, Mode
from shared_metadata.program.lineage import published_table
from slices.harness.s3.config import read_config
from slices.harness.s3.logic import (
    MANIFEST,
    Part,
    batch_name,
    copy_options,
    file_key,
    folder_of,
    form_of,
    is_batch,
    manifest_key,
    named,
    parts_of,
    query,
)
from slices.harness.s3.manifest import Manifest, Shelf


class S3Target:
    """The Target of contract/harness.py: a table is a folder, and what it holds is what its manifests name."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._config, self._services = read_config(connection), services
        self._shelf = Shelf(services.s3, self._config, f"connection {connection.name} ({connection.position})")
        self._open: list[Results] = []

    def close(self) -> None:
        for opened in self._open:
            opened.close()

    def diff(self, work: Work, result: Mapping[str, Any], staging: Staging, deadline: Deadline) -> dict[str, Any]:
        """What is to be written: all of the result, unless it is there, or a later one is."""
        flow, claim, content = work.flow, work.claim, named(identity(result), self._config)
        last = self._manifest(work)
        mine = last if last and last.interval.start == claim.interval.start else None
        later = bool(last and flow.supersedes and last.interval.start > claim.interval.start)
        same = bool(mine and mine.content == content and (not claim.rerun or mine.token == claim.token))
        parts = [asdict(part) for part in parts_of(result["files"])]
        rows = 0 if later else sum(part["rows"] for part in parts)
        base = (last if flow.supersedes else mine) if last else None
        changes = {"upserts": rows, "deletes": 0, "result": content, "forget": flow.supersedes, "nothing": later or same}
        columns = [{name: column[name] for name in ("name", "type")} for column in result["schema"]["columns"]]
        return {**changes, "base": base.receipt.mark if base else None, "parts": parts, "columns": columns}

    def publish(
        self, work: Work, changes: Mapping[str, Any], staging: Staging, resume: Mapping[str, Any] | None, deadline: Deadline
    ) -> Published:
        """Writes file after file, and the manifest when all are there."""
        last = self._manifest(work)
        if changes["nothing"] or (last and published_before([last.receipt], work.claim, changes, work.place)):
            self._shelf.delete(last.due(self._services.clock()) if last else [])
            return Published()
        folder, before = folder_of(self._config, work.flow), list((resume or {}).get("files", ()))
        files = list(before)
        results = Results(self._services, work.place, deadline)
        self._open.append(results)
        for part in (Part(**part) for part in changes["parts"][len(before) :]):
            if len(files) > len(before) and deadline.near:
                return Published({"files": files})
            key = file_key(folder, work.claim.interval.start, changes["result"], part, self._config)
            files.append({"key": key, "rows": part.rows, "bytes": self._written(results, part, key)})
        self._switch(work, changes, last, files)
        return Published()

    def _written(self, results: Results, part: Part, key: str) -> int:
        """The bytes of a file that is made and put there."""
        relation = results.relation([part.source])
        types = results.columns(relation)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "part"
            results.write_file(query(relation, types, part, self._config.format), path, copy_options(self._config, len(types)))
            return self._shelf.put_file(key, path)

    def _switch(self, work: Work, changes: Mapping[str, Any], last: Manifest | None, files: list[dict[str, Any]]) -> None:
        """Puts the manifest in the place of the last one, and then deletes what is due."""
        claim, config, now = work.claim, self._config, self._services.clock()
        told = {"table": published_table(work.flow), "mode": str(work.flow.mode), "bucket": config.bucket, "format": config.format}
        told |= {"compression": config.compressed, **form_of(config, len(changes["columns"])), "columns": changes["columns"]}
        until = now if work.flow.mode == Mode.APPEND else now + config.kept
        new = Manifest(work.flow.id, claim.interval, claim.token, changes["result"], tuple(files), now, told=told).after(last, until)
        if not self._shelf.put_manifest(self._key(work), new, last.tag if last else ""):
            there = self._manifest(work)  # perhaps ours, whose answer was lost
            if not (there and published_before([there.receipt], claim, changes, work.place)):
                raise RetryLater("another worker published since the changes were worked out", place=work.place)
        self._shelf.delete(new.due(now))

    def _manifest(self, work: Work) -> Manifest | None:
        key = self._key(work)
        found = self._shelf.manifest(key)
        if found and found.flow != work.flow.id:
            what = f"s3://{self._config.bucket}/{key} is the manifest of {found.flow}"
            remedy = f"publish below another prefix; if {found.flow} is no more, move its files and its manifest away"
            raise DefinitionError(what, place=work.place, remedy=remedy)
        return found

    def _key(self, work: Work) -> str:
        return manifest_key(folder_of(self._config, work.flow), work.flow, work.claim.interval.start)


def newest_batches(connection: Connection, services: Services, flows: Mapping[str, str]) -> dict[str, Landed | None]:
    """Each published table's newest batch, by its manifests."""
    config = read_config(connection)
    shelf = Shelf(services.s3, config, f"connection {connection.name} ({connection.position})")
    return {
        dataset: _newest(shelf, config.bucket, f"{config.prefix}{flow.removeprefix(f'{connection.name}.')}/", flow)
        for dataset, flow in flows.items()
    }


def _newest(shelf: Shelf, bucket: str, folder: str, flow: str) -> Landed | None:
    """The manifest of the table, or that of the newest batch, whichever is newer: a program's mode may have changed."""
    found, place = shelf.manifest(f"{folder}{MANIFEST}"), f"{folder}{MANIFEST}"
    found = found if found and found.flow == flow else None
    after = f"{folder}{batch_name(found.interval.start)}/" if found else folder
    for batch in reversed([name for name in shelf.folders(folder) if is_batch(name.removeprefix(folder)) and name > after]):
        of_batch = shelf.manifest(f"{batch}{MANIFEST}")
        if of_batch and of_batch.flow == flow:
            found, place = of_batch, f"{batch}{MANIFEST}"
            break
    return Landed(found.interval, found.token, f"s3://{bucket}/{place}") if found else None
