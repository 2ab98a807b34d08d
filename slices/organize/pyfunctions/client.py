"""A lake's views that call functions in Python: what these are given, and what they give, are files of the batch's own place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shared_metadata.contract.organize import Committed
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.contract.waiting.statements import Statements
from shared_metadata.contract.work import Work
from shared_metadata.program import Call
from slices.organize.pyfunctions import logic
from slices.organize.pyfunctions.calling import Calls
from systems.iceberg import relations
from systems.iceberg.computing import ComputingDriver
from systems.iceberg.versions import Read


class PythonDriver(ComputingDriver):
    """See shared_metadata.contract.organize.Driver. A prepared result is the lake's, with 'statements', the calls that have run."""

    def refresh(self, work: Work, reads: Mapping[str, Mapping[str, Any]], staging: Staging, deadline: Deadline) -> dict[str, Any]:
        services, place = self._services, f"{work.place}"
        calls = Calls(services.client("lambda"), services.s3, staging.bucket, services.clock)
        statements, given = Statements(calls, work.turn, place), dict[str, Read]()
        for call in work.flow.calls:
            ran = statements.run(call.table, lambda call=call: self._event(work, call, reads, given, staging))  # type: ignore[misc]
            files = [f"s3://{staging.bucket}/{ran.result['key']}"] if ran.rows else []
            given[call.table] = Read(files, [], call.returns)
        prepared = self.computed(work, reads, staging, given)
        return {**prepared, "statements": [ran.to_plain() for ran in statements.ran]}

    def commit(self, work: Work, prepared: Mapping[str, Any], staging: Staging) -> Committed:
        return replace(super().commit(work, prepared, staging), statements=tuple(prepared["statements"]))

    def _event(
        self, work: Work, call: Call, reads: Mapping[str, Mapping[str, Any]], given: Mapping[str, Read], staging: Staging
    ) -> str:
        """Writes the rows that the function is given, and tells it of them."""
        folder = logic.folder(call)
        into = staging.url(work.table.dataset, folder, "in")
        with self._ready(work, reads, given, call.query, into) as engine:
            files = engine.write(relations.result_query(call.query, call.takes), into)
        prefix = f"s3://{staging.bucket}/"
        told = logic.job(call, [file["url"].removeprefix(prefix) for file in files])
        return json.dumps({**told, "options": dict(call.options), "out": staging.key(work.table.dataset, folder, "out") + "/"})
