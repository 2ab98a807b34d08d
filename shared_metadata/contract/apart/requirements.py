"""The packages of a program that runs beside a function: each in one version and with its hashes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from shared_metadata.errors import DefinitionError

REQUIREMENTS = "requirements.txt"
APART = Path(__file__).resolve().parents[3] / "apart"  # in a bundle: these packages, which are not Atoll's
_PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*==\s*([^\s;\\]+)")


def check_pinned(file: Path, missing: str, remedy: str) -> None:
    """Raises DefinitionError unless every package is there in one version and with its hashes.  missing: where the file is."""
    if not file.is_file():
        raise DefinitionError(missing, place=str(file), remedy=remedy)
    for number, line in _wanted(file.read_text(encoding="utf-8")):
        if not (_PINNED.match(line) and "--hash=sha256:" in line):
            name = re.split(r"[\s=<>~!;\[]", line)[0]
            place = f"{file}: requirement {number}"
            raise DefinitionError(f"{name} is not pinned to one version and its hashes", place=place, remedy=remedy)


def pinned(text: str) -> dict[str, str]:
    """The packages of a requirements file ▸ the version of each."""
    return {found[1]: found[2] for _, line in _wanted(text) if (found := _PINNED.match(line))}


def _wanted(text: str) -> Iterator[tuple[int, str]]:
    """Each requirement with the number of its line, as the lines are once those that go on are joined."""
    for number, line in enumerate(re.sub(r"\\\n", " ", text).splitlines(), 1):
        wanted = line.split(" #")[0].strip()
        if wanted and not wanted.startswith("#"):
            yield number, wanted
