"""The door of the double for tests: what shall go wrong, limits, and what was asked of it."""

from __future__ import annotations

import json
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session


class Door:
    """session: of the account's root, with its region."""

    def __init__(self, session: Any, endpoint: str, ca_bundle: str) -> None:
        self._session, self._endpoint, self._ca_bundle = session, endpoint, ca_bundle

    def fault(self, kind: str, count: int = 1, match: str = "", **changes: Any) -> None:
        """Has the next calls or statements go wrong in whose action or text the regular expression is found; see faults.FAULTS."""
        self._ask(fault={"kind": kind, "count": count, "match": match, **changes})

    def clear(self) -> None:
        """Forgets every fault that still waits."""
        self._ask(disarm=True)

    def warehouse(self, name: str, **properties: Any) -> None:
        """Makes a workgroup or a cluster that no stack has: kind, databases, roles, arn, state."""
        self._ask(warehouse={"name": name, **properties})

    def most_active(self, number: int) -> None:
        self._ask(most_active=number)

    def cancel(self, id: str) -> None:
        """Has a statement end as ABORTED, as an administrator does by pg_terminate_backend."""
        self._ask(cancel=id)

    def statements(self) -> list[dict[str, str]]:
        """Each with its id, text and status, the first one first."""
        return list(self._ask()["statements"])

    def _ask(self, **body: Any) -> dict[str, Any]:
        headers = {"X-Amz-Target": "RedshiftData.Double", "Content-Type": "application/x-amz-json-1.1"}
        request = AWSRequest("POST", self._endpoint + "/", headers, json.dumps(body))
        keys = self._session.get_credentials().get_frozen_credentials()
        SigV4Auth(keys, "redshift-data", self._session.region_name).add_auth(request)
        opened = URLLib3Session(verify=self._ca_bundle)  # type: ignore[arg-type]  # a file of authorities, too
        answer = opened.send(request.prepare())
        if answer.status_code != 200:
            raise ValueError(f"the double of Redshift refuses: {answer.text}")
        return dict(json.loads(answer.text))
