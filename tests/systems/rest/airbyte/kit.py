"""airbyte-cdk with what it needs and no more, as `atoll source packages` writes it down, for this machine's interpreter."""

from __future__ import annotations

import fcntl
from functools import cache
from pathlib import Path

import pytest

from console.packages import TRIED, pinned
from infra.apart import Apart, BundleError

PARTS = Path(__file__).resolve().parents[4] / ".atoll" / "parts"


@cache
def installed(*wanted: str) -> tuple[Path, Path]:
    """The requirements file and the folder of the packages; fetched by the first test that needs them, which else is skipped."""
    wanted = wanted or (TRIED,)
    name = "-".join("".join(c if c.isalnum() else "-" for c in one) for one in wanted)
    file = PARTS / f"apart-{name}.txt"
    PARTS.mkdir(parents=True, exist_ok=True)
    with (PARTS / "apart.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if not file.is_file():
                file.write_text(pinned(wanted, None))
            return file, Apart(file).installed(PARTS)
        except BundleError as error:
            pytest.skip(f"airbyte-cdk cannot be fetched: {error}")
