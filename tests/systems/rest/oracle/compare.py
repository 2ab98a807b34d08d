"""Reads each stream of manifests by airbyte-cdk and by systems/rest, with frozen time and the same answers, and compares both.

usage: compare.py FOLDER_OF_MANIFESTS OUT.json      in an environment of its own, which has airbyte-cdk
A stream is the same when the set of its requests (method, address, query, body, headers) and the records that come out are. Of
streams that are made of templates their names, their columns and what is asked for these too; an `answers.yaml` beside a manifest
tells what is answered.
"""

from __future__ import annotations

import io
import json
import logging
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)

import freezegun  # noqa: E402
import requests  # noqa: E402
import urllib3  # noqa: E402
import yaml  # noqa: E402
from airbyte_cdk.models import (  # noqa: E402
    AirbyteStateBlob,
    AirbyteStateMessage,
    AirbyteStateType,
    AirbyteStreamState,
    StreamDescriptor,
)
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource  # noqa: E402
from airbyte_cdk.sources.streams.http import http_client  # noqa: E402

from systems.rest.answers import Answer  # noqa: E402
from systems.rest.beside import specification, with_schemas  # noqa: E402
from systems.rest.columns import properties_of  # noqa: E402
from systems.rest.covered import not_interpreted  # noqa: E402
from systems.rest.document import read  # noqa: E402
from systems.rest.manifest import CHANGES, streams_of  # noqa: E402
from systems.rest.reader import Reader  # noqa: E402
from systems.rest.requests import Request  # noqa: E402
from systems.rest.streams import Streams  # noqa: E402
from tests.systems.rest.oracle.invented import answer_for, config_of  # noqa: E402

NOW = datetime(2026, 11, 25, 10, 30, tzinfo=UTC)
MOST_REQUESTS = 40
NOT_COMPARED = {"user-agent", "accept-encoding", "accept", "connection", "content-length", "content-type", "host"}


Answers = Callable[[str], Any]  # an address ▸ what is answered there


class TooMany(Exception):
    """A stream asks for more than is compared."""


class TimeUp(Exception):
    """It takes too long."""


