"""Compares the version of Atoll that a project names with the one that runs, and tells how the former is installed."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import Distribution

FILE = Path("requirements.txt")
UNKNOWN = "FOLDER"  # where it is not known in which folder wheels of Atoll lie
_PINNED = re.compile(r"^(?P<name>atoll(?:\[[^\]]*\])?)\s*==\s*(?P<version>[^\s;#]+)", re.MULTILINE | re.IGNORECASE)
_CACHE = "CACHEDIR.TAG"  # https://bford.info/cachedir/


def other_version() -> str:
    """The warning when the current folder's requirements.txt names another version; '' when it names this one, or none."""
    try:
        found = _PINNED.search(FILE.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return ""
    if found is None:
        return ""
    from importlib.metadata import distribution  # slow to import, for a verb that answers at once

    called = distribution("atoll")
    if found["version"] == called.version:
        return ""
    folder = _folder(called)
    command = _command(f"{found['name']}=={found['version']}", folder, called)
    where = f", where {UNKNOWN} has its wheel" if folder == UNKNOWN else ""
    return f"this is Atoll {called.version}, and {FILE} names {found['version']}: `{command}` installs that{where}"


def _folder(atoll: Distribution) -> str:
    """Where the wheel lay from which this Atoll was installed: the next one will probably be there, too.

    https://packaging.python.org/en/latest/specifications/direct-url/
    """
    import json
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    url = urlsplit(json.loads(atoll.read_text("direct_url.json") or "{}").get("url", ""))
    is_wheel = url.scheme == "file" and url.path.endswith(".whl")
    return str(Path(url2pathname(url.path)).parent) if is_wheel else UNKNOWN


def _command(requirement: str, folder: str, atoll: Distribution) -> str:
    """The command of the way in which this Atoll was installed."""
    wheels, named, environment = f"--find-links {shlex.quote(folder)}", shlex.quote(requirement), Path(sys.prefix)
    if (environment / "uv-receipt.toml").exists():
        return f"uv tool install {wheels} {named}"
    if (environment / "pipx_metadata.json").exists():
        return f"pipx install --force --pip-args={shlex.quote(wheels)} {named}"
    if any((above / _CACHE).exists() for above in environment.parents):
        return f"uvx {wheels} --from {named} atoll"
    pip = "uv pip" if (atoll.read_text("INSTALLER") or "").strip() == "uv" else "pip"
    return f"{pip} install {wheels} -r {FILE}"
