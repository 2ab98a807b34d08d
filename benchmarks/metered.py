"""DynamoDB in memory behind a real client: counts requests, capacity, bytes and the client's own CPU; answers after a latency."""

from __future__ import annotations

import base64
import bisect
import json
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore import xform_name
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.memory.dynamodb import Item, Key, MemoryDynamoDB, _Expression

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE = "metadata"
CREDENTIALS = {"aws_access_key_id": "metered", "aws_secret_access_key": "metered"}
PAGE_BYTES = 2**20  # of a query: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html


class MeteredDynamoDB(MemoryDynamoDB):
    """One table. latency_seconds: of each request.

    calls: by operation.  reads, writes: capacity units, as AWS counts them.  own_seconds: CPU of the service, not of the client.
    """

    def __init__(self, latency_seconds: float = 0.0) -> None:
        super().__init__()
        self._latency, self._sorted = latency_seconds, dict[str, list[str]]()
        self.reset()
        self.create_table(TableName=TABLE)

    def reset(self) -> None:
        """Begins to count anew."""
        self.calls, self.written_to = Counter[str](), Counter[str]()
        self.reads = self.writes = self.own_seconds = 0.0

    def client(self) -> DynamoDBClient:
        """boto3's own, but for the network."""
        config = Config(retries={"mode": "standard", "max_attempts": 1}, max_pool_connections=50)
        made = boto3.Session(**CREDENTIALS).client("dynamodb", region_name="eu-central-1", config=config)
        made.meta.events.register("before-send.dynamodb", self._answer)
        return made

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        operation = request.headers["X-Amz-Target"].decode().rpartition(".")[2]
        time.sleep(self._latency)
        began = time.thread_time()
        status, body = self.answer(operation, json.loads(request.body))
        with self.lock:
            self.own_seconds += time.thread_time() - began
        return AWSResponse(request.url, status, {"content-type": "application/x-amz-json-1.0"}, Raw(body))

    def answer(self, operation: str, asked: dict[str, Any]) -> tuple[int, bytes]:
        """The status of HTTP, and what botocore reads; binary values are base64, as they come."""
        try:
            with self.lock:
                self.calls[operation] += 1
                found = getattr(self, xform_name(operation))(**asked)
                return 200, json.dumps(found, default=as_base64).encode()
        except ClientError as error:
            told = error.response
            reasons = {"CancellationReasons": told["CancellationReasons"]} if "CancellationReasons" in told else {}
            return 400, json.dumps({"__type": f"x#{told['Error']['Code']}", "message": told["Error"]["Message"], **reasons}).encode()

    # -- as the service in memory, but with DynamoDB's own pages, and quick among many items

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> dict[str, Any]:
        ((table, wanted),) = RequestItems.items()
        found = [item for key in wanted["Keys"] if (item := self._rows(table).get(_key(key)))]
        for item in found:
            self._read([item])
        return {"Responses": {table: found}, "UnprocessedKeys": {}}

    def get_item(self, *, TableName: str, Key: Item, **_: Any) -> dict[str, Any]:
        found = self._rows(TableName).get(_key(Key))
        self._read([found] if found else [])
        return {"Item": found} if found else {}

    def query(self, *, TableName: str, ScanIndexForward: bool = True, Limit: int = 10**9, **asked: Any) -> dict[str, Any]:
        pk = asked["ExpressionAttributeValues"][":pk"]["S"]
        names = self._between(TableName, pk, asked)
        after = asked.get("ExclusiveStartKey")
        if after:
            last = _key(after)[1]
            names = [name for name in names if (name > last if ScanIndexForward else name < last)]
        page, size = list[Item](), 0
        for name in names if ScanIndexForward else reversed(names):
            if len(page) == Limit or size > PAGE_BYTES:
                break
            page.append(self._rows(TableName)[pk, name])
            size += size_of(page[-1])
        self._read(page)
        more = {"LastEvaluatedKey": {n: page[-1][n] for n in ("pk", "sk")}} if len(page) < len(names) else {}
        if "FilterExpression" in asked:
            kept = _Expression.of(asked, "FilterExpression").condition()
            page = [item for item in page if kept(item)]
        return {"Count": len(page), **({} if asked.get("Select") == "COUNT" else {"Items": page}), **more}

    def _between(self, table: str, pk: str, asked: Mapping[str, Any]) -> list[str]:
        if not self._sorted:
            for known, sk in sorted(self._rows(table)):
                self._sorted.setdefault(known, []).append(sk)
        names, values = self._sorted.get(pk, []), asked["ExpressionAttributeValues"]
        if "begins_with" in asked["KeyConditionExpression"]:
            low = values[":sk"]["S"]
            return names[bisect.bisect_left(names, low) : bisect.bisect_right(names, low + "\U0010ffff")]
        if "BETWEEN" in asked["KeyConditionExpression"]:
            return names[bisect.bisect_left(names, values[":low"]["S"]) : bisect.bisect_right(names, values[":high"]["S"])]
        return names

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        with self.lock:
            before = self.writes
            found = super().transact_write_items(TransactItems=TransactItems, **more)
            self.writes += self.writes - before  # twice as dear
        return found

    def batch_write_item(self, *, RequestItems: Mapping[str, Any]) -> dict[str, Any]:
        ((table, requests),) = RequestItems.items()
        for request in requests:
            self._put({"Put": {"TableName": table}}, request["PutRequest"]["Item"])
        return {"UnprocessedItems": {}}

    def _put(self, action: Mapping[str, Any], item: Item | None) -> None:
        with self.lock:
            ((_, asked),) = action.items()
            gone = self._rows(asked["TableName"]).get(_key(asked["Key"])) if item is None else None
            super()._put(action, item)
            if item is not None:
                self._count_put(*_key(item), math.ceil(size_of(item) / 1024))
            if gone:
                self._count_deletion(*_key(gone), math.ceil(size_of(gone) / 1024))

    def _count_deletion(self, pk: str, sk: str, units: int) -> None:
        self.writes += units
        if pk in self._sorted:
            self._sorted[pk].remove(sk)

    def _count_put(self, pk: str, sk: str, units: int) -> None:
        self.writes, self.written_to[pk] = self.writes + units, self.written_to[pk] + units
        if self._sorted:
            known = self._sorted.setdefault(pk, [])
            if (at := bisect.bisect_left(known, sk)) == bisect.bisect_right(known, sk):
                known.insert(at, sk)

    def _read(self, found: list[Item]) -> None:
        self.reads += max(1, math.ceil(sum(map(size_of, found)) / 4096))


