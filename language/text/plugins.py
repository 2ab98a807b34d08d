"""Puts off an import that takes a tenth of the time of a second `atoll check`: importlib.metadata, with e-mail's parser in it.

sqlglot imports it for plugins, of which Atoll has none, and an engine to say its version.
"""

from __future__ import annotations

import importlib
import os
import sys
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any

_NAME = "importlib.metadata"


class _Later(ModuleType):
    """Stands for the module until more of it is used."""

    def entry_points(self, **wanted: str) -> Any:
        return _loaded().entry_points(**wanted)

    def version(self, name: str) -> str:
        """Read from the folder's name (https://packaging.python.org/en/latest/specifications/recording-installed-packages)."""
        start, end = f"{name}-", ".dist-info"
        folders = (found for place in sys.path if os.path.isdir(place) for found in os.listdir(place))
        found = [folder[len(start) : -len(end)] for folder in folders if folder.startswith(start) and folder.endswith(end)]
        return found[0] if len(found) == 1 else _loaded().version(name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # for which every import asks
            raise AttributeError(name)
        return getattr(_loaded(), name)


def _loaded() -> Any:
    if isinstance(sys.modules.get(_NAME), _Later):
        del sys.modules[_NAME]
    return importlib.import_module(_NAME)


def put_off() -> None:
    """Has importlib.metadata imported when it is first needed."""
    if _NAME not in sys.modules:
        later = _Later(_NAME)
        later.__spec__ = PathFinder.find_spec(_NAME, importlib.__path__)
        sys.modules[_NAME] = later
        importlib.metadata = later
