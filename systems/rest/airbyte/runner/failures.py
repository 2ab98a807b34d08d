"""What of an error is told: names of code and a status, and no text, which may quote a row or a secret."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

OWN = Path(__file__).parent  # this program's files, which lie among those of the folder


class Stopped(BaseException):
    """Ends the reading; no `except Exception` of a component takes it.

    kind: 'host', 'clear', 'pause', 'garbled', 'rotates' or 'stream'.
    """

    def __init__(self, kind: str, **told: Any) -> None:
        self.told = {"kind": kind, **told}
        super().__init__(kind)


def told_of(error: BaseException, folder: Path, status: int) -> dict[str, Any]:
    """{'kind', 'error', 'status', 'failure'}; 'file', 'line', 'function': of the folder's code; or else 'within': of a package's.

    'missing': a module, or what one has not.  'at': what of the manifest the format does not take.
    status: of the last answer.
    """
    chain, one = list[BaseException](), error
    while one is not None and one not in chain:
        chain.append(one)
        one = getattr(one, "_exception", None) or one.__cause__ or one.__context__  # type: ignore[assignment]
    told: dict[str, Any] = {"kind": "error", "error": type(chain[-1]).__name__, "status": status if status >= 400 else 0}
    for found in chain:
        if isinstance(place := getattr(found, "json_path", None), str):  # of what the format does not take
            told |= {"at": place}
        if missing := _missing(found):
            told |= {"missing": missing}
        for frame in traceback.extract_tb(found.__traceback__):
            file = Path(frame.filename)
            if file.is_relative_to(folder) and not file.is_relative_to(OWN):
                told |= {"file": file.relative_to(folder).as_posix(), "line": frame.lineno, "function": frame.name}
    if "file" not in told and (frames := traceback.extract_tb(chain[-1].__traceback__)):
        told |= {"within": f"{'/'.join(Path(frames[-1].filename).parts[-3:])}:{frames[-1].lineno}"}
    failure = next((kind for found in chain if (kind := getattr(found, "failure_type", None))), None)
    return {**told, "failure": getattr(failure, "value", "")}


def _missing(error: BaseException) -> str:
    """The module that is not there, or the name that one has not, with its module; '' for another error."""
    if isinstance(error, ImportError):
        return ".".join(filter(None, (error.name, getattr(error, "name_from", None))))  # the latter since Python 3.12
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        return f"{error.obj.__name__}.{error.name}"
    return ""
