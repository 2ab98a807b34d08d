"""An airline in which values are planted that occur nowhere else, and the search for them in everything that was written."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import time
import uuid
import zlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg import sql

from examples.airline import production
from examples.airline.demo import Demo
from shared_metadata import naming
from shared_metadata.program.intervals import floor, to_text
from tests.e2e.test_airline import MINUTE, Deployed

RIGHTFUL = ("staging/", "warehouse/")
SECRETS, ROWS = ("Password", "WrongPassword", "ClientSecret"), ("PublishedRow", "LakeRow", "CrmRow")
VAULT = "Secrets Manager"
Place = tuple[str, bytes]  # a name, and what is written there


class Canaries:
    """The values, and how they look when they are written in other ways.

    Their letters and digits are looked for, which look the same quoted, in a URL and in JSON; around them stands what must be quoted.
    """

    def __init__(self) -> None:
        self.cores = {kind: f"canary{kind}{uuid.uuid4().hex}" for kind in (*SECRETS, *ROWS)}
        self.forms = {form: kind for kind, core in self.cores.items() for form in _forms(core)}

    def hostile(self, kind: str) -> str:
        return f"""{self.cores[kind]}'"\\%/{{}}+é"""

    def within(self, body: bytes) -> set[str]:
        return {kind for form, kind in self.forms.items() if form in body}


def _forms(core: str) -> list[bytes]:
    """Plain, which is also how URLs and JSON write it; base64 at each of the three places it may begin at; hexadecimal; UTF-16."""
    plain = core.encode()
    shifted = [base64.b64encode(b"\0" * at + plain)[4:-4] for at in range(3)]
    return [plain, plain.hex().encode(), plain[::-1], core.encode("utf-16-le"), *shifted]


