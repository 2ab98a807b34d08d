"""airbyte-cdk at work: its process, which is told one job, and what its failures mean."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shared_metadata.contract.apart.process import ProcessApart
from shared_metadata.errors import AtollError, DefinitionError, RetryLater, SecretError
from systems.rest.airbyte.folder import KIT

RUNNER, PACKAGE = Path(__file__).with_name("runner"), "atoll_runner"
BEGINS = (sys.executable, "-m", PACKAGE)
MOST_LINE_BYTES = 16 << 20
_FAR = re.compile(r"Connection|Timeout|SSLError|ChunkedEncoding|IncompleteRead|Protocol|Backoff|RateLimit", re.IGNORECASE)
_AGAIN = "nothing where the source is down for the moment, it is tried again"
FORMAT = "see systems/rest/airbyte/README.md for what a source with code of its own may do"
Document = Mapping[str, Any]


class Kit(ProcessApart):
    """A run of airbyte-cdk for one stream, in a folder with the source's code; its secret stands in no file, variable or argument.

    system: the source's.  place: of the connection or the table.  reference: of the secret.
    """

    def __init__(self, system: str, document: Document, *, place: str, reference: str) -> None:
        super().__init__(KIT, place)
        self._own, self._reference, self._homes = f"slices/collect/{system}", reference, document["homes"]
        shutil.copytree(RUNNER, self._folder / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
        for home in document["homes"]:
            for name, text in document["code"].items():
                file = self._folder / home / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")

    def lines(self, job: Mapping[str, Any]) -> Iterator[bytes]:
        """Its lines, as `runner` writes them, until it is done or ended. Raises what it failed of; TooLongError."""
        output = self._start(BEGINS, "have it deployed again", talks=True)
        self._say(json.dumps(job).encode() + b"\n")
        for line in self._lines(output, MOST_LINE_BYTES, "a record"):
            if self.ended_here or not line.endswith(b"\n"):  # one that was not written to its end
                break
            if line.startswith(b"=failed "):
                raise self._of(json.loads(line.partition(b" ")[2]))
            if line == b"=done\n":
                return
            yield line
        if not self.ended_here:
            raise self._failure(self._code())

    def answer(self, word: str) -> None:
        self._say(f"{word}\n".encode())

    def _failure(self, code: int) -> AtollError:
        """It ended without a word."""
        _, name = self._told()
        what = f"{self._ended(code)} ({name})" if name else self._ended(code)
        return RetryLater(what, place=self._place, remedy="give its function more memory where it was killed; else deploy it again")

    def _of(self, told: Mapping[str, Any]) -> AtollError:
        kind, host = told["kind"], told.get("host")
        if kind == "pause":
            what = f"the API asks for a pause of {told['seconds']:,.0f} s" + (f" with {told['status']}" * bool(told["status"]))
            return RetryLater(what, place=self._place, remedy="nothing, it is tried again", after_seconds=float(told["seconds"]))
        if kind == "garbled":
            return RetryLater(f"the API answers {told['status']} with what is no JSON", place=self._place, remedy=_AGAIN)
        if kind == "host":
            what, remedy = f"a request would go to {host}, which the manifest does not name", "name it among the overlay's `hosts`"
        elif kind == "clear":
            what, remedy = f"a request to {host} is not encrypted", "use https"
        elif kind == "rotates":
            what, remedy = "its login takes a new refresh token for each, which nobody would keep", "sign in by a token that stays"
        elif kind == "stream":
            what, remedy = "the manifest has no such stream", "deploy it again"
        else:
            return self._of_error(told)
        return DefinitionError(what, place=self._place, remedy=remedy)

    def _of_error(self, told: Mapping[str, Any]) -> AtollError:
        name, status = str(told["error"]), int(told["status"])
        of_code = "file" in told
        at = f"{self._file(told['file'])}:{told['line']}" if of_code else self._place
        if missing := told.get("missing"):
            return self._missing(str(missing), at)
        if status in (401, 403) and self._reference:
            remedy = f"store what the API accepts: `atoll secret {self._reference} FILE`"
            return SecretError(f"the API refuses the secret {self._reference}: {status}", place=self._place, remedy=remedy)
        said = f"{name} after an answer with {status}" if status else name
        said += f", in {told['within']}" if told.get("within") else ""
        said += f", at {told['at']} of the manifest" if told.get("at") else ""
        what = f"{told['function']} of its code raises {said}" if of_code else f"{KIT} fails: {said}"
        down = status in (408, 425, 429) or status >= 500 or name == "JSONDecodeError"
        if down or (not of_code and not status and _FAR.search(name)):
            return RetryLater(what, place=at, remedy=_AGAIN)
        remedy = "correct the code there, and deploy" if of_code else f"compare the connection's options with the manifest; {FORMAT}"
        return DefinitionError(what, place=at, remedy=remedy)

    def _missing(self, name: str, at: str) -> AtollError:
        """What is not there: in the folder's own code, in airbyte-cdk, or of a package."""
        top = name.split(".")[0]
        if top in (*self._homes, "components"):
            return DefinitionError(
                f"the manifest names {name}, which no file beside it has", place=at, remedy="write it there, and deploy"
            )
        if top == KIT.replace("-", "_"):
            remedy = f"pin the one that it was written for: `atoll source packages {self._own} --package {KIT}==…`"
            return DefinitionError(f"its code needs {name}, which this {KIT} has not", place=at, remedy=remedy)
        remedy = f"name it too: `atoll source packages {self._own} --package …`, and deploy"
        return DefinitionError(f"its code needs {name}, which is not among its packages", place=at, remedy=remedy)

    def _file(self, name: str) -> str:
        """The file in the project of one in the process' folder."""
        own = next((name.removeprefix(f"{home}/") for home in self._homes if home and name.startswith(f"{home}/")), name)
        return f"{self._own}/{own}"
