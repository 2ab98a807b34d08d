"""The door of the collect suite to a manifest with code of its own: the API of things, read by airbyte-cdk."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared_metadata.contract.collect import OpenSource
from systems.rest import document
from systems.rest.airbyte.client import AirbyteSource
from systems.rest.airbyte.declared import declared
from tests.systems.rest.things import SYSTEM, Things, ThingsUnderTest

COMPONENTS = '''"""Code of our own, as a manifest names it."""

from dataclasses import dataclass
from typing import Any

from airbyte_cdk.sources.declarative.extractors.record_extractor import RecordExtractor


@dataclass
class Within(RecordExtractor):
    """The records within a field."""

    field: str

    def extract_records(self, response: Any) -> Any:
        print("hidden-row of a component that prints")
        yield from response.json()[self.field]
'''
SOME = ("012", "34", "567", "89")  # last digits of ids: a portion each


def coded(stream: Mapping[str, Any]) -> dict[str, Any]:
    """A stream whose records code finds, and which is read in several portions."""
    found = copy.deepcopy(dict(stream))
    extractor = {"type": "CustomRecordExtractor", "class_name": "source_things.components.Within", "field": "data"}
    option = {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "some"}
    found["retriever"]["record_selector"]["extractor"] = extractor
    found["retriever"]["partition_router"] = {
        "type": "ListPartitionRouter",
        "cursor_field": "some",
        "values": [*SOME],
        "request_option": option,
    }
    return found


class CodedUnderTest(ThingsUnderTest):
    """requirements: of airbyte-cdk, as the folder has them."""

    declaration = declared(SYSTEM)

    def __init__(self, things: Things, folder: Path, requirements: str) -> None:
        self.requirements, self.components, self.shaped = requirements, COMPONENTS, coded
        super().__init__(things, folder)

    def open_source(self, aws: Any) -> OpenSource:
        return lambda connection, secret: AirbyteSource(connection, secret, document.document_of(SYSTEM), aws)

    def rewrite(self) -> None:
        self._write()

    def _files(self) -> dict[str, Any]:
        manifest = {**self._manifest, "streams": [*map(self.shaped, self._manifest["streams"])]}
        overlay = {"engine": "airbyte", **self._overlay}
        own = {"components.py": self.components, "requirements.txt": self.requirements}
        return {document.MANIFEST: manifest, document.OVERLAY: overlay, **own}
