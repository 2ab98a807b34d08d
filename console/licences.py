"""The licences of packages that run beside Atoll's functions, as these tell them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path

from infra.apart import Apart, BundleError
from infra.bundling import LAMBDA, PACKAGES
from shared_metadata.errors import InputError

COPYLEFT = ("GPL", "MPL", "EUPL", "CDDL")
SHORT = 60  # of characters: what is longer is a licence's text, and no name


def licences(file: Path, built: tuple[str, ...], remedy: str) -> dict[str, str]:
    """Package and version ▸ licence, of all that a requirements file has, which is fetched. Raises InputError with the remedy."""
    try:
        folder = Apart(file.resolve(), built, (LAMBDA.name, LAMBDA.python)).installed(PACKAGES)
    except BundleError as error:
        raise InputError(str(error), remedy=remedy) from None
    return {f"{one.name} {one.version}": _licence(one) for one in distributions(path=[str(folder)])}


def told(found: Mapping[str, str]) -> Iterator[str]:
    """Lines that say them."""
    counted = ", ".join(f"{name} {count}" for name, count in Counter(found.values()).most_common())
    yield f"licences of its {len(found)} packages: {counted}"
    if copyleft := [f"{name}: {licence}" for name, licence in found.items() if any(word in licence for word in COPYLEFT)]:
        yield f"copyleft: {'; '.join(copyleft)}. They run as a process of their own; Atoll brings none of them"


def _licence(found: Distribution) -> str:
    told = found.metadata
    if expression := told.get_all("License-Expression"):
        return str(expression[0])
    classified = [line.rpartition(" :: ")[2] for line in told.get_all("Classifier") or () if line.startswith("License ::")]
    said = (told.get_all("License") or [""])[0]
    return ", ".join(classified) or (said if 0 < len(said) <= SHORT and "\n" not in said else "not told")
