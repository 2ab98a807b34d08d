"""What is made for one slice beside code that it shares with others: a small layer of its functions', and an object of its tasks'."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from infra.bundling import BUNDLES, staging, zip_files
from shared_metadata.contract.runtime.made_files import FOLDER

ON_THE_PATH = "python"  # of a layer


@dataclass(frozen=True)
class Made:
    """name: for people.  files: name ▸ text, as `made_document` finds them."""

    name: str
    files: tuple[tuple[str, str], ...]

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256("".join(f"{name}\0{text}\0" for name, text in self.files).encode()).hexdigest()[:32]

    def build(self) -> Path:
        """The zip; made unless it is there."""
        target = BUNDLES / f"{self.name}-{self.digest}.zip"
        if not target.exists():
            with staging(BUNDLES) as folder:
                for name, text in self.files:
                    file = folder / "content" / ON_THE_PATH / FOLDER / name
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_text(text, encoding="utf-8")
                zip_files(folder / "content", folder / "made.zip")
                (folder / "made.zip").replace(target)
        return target
