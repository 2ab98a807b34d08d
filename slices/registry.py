"""Finds the slices: a folder `slices/<stage>/<system>/` with a `slice.py` is a slice; of Atoll's own and of the current folder's."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from shared_metadata.contract.declaration import Slice
from shared_metadata.errors import DefinitionError

FOLDER = Path(__file__).parent
OWN = Path("slices")  # of a project


@cache
def installed() -> dict[str, Slice]:
    """Every slice's declaration by its id, e.g. 'collect.salesforce'. Raises DefinitionError for a folder that cannot be one."""
    found = {}
    for file in (*sorted(FOLDER.glob("*/*/slice.py")), *_own()):
        stage, system = file.parts[-3:-1]
        if f"{stage}.{system}" in found:
            remedy = "give the folder another name: a slice does not replace one of Atoll's"
            raise DefinitionError(f"there is a slice {stage}.{system} already", place=str(file), remedy=remedy)
        declared = importlib.import_module(f"slices.{stage}.{system}.slice").SLICE
        if declared.id != f"{stage}.{system}":
            remedy = "a slice's folder is slices/<stage>/<system>/ as its slice.py says"
            raise DefinitionError(f"the slice calls itself {declared.id}", place=str(file), remedy=remedy)
        found[declared.id] = declared
    return found


def _own() -> Iterator[Path]:
    """The declarations in the current folder's `slices/`, whose packages Python then finds beside Atoll's."""
    if OWN.resolve() == FOLDER.resolve():
        return
    for file in sorted(OWN.glob("*/*/slice.py")):
        stage = file.parts[-3]
        if not (FOLDER / stage / "__init__.py").is_file():
            stages = ", ".join(sorted(folder.parent.name for folder in FOLDER.glob("*/__init__.py")))
            raise DefinitionError(f"there is no stage {stage}", place=str(file), remedy=f"the stages are {stages}")
        where, path = str(file.parents[1].resolve()), importlib.import_module(f"slices.{stage}").__path__
        if where not in path:
            path.append(where)
        yield file
