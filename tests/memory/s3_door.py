"""The S3 in memory over HTTP: what DuckDB asks when it reads and writes files, and boto3 in part."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from botocore.exceptions import ClientError

from tests.memory.s3 import MemoryS3

LISTED = {"prefix": "Prefix", "delimiter": "Delimiter", "start-after": "StartAfter", "continuation-token": "ContinuationToken"}
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def serve(memory: MemoryS3) -> str:
    """The address of a server that ends with this process."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Door", (_Door,), {"memory": memory}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


class _Door(BaseHTTPRequestHandler):
    memory: MemoryS3
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:  # whoever asked has gone
            self.close_connection = True

    def do_GET(self) -> None:
        bucket, key, asked = self._place()
        if not key:
            self._answer(lambda: self._listed(bucket, asked))
            return
        self._answer(lambda: self._told(self.memory.get_object(Bucket=bucket, Key=key, Range=self.headers.get("Range", ""))))

    def do_HEAD(self) -> None:
        bucket, key, _ = self._place()
        self._answer(lambda: self._told(self.memory.head_object(Bucket=bucket, Key=key)))

    def do_PUT(self) -> None:
        (bucket, key, asked), body = self._place(), self._body()
        if "uploadId" in asked:
            part: dict[str, Any] = {"UploadId": asked["uploadId"], "PartNumber": int(asked["partNumber"])}
            self._answer(lambda: self._told(self.memory.upload_part(Bucket=bucket, Key=key, Body=body, **part)))
            return
        absent = {"IfNoneMatch": given} if (given := self.headers.get("If-None-Match")) else {}
        self._answer(lambda: self._told(self.memory.put_object(Bucket=bucket, Key=key, Body=body, **absent)))

    def do_POST(self) -> None:
        (bucket, key, asked), body = self._place(), self._body()
        if "uploads" in asked:
            self._answer(lambda: self._document("InitiateMultipartUploadResult", self._begun(bucket, key)))
            return
        if "uploadId" in asked:
            found = ElementTree.fromstring(body).iter(f"{{{NAMESPACE}}}PartNumber")
            parts = {"Parts": [{"PartNumber": int(part.text or 0)} for part in found]}
            ended: dict[str, Any] = {"UploadId": asked["uploadId"], "MultipartUpload": parts}
            complete = self.memory.complete_multipart_upload
            self._answer(lambda: self._document("CompleteMultipartUploadResult", complete(Bucket=bucket, Key=key, **ended)))
            return
        self.send_error(501)

    def do_DELETE(self) -> None:
        bucket, key, asked = self._place()
        if "uploadId" in asked:
            abort = self.memory.abort_multipart_upload
            self._answer(lambda: self._told(abort(Bucket=bucket, Key=key, UploadId=asked["uploadId"]) or {}))
            return
        self._answer(lambda: self._deleted(bucket, key))

    def log_message(self, *_: Any) -> None: ...

    def _place(self) -> tuple[str, str, dict[str, str]]:
        at = urlsplit(self.path)
        bucket, _, key = unquote(at.path).lstrip("/").partition("/")
        return bucket, key, {name: values[0] for name, values in parse_qs(at.query, keep_blank_values=True).items()}

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _begun(self, bucket: str, key: str) -> dict[str, Any]:
        return self.memory.create_multipart_upload(Bucket=bucket, Key=key)

    def _deleted(self, bucket: str, key: str) -> tuple[dict[str, str], bytes]:
        self.memory.delete_object(Bucket=bucket, Key=key)
        return self._told({})

    def _listed(self, bucket: str, asked: Mapping[str, str]) -> tuple[dict[str, str], bytes]:
        given: dict[str, Any] = {name: asked[said] for said, name in LISTED.items() if said in asked}
        return self._document("ListBucketResult", self.memory.list_objects_v2(Bucket=bucket, **given))

    def _document(self, name: str, found: Mapping[str, Any]) -> tuple[dict[str, str], bytes]:
        text = f'<?xml version="1.0" encoding="UTF-8"?><{name} xmlns="{NAMESPACE}">{_xml(found)}</{name}>'
        return {"Content-Type": "application/xml"}, text.encode()

    def _told(self, found: Mapping[str, Any]) -> tuple[dict[str, str], bytes]:
        named = {"ETag": "ETag", "ContentType": "Content-Type", "ContentRange": "Content-Range"}
        headers = {header: found[name] for name, header in named.items() if name in found}
        if "LastModified" in found:
            headers |= {"Last-Modified": format_datetime(found["LastModified"], usegmt=True), "Accept-Ranges": "bytes"}
        if "Body" not in found and "ContentLength" in found:
            headers["Content-Length"] = str(found["ContentLength"])
        return headers, found.get("Body", b"")

    def _answer(self, asked: Callable[[], tuple[dict[str, str], bytes]]) -> None:
        try:
            with self.memory.lock:
                headers, body = asked()
            status = 206 if "Content-Range" in headers else 204 if self.command == "DELETE" else 200
        except ClientError as error:
            headers, body = self._document("Error", error.response["Error"])
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204 and "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(body)


def _xml(found: Mapping[str, Any]) -> str:
    return "".join(_element(name, value) for name, value in found.items())


def _element(name: str, value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "".join(_element(name, one) for one in value)
    if isinstance(value, Mapping):
        return f"<{name}>{_xml(value)}</{name}>"
    if hasattr(value, "strftime"):
        return f"<{name}>{value:%Y-%m-%dT%H:%M:%S.000Z}</{name}>"
    return f"<{name}>{escape(str(value).lower() if isinstance(value, bool) else str(value))}</{name}>"