class Planted(Deployed):
    """The airline, whose credentials and rows hold canaries from the beginning."""

    def __init__(self, demo: Demo) -> None:
        self.canaries = Canaries()
        super().__init__(demo)

    def prepare(self) -> None:
        """A user with a canary as password, and rows with canaries that are published, stay in the lake, and come from the CRM."""
        text = self.canaries.hostile
        with psycopg.connect(self.demo.dsn, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE ROLE canary LOGIN PASSWORD {}").format(sql.Literal(text("Password"))))
            connection.execute("GRANT pg_read_all_data, pg_write_all_data TO canary")
            connection.execute("GRANT CREATE ON DATABASE production TO canary")
            connection.execute("UPDATE airports SET name = %s WHERE faa = 'JFK'", (text("PublishedRow"),))
            connection.execute("UPDATE planes SET model = %s WHERE tailnum = (SELECT min(tailnum) FROM planes)", (text("LakeRow"),))
        deal = {"Name": "a deal", "StageName": "Prospecting", "CloseDate": "2026-12-01", "Description": text("CrmRow")}
        self.demo.crm.insert("Opportunity", [deal])
        self.restore()

    def restore(self) -> None:
        """The secrets with which the airline works."""
        user = {"username": "canary", "password": self.canaries.hostile("Password")}
        self.demo._put_secret("ops", {**production.secret(self.demo.dsn), **user})
        self.demo._put_secret("crm", self.demo.crm.secret())

    def again(self, slice_id: str, flow: str) -> str:
        """Runs the last batch of a flow again; its execution's status."""
        return str(self.execute(slice_id, self.last(flow))["status"])

    def last(self, flow: str) -> dict[str, str]:
        """The input that runs the last batch of a flow again; of one that publishes, the last that has something to publish."""
        result = self.demo.target.reader.latest_version(f"{flow}:result")
        end = result.interval.end if result else floor(datetime.now(UTC), 60) - MINUTE
        return {"flow": flow, "from": to_text(end - MINUTE), "to": to_text(end)}

    def fail(self) -> list[str]:
        """Wrong credentials of each kind, and a source that is down; how the executions end."""
        wrong = {**production.secret(self.demo.dsn), "username": "canary", "password": self.canaries.hostile("WrongPassword")}
        try:
            self.demo._put_secret("ops", wrong)
            self.demo._put_secret("crm", {**self.demo.crm.secret(), "client_secret": self.canaries.hostile("ClientSecret")})
            ended = [self.again("collect.postgres", "lake.ops"), self.again("harness.postgres", "ops.published.airport_delays")]
            ended.append(self.again("collect.salesforce", "lake.crm"))
            self.demo._put_secret("ops", wrong | {"port": 1})
            return [*ended, self.first_failure("collect.postgres", "lake.ops.flights")]
        finally:
            self.restore()

    def executions(self) -> int:
        """How many there were, of all state machines."""
        client = self.demo.target.session.client("stepfunctions")
        pages = client.get_paginator("list_executions").paginate
        machines = client.list_state_machines()["stateMachines"]
        return sum(len(page["executions"]) for one in machines for page in pages(stateMachineArn=one["stateMachineArn"]))

    def first_failure(self, slice_id: str, flow: str) -> str:
        """The same of one that is tried again: how its first step ended."""
        states, target = self.demo.target.session.client("stepfunctions"), self.demo.target
        started = states.start_execution(stateMachineArn=target.state_machine_arn(slice_id), input=json.dumps(self.last(flow)))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            events = states.get_execution_history(executionArn=started["executionArn"])["events"]
            failed = [event["type"] for event in events if event["type"].endswith("Failed")]
            if failed:
                return failed[0]
            time.sleep(0.2)
        raise AssertionError(f"{flow} does not fail")


class Search:
    """Everything that was written, by place."""

    def __init__(self, airline: Planted) -> None:
        self._airline, self._canaries = airline, airline.canaries
        self._session, target = airline.demo.target.session, airline.demo.target
        self._bucket = naming.data_bucket(target.account, target.session.region_name)
        self.looked_at: Counter[str] = Counter()

    def places(self) -> dict[str, set[str]]:
        """What was planted ▸ where it is written. `looked_at` counts what was read of each kind."""
        found: dict[str, set[str]] = {kind: set() for kind in self._canaries.cores}
        looks = (self.items, self.logs, self.executions, self.functions, self.parameters, self.messages, self.files)
        for look in looks:
            for place, body in look():
                self.looked_at[look.__name__] += 1
                for kind in self._canaries.within(body):
                    found[kind].add(place)
        return found

    def items(self) -> Iterator[Place]:
        """Items as they are, and what is compressed in them."""
        pages = self._session.client("dynamodb").get_paginator("scan").paginate(TableName=naming.METADATA_TABLE)
        items = [item for page in pages for item in page["Items"]]
        parts: dict[str, bytes] = {}
        for item in sorted(items, key=lambda item: (item["pk"]["S"], item["sk"]["S"])):
            place = f"{item['pk']['S']} {item['sk']['S']}"
            yield place, json.dumps(item, default=lambda value: bytes(value).hex()).encode()
            if "body" in item:
                parts[place.rpartition("#")[0]] = parts.get(place.rpartition("#")[0], b"") + item["body"]["B"]
        assert parts, "programs are kept compressed no longer"
        yield from ((place, zlib.decompress(body)) for place, body in parts.items())

    def logs(self) -> Iterator[Place]:
        client = self._session.client("logs")
        for page in client.get_paginator("describe_log_groups").paginate():
            for group in page["logGroups"]:
                name = group["logGroupName"]
                for events in client.get_paginator("filter_log_events").paginate(logGroupName=name):
                    yield name, "\n".join(event["message"] for event in events["events"]).encode()

    def executions(self) -> Iterator[Place]:
        """Inputs, outputs, causes, and every event of the history."""
        client = self._session.client("stepfunctions")
        for machine in client.list_state_machines()["stateMachines"]:
            arn = machine["stateMachineArn"]
            yield arn, json.dumps(client.describe_state_machine(stateMachineArn=arn), default=str).encode()
            for page in client.get_paginator("list_executions").paginate(stateMachineArn=arn):
                for execution in page["executions"]:
                    one = {"executionArn": execution["executionArn"]}
                    told = [client.describe_execution(**one), client.get_execution_history(**one, includeExecutionData=True)]
                    yield execution["executionArn"], json.dumps(told, default=str).encode()

    def functions(self) -> Iterator[Place]:
        client = self._session.client("lambda")
        for page in client.get_paginator("list_functions").paginate():
            for function in page["Functions"]:
                whole = client.get_function(FunctionName=function["FunctionName"])
                yield function["FunctionName"], json.dumps(whole, default=str).encode()

    def parameters(self) -> Iterator[Place]:
        client = self._session.client("ssm")
        for page in client.get_paginator("describe_parameters").paginate():
            for found in page["Parameters"]:
                yield found["Name"], json.dumps(client.get_parameter(Name=found["Name"]), default=str).encode()

    def messages(self) -> Iterator[Place]:
        client = self._session.client("sqs")
        for url in client.list_queues().get("QueueUrls", []):
            for message in client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", []):
                yield url, json.dumps(message).encode()
        yield "queues", b""

    def files(self) -> Iterator[Place]:
        """All that the emulator keeps on disk: objects with their versions, every service's state, its log, what the CDK wrote.

        Staged files, the lake and the state of Secrets Manager are a place each; the database beside it is the source itself.
        """
        home = self._airline.demo.stack.folders.home
        # os.walk, unlike Path.rglob, passes over folders that have gone meanwhile.
        for path in (Path(folder, name) for folder, _, names in os.walk(home) for name in names):
            inside = path.relative_to(home)
            if inside.parts[0] != "postgres":
                rightful = next((prefix for prefix in RIGHTFUL if f"/{self._bucket}/{prefix}" in f"/{inside}"), str(inside))
                yield VAULT if path.name == "secretsmanager.json" else rightful, read(path)


def read(path: Path) -> bytes:
    """What is in a file; nothing when it has gone meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes() if path.is_file() else b""
    return b""
