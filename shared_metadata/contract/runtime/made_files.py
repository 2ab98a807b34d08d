"""Files that are made for one slice where it is deployed, such as a source's document: beside its functions' code, which it shares.

In AWS they are a layer of Lambda's, whose folder `python` is on the path (docs.aws.amazon.com/lambda/latest/dg/python-layers.html).
A deployment exchanges code and layers one after the other, so that for moments a function has the new code and the former files, or
none: who comes to write them otherwise gives them another name.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from shared_metadata.errors import RetryLater

FOLDER = "atoll-made"


def made_document(name: str, folder: Path) -> dict[str, Any] | None:
    """The document that was made for a slice, in its functions and tasks; None where the folder is of which it is made.

    name: of its file, as the slice's `bundled` gives it. Raises RetryLater where neither is.
    """
    for place in filter(None, sys.path):
        if (file := Path(place, FOLDER, name)).is_file():
            found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            return found
    if folder.is_dir():
        return None
    remedy = "nothing, it is tried again; where it stays so, deploy the slice's stack again"
    raise RetryLater(f"the function has no {name}, as where it is being deployed", remedy=remedy)
