"""Runs a tap: its files, what it is asked, and what may be told of why it failed."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from shared_metadata.contract.apart.process import ProcessApart
from shared_metadata.errors import AtollError, DefinitionError, RetryLater, SecretError
from systems.singer.tap_file import Document

MOST_LINE_BYTES = 16 << 20
# Starts a console script by its name, wherever its package was installed.
LAUNCH = """
import sys
from importlib.metadata import entry_points
name = sys.argv[0] = sys.argv.pop(1)
found = [one for one in entry_points(group="console_scripts") if one.name == name]
sys.exit(found[0].load()() if found else f"NoSuchTap: no package has it")
"""
_FAR = re.compile(r"Connection|Timeout|URLError|Unreachable|gaierror|TooManyRequests|RateLimit", re.IGNORECASE)
BY_HAND = "run the tap by hand with the same configuration to read its log, which is not kept here since it may quote rows"


class Tap(ProcessApart):
    """A run of the tap, in a folder that holds its configuration.

    place: of the connection.  reference: of its secret.
    """

    def __init__(self, document: Document, config: Mapping[str, Any], *, place: str, reference: str) -> None:
        super().__init__("the tap", place)
        self._document, self._reference = document, reference
        self._file("config.json", config)
        for name, text in document["files"].items():
            (self._folder / name).write_text(text, encoding="utf-8")

    def discover(self, seconds: float) -> Any:
        """The catalog that it writes. Raises as `check`; DefinitionError for what is no JSON."""
        timer = threading.Timer(max(seconds, 1.0), self.end)
        timer.daemon = True
        output = self._run(["--discover"])
        timer.start()
        try:
            text = output.read()
        finally:
            timer.cancel()
        self.check()
        try:
            return json.loads(text)
        except ValueError:
            remedy = f"put a catalog.json that holds one beside tap.yaml; or {BY_HAND}"
            raise DefinitionError("what the tap writes with --discover is no JSON", place=self._place, remedy=remedy) from None

    def messages(self, catalog: Any, state: Any) -> Iterator[bytes]:
        """Its lines, as they come, until it ends. Raises TooLongError."""
        option = self._document["catalog_option"]
        arguments = [f"--{option}", str(self._file("catalog.json", catalog))]
        output = self._run([*arguments, *(["--state", str(self._file("state.json", state))] if state is not None else [])])
        yield from self._lines(output, MOST_LINE_BYTES, "a message of the tap")

    def _failure(self, code: int) -> AtollError:
        status, name = self._told()
        said = ", ".join(filter(None, (f"HTTP {status}" * bool(status), name)))
        what = f"{self._ended(code)} ({said})" if said else self._ended(code)
        if status in ("401", "403") and self._reference:
            remedy = f"store what the source accepts: `atoll secret {self._reference} FILE`"
            return SecretError(f"the source refuses the secret {self._reference}: {what}", place=self._place, remedy=remedy)
        if name == "NoSuchTap":
            what = f"no package of the tap has a script {self._document['run']}"
            return DefinitionError(what, place=self._place, remedy="correct `run` in tap.yaml, or its requirements.txt, and deploy")
        remedy = (
            "nothing where the source is down for the moment, it is tried again; else " * bool(_FAR.search(name) or status) + BY_HAND
        )
        return RetryLater(what, place=self._place, remedy=remedy)

    def _run(self, arguments: Sequence[str]) -> IO[bytes]:
        run = self._document["run"]
        if isinstance(run, list):
            line = run  # of an image, which has all that it needs
        else:
            line = [sys.executable, str(self._folder / run)] if run.endswith(".py") else [sys.executable, "-c", LAUNCH, run]
        line = [*line, "--config", str(self._folder / "config.json"), *arguments]
        return self._start(line, "correct `run` in tap.yaml, or its image, and deploy")

    def _file(self, name: str, value: Any) -> Path:
        file = self._folder / name
        file.touch(mode=0o600)
        file.write_text(json.dumps(value), encoding="utf-8")
        return file
