"""A source's document: its manifest resolved and looked through, with its overlay; made where a program is deployed, of YAML."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from shared_metadata.contract.apart.requirements import REQUIREMENTS
from shared_metadata.contract.runtime.made_files import made_document
from shared_metadata.errors import DefinitionError
from systems.rest import table_defaults
from systems.rest.airbyte.folder import AIRBYTE, check_packages, code_of, homes_of, why_not
from systems.rest.asked_columns import KIND, is_asked
from systems.rest.beside import specification, with_cursor, with_schemas
from systems.rest.columns import why_no_columns
from systems.rest.covered import not_interpreted, why_no_retention
from systems.rest.manifest import HEADER, Node, streams_of, templates_of

MANIFEST, OVERLAY, DOCUMENT = "manifest.yaml", "overlay.yaml", "manifest.json"
FOLDER = "slices/collect"
OWN = Path(__file__).resolve().parents[2]
LAG_SECONDS = 60
TABLE_WORDS = frozenset({"types", "pages", "header", "reads", "misses", "only"}) | table_defaults.WORDS
Document = Mapping[str, Any]


def folder_of(system: str) -> Path:
    """Atoll's own folder of a source, or else the project's in the current folder."""
    own = OWN / FOLDER / system
    return own if own.is_dir() else Path(FOLDER, system)


@cache
def document_of(system: str) -> Document:
    """What a function has of a source; elsewhere it is made of the folder. Raises DefinitionError."""
    folder = folder_of(system)
    return made_document(f"{system}/{DOCUMENT}", folder) or read(folder)


def bundled(system: str) -> dict[str, str]:
    """What the functions have beside their bundles: name ▸ text."""
    return {f"{system}/{DOCUMENT}": json.dumps(read(folder_of(system)), sort_keys=True)}


def packages(system: str) -> tuple[Path, tuple[str, ...]] | None:
    """The packages of a source that airbyte-cdk reads, none of which is built of its source. Raises DefinitionError."""
    return (folder_of(system) / REQUIREMENTS, ()) if document_of(system)["engine"] == AIRBYTE else None


def engine_of(folder: Path) -> str:
    """What a folder's overlay says that reads it; '' for Atoll's own engine. Raises DefinitionError."""
    return str(_yaml(folder / OVERLAY).get("engine") or "")


def read(folder: Path) -> dict[str, Any]:
    """The document of a folder with a manifest, and perhaps an overlay, a file of options and schemas.

    {'streams', 'templates', 'left_out', 'spec', 'check', 'hosts', 'tables', 'lag', 'engine'}; where the overlay says so also what
    airbyte-cdk needs: {'manifest', 'code', 'homes'}, the manifest as it is, the folder's Python files, and the packages in which
    they lie.
    templates: of streams whose names the options or the API tell, as the manifest has them.  left_out: stream or template ▸ why it
    is no table here. Raises DefinitionError, with its place, for what cannot be read.
    """
    manifest, overlay = _yaml(folder / MANIFEST), _yaml(folder / OVERLAY)
    place, engine = str(folder / MANIFEST), str(overlay.get("engine") or "")
    try:
        streams = {name: with_cursor(with_schemas(stream, folder)) for name, stream in streams_of(manifest).items()}
        templates = [*_named(templates_of(manifest))]
    except DefinitionError as error:
        raise DefinitionError(error.what, place=place, remedy=error.remedy) from None
    _check_overlay(overlay, streams, bool(templates), str(folder / OVERLAY))
    check_packages(folder, engine)
    left_out = {name: why for name, stream in streams.items() if (why := _why_not(stream, engine))}
    left_out |= {one["name"]: why for one in templates if (why := _why_no_template(one, engine))}
    own = (
        {"manifest": json.loads(json.dumps(manifest, default=str)), "code": code_of(folder), "homes": homes_of(manifest)}
        if engine
        else {}
    )
    return {
        "streams": {name: _with_header(stream, overlay) for name, stream in streams.items() if name not in left_out},
        "templates": [one for one in templates if one["name"] not in left_out],
        "left_out": left_out,
        "spec": specification(manifest, folder),
        "check": [name for name in (manifest.get("check") or {}).get("stream_names") or [] if name in {*streams} - {*left_out}],
        "hosts": overlay.get("hosts") or [],
        "tables": overlay.get("tables") or {},
        "lag": overlay.get("lag", LAG_SECONDS),
        "engine": engine,
        **own,
    }


def said_of(document: Document, table: str) -> Mapping[str, Any]:
    """What the overlay says of a table."""
    return document["tables"].get(table) or {}


def _why_not(stream: Mapping[str, Node], engine: str) -> str:
    words = why_not(stream) if engine else ", ".join(not_interpreted(stream))
    no_columns = (KIND if engine else "") if is_asked(stream) else why_no_columns(stream)
    return words or no_columns or why_no_retention(stream)


def _why_no_template(template: Mapping[str, Node], engine: str) -> str:
    parts = [template.get(name) for name in ("stream_template", "components_resolver")]
    if engine or not all(isinstance(part, dict) and part.get("type") for part in parts):
        return str(template["type"])
    return ", ".join(sorted({word for part in parts for word in not_interpreted(part)}))  # type: ignore[arg-type]


def _named(templates: Iterable[Mapping[str, Node]]) -> Iterator[dict[str, Node]]:
    for number, one in enumerate(templates, 1):
        yield {**one, "name": str(one.get("name") or f"dynamic stream {number}")}


def _with_header(stream: Mapping[str, Node], overlay: Mapping[str, Any]) -> dict[str, Node]:
    said = (overlay.get("tables") or {}).get(str(stream.get("name"))) or {}
    return {**stream, HEADER: True} if said.get("header") else dict(stream)


def _check_overlay(overlay: Mapping[str, Any], streams: Mapping[str, Node], made: bool, place: str) -> None:
    """made: whether there may be others than these, which are looked at when they are made."""
    for wrong in _wrong_in(overlay, streams, made):
        raise DefinitionError(wrong, place=place, remedy="see systems/rest/README.md for what an overlay says")


def _wrong_in(overlay: Mapping[str, Any], streams: Mapping[str, Node], made: bool) -> Iterator[str]:
    yield from (f"an overlay has no `{name}`" for name in overlay if name not in ("hosts", "tables", "lag", "engine"))
    if overlay.get("engine", AIRBYTE) != AIRBYTE:
        yield f"`engine` of an overlay is not {AIRBYTE}"
    if not isinstance(overlay.get("lag", LAG_SECONDS), int):
        yield "`lag` of an overlay is no number of seconds"
    for name, said in (overlay.get("tables") or {}).items():
        if name not in streams and not made:
            yield f"the manifest has no stream {name}"
            continue
        if name in streams and not is_asked(streams[name]):
            yield from table_defaults.wrong_in(name, said, streams[name])
        yield from (f"a table of an overlay has no `{word}`" for word in said if word not in TABLE_WORDS)
        if said.get("pages", "numbers") not in ("numbers", "values"):
            yield f"`pages` of {name} is neither numbers nor values"
        if not isinstance(said.get("header", False), bool):
            yield f"`header` of {name} is neither true nor false"
        if said.get("header") and name not in streams:
            yield f"`header` of {name} is for no stream that the manifest has by this name"
        if said.get("only", "MERGE") != "MERGE":
            yield f"`only` of {name} is not MERGE"


def _yaml(file: Path) -> dict[str, Any]:
    import yaml

    if not file.is_file() and file.name == OVERLAY:
        return {}
    try:
        found = yaml.load(file.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError(f"it cannot be read: {type(error).__name__}", place=str(file), remedy="put a text file there") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
        raise DefinitionError("it is no YAML", place=place, remedy="correct it there") from None
    if not isinstance(found, dict):
        raise DefinitionError("it is no mapping of names to what they mean", place=str(file), remedy="compare it with the format")
    return found