class Recorder:
    """What airbyte-cdk sends, and the answer that it gets to all of it."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.answer_to: Answers = lambda url: None

    def send(self, _adapter: Any, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        if len(self.sent) >= MOST_REQUESTS:
            raise TooMany
        self.sent.append(normal(str(request.method), str(request.url), request.headers, request.body))
        found = requests.Response()
        found.status_code, found.url, found.request = 200, str(request.url), request
        found.headers["Content-Type"] = "application/json"
        content = json.dumps(self.answer_to(str(request.url))).encode()
        found._content = content
        found.raw = urllib3.HTTPResponse(body=io.BytesIO(content), status=200, preload_content=False)
        return found


def normal(method: str, url: str, headers: Mapping[str, Any], body: Any) -> str:
    split = urlsplit(url)
    told = sorted((name.lower(), str(value)) for name, value in headers.items() if name.lower() not in NOT_COMPARED)
    text = body.decode() if isinstance(body, bytes) else body or ""
    try:
        text = json.dumps(json.loads(text), sort_keys=True)
    except ValueError:
        text = json.dumps(sorted(parse_qsl(text))) if "=" in text else text
    address = f"{split.scheme}://{split.netloc}{split.path}".rstrip("/")
    return json.dumps([method, address, sorted(parse_qsl(split.query, keep_blank_values=True)), told, text])


def without_states(node: Any) -> Any:
    """A manifest without the migrations of states, which may be code of its own; no state is given here."""
    if isinstance(node, dict):
        return {key: without_states(value) for key, value in node.items() if key != "state_migrations"}
    return [*map(without_states, node)] if isinstance(node, list) else node


def without_tokens(sent: list[str]) -> set[str]:
    """What is asked for but tokens, which airbyte-cdk keeps between streams."""
    return {one for one in sent if "grant_type" not in one}


def our_reader(config: Mapping[str, Any], answer_to: Answers) -> tuple[list[str], Reader]:
    sent: list[str] = []

    def send(request: Request) -> Answer:
        if len(sent) >= MOST_REQUESTS:
            raise TooMany
        prepared = requests.Request(request.method, request.url, headers=dict(request.headers), data=request.body).prepare()
        sent.append(normal(request.method, str(prepared.url), request.headers, request.body))
        return Answer(200, {}, json.dumps(answer_to(request.url)).encode())

    return sent, Reader(config, NOW, send, pause=lambda _: None, clock=lambda: NOW)


def by_ours(stream: Mapping[str, Any], config: Mapping[str, Any], answer_to: Answers) -> tuple[list[str], list[Any]]:
    sent, reader = our_reader(config, answer_to)
    records = [one for portion in reader.portions.of(stream, None) for one in reader.records(stream, portion)]
    return sent, records


def by_theirs(stream: Any, recorder: Recorder) -> list[Any]:
    recorder.sent.clear()
    return [dict(record.data) for partition in stream.generate_partitions() for record in partition.read()]


@contextmanager
def within(seconds: int) -> Iterator[None]:
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def compared(manifest: dict[str, Any], folder: Path, recorder: Recorder) -> dict[str, str]:
    """Stream ▸ 'same', or what is otherwise."""
    streams = {name: with_schemas(one, folder) for name, one in streams_of(manifest).items()}
    found = {name: f"not covered: {', '.join(words)}" for name, one in streams.items() if (words := not_interpreted(one))}
    config = {**config_of(specification(manifest, folder)), "__injected_declarative_manifest": {}}
    with freezegun.freeze_time(NOW, ignore=["threading", "queue"]):
        try:
            with within(90):
                read = [one for one, name in zip(manifest["streams"], streams, strict=True) if name not in found]
                source = ConcurrentDeclarativeSource(config=dict(config), state=[], source_config={**manifest, "streams": read})
                theirs = {one.name: one for one in source.streams(config)}
        except BaseException as error:
            return {**found, "*": f"not compared: airbyte-cdk does not build it: {type(error).__name__} {str(error)[:100]}"}
        for name, one in streams.items():
            if name not in found:
                found[name] = _compared(one, theirs.get(name), config, recorder)
            if CHANGES in one and name in theirs:
                found[f"{name}, of changes"] = _of_changes(manifest, one, config, recorder)
    return found


def _made(manifest: dict[str, Any], folder: Path, recorder: Recorder) -> dict[str, str]:
    """Compares the streams that the API, the options or the manifest tell, and those whose columns the API tells."""
    told = yaml.load((folder / "answers.yaml").read_text(), yaml.CSafeLoader)
    recorder.answer_to = lambda url: told.get(unquote(urlsplit(url).path), {"data": [{"id": 1}]})
    document = read(folder)
    config = {**config_of(document["spec"]), "__injected_declarative_manifest": {}}
    with freezegun.freeze_time(NOW, ignore=["threading", "queue"]):
        source = ConcurrentDeclarativeSource(config=dict(config), state=[], source_config=manifest)
        recorder.sent.clear()
        theirs = {one.name: one for one in source.streams(config)}
        sent, reader = our_reader(config, recorder.answer_to)
        ours = Streams(document, lambda: reader)
        same = (sorted(theirs), without_tokens(recorder.sent)) == (ours.names(), without_tokens(sent))
        found = {"*": "same" if same else f"differs: {sorted(theirs)}, {ours.names()}; {recorder.sent}, {sent}"}
        for name in sorted(theirs.keys() & {*ours.names()}):
            recorder.sent.clear()
            sent.clear()
            columns, own = theirs[name].get_json_schema()["properties"], properties_of(ours.find(name) or {})
            if (columns, without_tokens(recorder.sent)) != (own, without_tokens(sent)):
                found[name] = f"differs: columns {columns} and {own}, asked by {recorder.sent} and {sent}"
            else:
                found[name] = _both(ours.find(name) or {}, theirs[name], config, recorder)
    return found


def _of_changes(manifest: dict[str, Any], one: Mapping[str, Any], config: Mapping[str, Any], recorder: Recorder) -> str:
    """Compares the stream of changes, which airbyte-cdk reads where it is given a state: here, that of the beginning."""
    sync = one[CHANGES]["incremental_sync"]
    begun = AirbyteStateBlob(**{sync["cursor_field"]: sync["start_datetime"]["datetime"]})
    told = AirbyteStreamState(stream_descriptor=StreamDescriptor(name=one["name"]), stream_state=begun)
    state = [AirbyteStateMessage(type=AirbyteStateType.STREAM, stream=told)]
    source = ConcurrentDeclarativeSource(config=dict(config), state=state, source_config=manifest)
    (theirs,) = (found for found in source.streams(dict(config)) if found.name == one["name"])
    return _compared(one[CHANGES], theirs, config, recorder)


def _compared(stream: Mapping[str, Any], theirs: Any, config: Mapping[str, Any], recorder: Recorder) -> str:
    answer = answer_for(stream, config, NOW)
    if answer is None or theirs is None:
        return "not compared: answers of two shapes" if theirs else "not compared: airbyte-cdk has it not"
    recorder.answer_to = lambda _: answer
    return _both(stream, theirs, config, recorder)


def _both(stream: Mapping[str, Any], theirs: Any, config: Mapping[str, Any], recorder: Recorder) -> str:
    try:
        with within(60):
            records = by_theirs(theirs, recorder)
    except BaseException as error:
        return f"not compared: airbyte-cdk fails: {type(error).__name__} {str(error)[:100]}"
    asked = without_tokens(recorder.sent)
    try:
        with within(60):
            sent, own = by_ours(stream, config, recorder.answer_to)
    except BaseException as error:
        return f"differs: {type(error).__name__} {str(error)[:200]}"
    ours = without_tokens(sent)
    if asked != ours:
        return f"differs: it asks {sorted(asked - ours)[:1]}, ours {sorted(ours - asked)[:1]}"[:600]
    said = f"{str(records[:1])[:150]} {str(own[:1])[:150]}"
    return "same" if records == own else f"differs: {len(records)} and {len(own)} records: {said}"


def _time_up(*_: Any) -> None:
    raise TimeUp


def main() -> None:
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    signal.signal(signal.SIGALRM, _time_up)
    recorder, found = Recorder(), dict[str, Any]()
    requests.adapters.HTTPAdapter.send = lambda adapter, request, **how: recorder.send(adapter, request, **how)  # type: ignore[method-assign]
    http_client.HttpClient._request_session = lambda _: requests.Session()  # no cache of parents, which would hide requests
    for file in sorted(folder.glob("source_*/manifest.yaml")):
        manifest, folder = without_states(yaml.load(file.read_text(), yaml.CSafeLoader)), file.parent
        made = manifest.get("dynamic_streams")
        found[folder.name] = _made(manifest, folder, recorder) if made else compared(manifest, folder, recorder)
        out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