class Measured:
    """What a command costs: seconds by the clock, CPU seconds of the client alone, and what DynamoDB counted."""

    def __init__(self, dynamodb: MeteredDynamoDB, command: Callable[[], Any]) -> None:
        dynamodb.reset()
        clock, cpu = time.perf_counter(), time.process_time()
        self.result = command()
        self.seconds = time.perf_counter() - clock
        self.cpu_seconds = time.process_time() - cpu - dynamodb.own_seconds
        self.calls, self.reads, self.writes = dict(dynamodb.calls), round(dynamodb.reads), round(dynamodb.writes)

    def plain(self) -> dict[str, Any]:
        figures = {"seconds": round(self.seconds, 2), "cpu_seconds": round(self.cpu_seconds, 2)}
        return {**figures, "requests": sum(self.calls.values()), "calls": self.calls, "reads": self.reads, "writes": self.writes}


@contextmanager
def served(dynamodb: MeteredDynamoDB) -> Iterator[int]:
    """Answers other processes of this machine; yields the port."""

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, body = dynamodb.answer(self.headers["X-Amz-Target"].rpartition(".")[2], asked)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()


def client_at(port: str) -> DynamoDBClient:
    """Of what is `served`."""
    patient = Config(read_timeout=600)  # of a machine that has other work to do
    return boto3.Session(**CREDENTIALS).client(
        "dynamodb", region_name="eu-central-1", endpoint_url=f"http://127.0.0.1:{port}", config=patient
    )


def peak_megabytes() -> float:
    """Of this process alone; what getrusage tells begins with the size of the process that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def size_of(value: Any) -> int:
    """An item's bytes as DynamoDB counts them, about: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html."""
    return sum(len(name) + _value_size(one) for name, one in value.items())


def _value_size(typed: Mapping[str, Any]) -> int:
    ((kind, value),) = typed.items()
    if kind == "M":
        return 3 + size_of(value) + len(value)
    if kind == "L":
        return 3 + sum(1 + _value_size(one) for one in value)
    if kind == "N":
        return 1 + math.ceil(len(value) / 2)
    if kind == "B":
        return len(base64.b64decode(value) if isinstance(value, str) else bytes(value))
    return len(value) if kind == "S" else 1


def _key(item: Mapping[str, Any]) -> Key:
    return item["pk"]["S"], item["sk"]["S"]


def as_base64(value: Any) -> str:
    return base64.b64encode(bytes(value)).decode()


class Raw(BytesIO):
    """What botocore reads an answer from."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()
