"""A tap's folder: `tap.yaml`, which says how it is run, and what it needs; made into one document where a program is deployed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from shared_metadata.contract.apart.requirements import REQUIREMENTS, check_pinned
from shared_metadata.contract.runtime.made_files import made_document
from shared_metadata.errors import DefinitionError

TAP, CATALOG, DOCUMENT = "tap.yaml", "catalog.json", "tap.json"
FOLDER = "slices/collect"
LAG_SECONDS = 60
KINDS: Mapping[str, type] = {"string": str, "integer": int, "number": float, "boolean": bool}
WORDS: Mapping[str, type] = {
    "image": str, "options": dict, "secret": list, "config": dict, "catalog": str, "tables": dict, "lag": int, "source": list,
}  # fmt: skip
TABLE_WORDS: Mapping[str, type] = {"key": list, "cursor": str, "types": dict, "mode": str}
OWN_OPTIONS = frozenset({"secret", "lag", "run", "task_vcpus", "task_gb", "task_disk_gb", "task_hours"})
_IMAGE = re.compile(r"[a-z0-9][a-z0-9.-]*(:\d+)?(/[a-z0-9._-]+)+(:[\w.-]+)?@sha256:[0-9a-f]{64}")
Document = Mapping[str, Any]


def folder_of(system: str) -> Path:
    return Path(FOLDER, system)


@cache
def document_of(system: str) -> Document:
    """What a function has of a tap; elsewhere it is made of the folder. Raises DefinitionError."""
    folder = folder_of(system)
    return made_document(f"{system}/{DOCUMENT}", folder) or read(folder)


def bundled(system: str) -> dict[str, str]:
    """What the functions have beside their bundles: name ▸ text."""
    return {f"{system}/{DOCUMENT}": json.dumps(read(folder_of(system)), sort_keys=True)}


def packages(system: str) -> tuple[Path, tuple[str, ...]] | None:
    """The requirements of a tap, and which of them may be built of their source; None where it has none."""
    file = folder_of(system) / REQUIREMENTS
    document = read(file.parent)
    return (file, tuple(document["source"])) if file.is_file() and not document["image"] else None


def image_of(system: str) -> str:
    """The image that holds the tap, by its digest; '' where its packages are in the bundle."""
    return str(document_of(system)["image"])


def read(folder: Path) -> dict[str, Any]:
    """The document of a folder with a `tap.yaml`.

    {'run', 'image', 'files', 'options', 'secret', 'config', 'catalog_option', 'catalog', 'tables', 'lag', 'source'}.
    files: the folder's own Python files, name ▸ text.  catalog: of `catalog.json`; None where the tap is asked.
    Raises DefinitionError, with its place, for what cannot be read.
    """
    file = folder / TAP
    said = _yaml(file)
    for wrong in _wrong_in(said):
        raise DefinitionError(wrong, place=str(file), remedy="see systems/singer/README.md for what a tap.yaml says")
    run, image = said["run"], str(said.get("image") or "")
    files = {one.name: one.read_text(encoding="utf-8") for one in sorted(folder.glob("*.py"))}
    if image:
        _check_image(folder)
    elif run.endswith(".py") and run not in files:
        raise DefinitionError(f"`run` names {run}, which is not beside it", place=str(file), remedy="put the file there")
    elif not run.endswith(".py"):
        wanted = folder / REQUIREMENTS
        remedy = (
            f"write it by: uv pip compile --generate-hashes --python-version 3.13 --output-file {wanted} FILE, FILE naming the tap"
        )
        check_pinned(wanted, f"`run` names {run}, and no {REQUIREMENTS} says what brings it", remedy)
    return {
        "run": run,
        "image": image,
        "files": files,
        "options": said.get("options") or {},
        "secret": said.get("secret") or [],
        "config": said.get("config") or {},
        "catalog_option": said.get("catalog") or "catalog",
        "catalog": _catalog(folder / CATALOG),
        "tables": said.get("tables") or {},
        "lag": said.get("lag", LAG_SECONDS),
        "source": said.get("source") or [],
    }


def _wrong_in(said: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"a tap.yaml has no `{word}`" for word in said if word not in (*WORDS, "run"))
    yield from (f"`{word}` is no {kind.__name__}" for word, kind in WORDS.items() if not isinstance(said.get(word, kind()), kind))
    run, image = said.get("run"), said.get("image")
    if image and not (isinstance(run, list) and run and all(isinstance(one, str) for one in run)):
        yield "`run` of an image is no list of the words of a command, as in [/opt/tap/bin/tap-name]"
    if not image and not (isinstance(run, str) and run):
        yield "it does not say what is to be run: `run: tap-name`, or a Python file beside it"
    if isinstance(image, str) and image and not _IMAGE.fullmatch(image):
        yield "`image` is no image by its digest, as in 111122223333.dkr.ecr.eu-central-1.amazonaws.com/taps@sha256:…"
    for name, kind in _mapping(said.get("options")).items():
        if kind not in KINDS:
            yield f"the option {name} is no {', '.join(KINDS)}: what is more goes into `config` or the secret"
        if not str(name).isidentifier() or str(name).startswith("_"):
            yield f"the option {name} is no name: put it into `config` or the secret"
        if name in OWN_OPTIONS:
            yield f"the option {name} is one of Atoll's: put it into `config` or the secret"
    if said.get("catalog", "catalog") not in ("catalog", "properties"):
        yield "`catalog` is neither catalog nor properties, the option by which the tap takes it"
    for name, table in _mapping(said.get("tables")).items():
        given = _mapping(table)
        yield from (f"a table has no `{word}`" for word in given if word not in TABLE_WORDS)
        for word, kind in TABLE_WORDS.items():
            if not isinstance(given.get(word, kind()), kind):
                yield f"`{word}` of {name} is no {kind.__name__}"
        if given.get("mode", "replace") not in ("replace", "merge"):
            yield f"`mode` of {name} is neither replace nor merge"


def _check_image(folder: Path) -> None:
    """Raises DefinitionError where its tables are not known: only a task runs it, and no plan waits for one."""
    if not (folder / CATALOG).is_file():
        remedy = "write it by the tap, once and after each change: --discover > catalog.json"
        raise DefinitionError(f"a tap in an image needs a {CATALOG} beside its {TAP}", place=str(folder / TAP), remedy=remedy)


def _mapping(said: Any) -> Mapping[str, Any]:
    return said if isinstance(said, dict) else {}


def _catalog(file: Path) -> Any:
    if not file.is_file():
        return None
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise DefinitionError("it is no JSON", place=str(file), remedy="write it by the tap: --discover > catalog.json") from None


def _yaml(file: Path) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError(f"it cannot be read: {type(error).__name__}", place=str(file), remedy="put a text file there") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
        raise DefinitionError("it is no YAML", place=place, remedy="correct it there") from None
    if not isinstance(found, dict):
        raise DefinitionError("it is no mapping of names to what they mean", place=str(file), remedy="begin it with `run: tap-name`")
    return found
