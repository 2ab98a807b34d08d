"""What a folder has beside a manifest that airbyte-cdk reads: code of its own, and the packages of both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from shared_metadata.contract.apart.requirements import REQUIREMENTS, check_pinned, pinned
from shared_metadata.errors import DefinitionError
from systems.rest.manifest import Node, components

AIRBYTE = "airbyte"  # what an overlay calls the engine
KIT = "airbyte-cdk"
NOT_CODE = ("__init__.py", "run.py", "source.py", "main.py")  # of a package, by which Airbyte starts it
FIRST = 7  # of airbyte-cdk's versions: those before it import pandas, with which a bundle is larger than a function holds


def code_of(folder: Path) -> dict[str, str]:
    """The folder's own Python files: name, with its folders ▸ text."""
    found = (file for file in sorted(folder.rglob("*.py")) if file.name not in NOT_CODE)
    return {file.relative_to(folder).as_posix(): file.read_text(encoding="utf-8") for file in found}


def homes_of(manifest: Node) -> list[str]:
    """The packages in which a manifest's classes say that the folder's files lie: '' for none, 'source_chargebee'."""
    names = [str(found["class_name"]).split(".") for found in classes(manifest)]
    return sorted({parts[0] if len(parts) > 2 else "" for parts in names} - {KIT.replace("-", "_")})


def classes(node: Node) -> Iterator[Mapping[str, Node]]:
    """All that names a class, at and below a node."""
    if isinstance(node, dict):
        if isinstance(node.get("class_name"), str):
            yield node
        for value in node.values():
            yield from classes(value)
    elif isinstance(node, list):
        for value in node:
            yield from classes(value)


def check_packages(folder: Path, engine: str) -> None:
    """Raises DefinitionError unless the packages are there that the overlay's engine needs, pinned, and no others."""
    file = folder / REQUIREMENTS
    if engine != AIRBYTE:
        if file.is_file():
            what = f"{REQUIREMENTS} stands beside the manifest, and no overlay says that packages of its own read it"
            remedy = f"write `engine: {AIRBYTE}` into overlay.yaml, or take {REQUIREMENTS} away"
            raise DefinitionError(what, place=str(file), remedy=remedy)
        return
    remedy = f"have it written: `atoll source packages {folder}`"
    check_pinned(file, f"the overlay says `engine: {AIRBYTE}`, and no {REQUIREMENTS} says what brings it", remedy)
    version = pinned(file.read_text(encoding="utf-8")).get(KIT, "")
    if not version:
        raise DefinitionError(f"{KIT} is not among the packages", place=str(file), remedy=remedy)
    major = version.split(".")[0]
    if not major.isdigit() or int(major) < FIRST:
        raise DefinitionError(f"{KIT} {version} is not run here, but {FIRST} and what follows it", place=str(file), remedy=remedy)


def why_not(stream: Mapping[str, Node]) -> str:
    """Why airbyte-cdk does not read a stream; '' where nothing is known against it."""
    cursors = [one.get("incremental_sync") or {} for one in components(stream) if one["type"] == "DeclarativeStream"]
    found = sorted({str(one["class_name"]) for one in cursors if one.get("class_name")})
    return f"a cursor of code, {found[0]}, which {KIT} does not run any more" if found else ""
