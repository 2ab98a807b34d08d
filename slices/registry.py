"""Finds the slices: folders `slices/<stage>/<system>/` with a `slice.py`, or what describes a source; Atoll's and a project's."""

from __future__ import annotations

import importlib
import keyword
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from shared_metadata.contract.declaration import Slice
from shared_metadata.errors import DefinitionError
from systems.rest import declared as rest
from systems.rest.airbyte import declared as airbyte
from systems.singer import declared as singer

FOLDER = Path(__file__).parent
OWN = Path("slices")  # of a project
CODE = "slice.py"
MANIFEST = "manifest.yaml"
WITHOUT_CODE = {MANIFEST: rest.declared, "tap.yaml": singer.declared}  # what describes a source ▸ its declaration
PACKAGES = "requirements.txt"  # beside a manifest: of what reads it instead of Atoll's engine
_SYSTEM = re.compile(r"[a-z][a-z0-9_]*")


@cache
def installed() -> dict[str, Slice]:
    """Every slice's declaration by its id, e.g. 'collect.salesforce'. Raises DefinitionError for a folder that cannot be one."""
    found: dict[str, Slice] = {}
    for file in (*_declarations(FOLDER), *_own()):
        stage, system = file.parts[-3:-1]
        if f"{stage}.{system}" in found:
            remedy = "give the folder another name: a slice does not replace one of Atoll's"
            raise DefinitionError(f"there is a slice {stage}.{system} already", place=str(file), remedy=remedy)
        found[f"{stage}.{system}"] = _of_code(file) if file.name == CODE else _without_code(file)
    return found


def _of_code(file: Path) -> Slice:
    stage, system = file.parts[-3:-1]
    found: Slice = importlib.import_module(f"slices.{stage}.{system}.slice").SLICE
    if found.id != f"{stage}.{system}":
        remedy = "a slice's folder is slices/<stage>/<system>/ as its slice.py says"
        raise DefinitionError(f"the slice calls itself {found.id}", place=str(file), remedy=remedy)
    return found


def _without_code(file: Path) -> Slice:
    """The slice of a folder that has no code; what its file says is read when it is needed."""
    stage, system = file.parts[-3:-1]
    if stage != "collect":
        raise DefinitionError(
            f"a {file.name} describes a source", place=str(file), remedy=f"put the folder into slices/collect/: {system}"
        )
    if not _SYSTEM.fullmatch(system) or keyword.iskeyword(system):
        remedy = "call the folder by small letters, digits and _, the first a letter"
        raise DefinitionError(f"{system} can be no system's name", place=str(file), remedy=remedy)
    apart = file.name == MANIFEST and file.with_name(PACKAGES).is_file()
    return airbyte.declared(system) if apart else WITHOUT_CODE[file.name](system)


def _declarations(folder: Path) -> Iterator[Path]:
    """What declares each slice below a folder: its code, or else what describes it."""
    found: dict[Path, Path] = {}
    for name in (CODE, *WITHOUT_CODE):
        found |= {file.parent: file for file in sorted(folder.glob(f"*/*/{name}")) if file.parent not in found}
    yield from found.values()


def _own() -> Iterator[Path]:
    """The declarations in the current folder's `slices/`, whose packages Python then finds beside Atoll's."""
    if OWN.resolve() == FOLDER.resolve():
        return
    for file in _declarations(OWN):
        stage = file.parts[-3]
        if not (FOLDER / stage / "__init__.py").is_file():
            stages = ", ".join(sorted(folder.parent.name for folder in FOLDER.glob("*/__init__.py")))
            raise DefinitionError(f"there is no stage {stage}", place=str(file), remedy=f"the stages are {stages}")
        where, path = str(file.parents[1].resolve()), importlib.import_module(f"slices.{stage}").__path__
        if where not in path:
            path.append(where)
        yield file
