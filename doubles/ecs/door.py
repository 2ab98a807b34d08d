"""The door of the double for tests: what shall go wrong, and which tasks there are."""

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

    def fault(self, kind: str, count: int = 1, **changes: float) -> None:
        """Has the next tasks meet one of faults.FAULTS."""
        self._ask(fault={"kind": kind, "count": count, **changes})

    def clear(self) -> None:
        """Forgets every fault that still waits."""
        self._ask(disarm=True)

    def tasks(self) -> list[dict[str, str]]:
        """Each with its ARN and status."""
        return list(self._ask()["tasks"])

    def _ask(self, **body: Any) -> dict[str, Any]:
        headers = {"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.Double", "Content-Type": "application/x-amz-json-1.1"}
        request = AWSRequest("POST", self._endpoint + "/", headers, json.dumps(body))
        SigV4Auth(self._session.get_credentials().get_frozen_credentials(), "ecs", self._session.region_name).add_auth(request)
        opened = URLLib3Session(verify=self._ca_bundle)  # type: ignore[arg-type]  # a file of authorities, too
        answer = opened.send(request.prepare())
        if answer.status_code != 200:
            raise ValueError(f"the double of ECS refuses: {answer.text}")
        return dict(json.loads(answer.text))
