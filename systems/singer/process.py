"""Runs a tap: its files, its environment, its end, and what may be told of why it failed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

from shared_metadata.errors import AtollError, DefinitionError, RetryLater, SecretError
from systems.singer.tap_file import APART, Document

MOST_LINE_BYTES = 16 << 20
LINES_KEPT, GRACE_SECONDS, LOOK_SECONDS = 400, 10.0, 0.02
# Whatever else stands in a function's environment, its keys above all, is not the tap's.
INHERITED = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "HTTPS_PROXY", "NO_PROXY")
# Starts a console script by its name, wherever its package was installed.
LAUNCH = """
import sys
from importlib.metadata import entry_points
name = sys.argv[0] = sys.argv.pop(1)
found = [one for one in entry_points(group="console_scripts") if one.name == name]
sys.exit(found[0].load()() if found else f"NoSuchTap: no package has it")
"""
# Of a tap's own log the name of an error and a status of HTTP are told: its text may quote rows, and its configuration.
_ERROR = re.compile(
    r"^(?:[^\"']{0,60}?\b(?:CRITICAL|ERROR|FATAL)\b\W*)?((?:[A-Za-z_]\w*\.)*(?:[A-Z]\w*(?:Error|Exception|Timeout)|NoSuchTap))\b"
)
_STATUS = re.compile(r"(?:HTTP Error |status code |\b(?=\d{3} (?:Client|Server) Error))([45]\d\d)\b", re.IGNORECASE)
_FAR = re.compile(r"Connection|Timeout|URLError|Unreachable|gaierror|TooManyRequests|RateLimit", re.IGNORECASE)
BY_HAND = "run the tap by hand with the same configuration to read its log, which is not kept here since it may quote rows"


class TooLongError(DefinitionError):
    """A message is longer than any that is taken."""


class Tap:
    """A run of the tap, within a folder of its own, which holds its configuration and goes with it.

    place: of the connection.  reference: of its secret.
    """

    def __init__(self, document: Document, config: Mapping[str, Any], *, place: str, reference: str) -> None:
        self._document, self._place, self._reference = document, place, reference
        self._holder = tempfile.TemporaryDirectory(prefix="tap-")
        self._folder, self._log = Path(self._holder.name), deque[str](maxlen=LINES_KEPT)
        self._process: subprocess.Popen[bytes] | None = None
        self._logging: threading.Thread | None = None
        self.ended_here = False
        self._file("config.json", config)
        for name, text in document["files"].items():
            (self._folder / name).write_text(text, encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._holder.cleanup()

    def discover(self, seconds: float) -> Any:
        """The catalog that it writes. Raises as `check`; DefinitionError for what is no JSON."""
        timer = threading.Timer(max(seconds, 1.0), self.end)
        timer.daemon = True
        output = self._start(["--discover"])
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
        output = self._start([*arguments, *(["--state", str(self._file("state.json", state))] if state is not None else [])])
        while line := output.readline(MOST_LINE_BYTES + 1):
            if len(line) > MOST_LINE_BYTES:
                raise TooLongError(
                    f"a message of the tap is longer than {MOST_LINE_BYTES >> 20} MB",
                    place=self._place,
                    remedy="collect fewer of the table's columns, or shorten the values at the source",
                )
            yield line

    def end(self) -> None:
        """Asks it to end, and kills it where it does not."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        if not self._has_ended():
            self.ended_here = True
            self._signal(signal.SIGTERM)
            until = time.monotonic() + GRACE_SECONDS
            while not self._has_ended() and time.monotonic() < until:
                time.sleep(LOOK_SECONDS)
            self._signal(signal.SIGKILL)
        self._code()

    def fails(self) -> bool:
        """Whether it ends, once its output has, with another exit code than 0."""
        return self._code() != 0

    def check(self) -> None:
        """Raises what it failed of, once its output has ended; nothing where its exit code is 0, or it was ended from here."""
        code = self._code()
        if self._logging:
            self._logging.join(GRACE_SECONDS)
        if code and not self.ended_here:
            raise self._failure(code)
        if self.ended_here:
            raise RetryLater("the tap did not answer in time", place=self._place, remedy="nothing, it is tried again")

    def _code(self) -> int:
        """Its exit code, once it has ended; what it has started ends with it, as long as its number is its own."""
        assert self._process is not None
        if self._process.returncode is None:
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
                self._signal(signal.SIGKILL)
        return self._process.wait()

    def _has_ended(self) -> bool:
        assert self._process is not None
        try:
            return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
        except ChildProcessError:
            return True

    def _failure(self, code: int) -> AtollError:
        """The error that its exit code and its log stand for."""
        lines = [line for line in self._log if not line.startswith((" ", "\t"))][::-1]
        name = next((found[1] for line in lines if (found := _ERROR.match(line))), "")
        status = next((found[1] for line in lines if (found := _STATUS.search(line))), "")
        said = ", ".join(filter(None, (f"HTTP {status}" * bool(status), name)))
        how = f"the tap ended with exit code {code}" if code > 0 else f"the tap was killed by signal {-code}"
        what = f"{how} ({said})" if said else how
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

    def _start(self, arguments: Sequence[str]) -> IO[bytes]:
        run = self._document["run"]
        if isinstance(run, list):
            line = run  # of an image, which has all that it needs
        else:
            line = [sys.executable, str(self._folder / run)] if run.endswith(".py") else [sys.executable, "-c", LAUNCH, run]
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        own = {"HOME": str(self._folder), "TMPDIR": str(self._folder), "TZ": "UTC", "PYTHONUTF8": "1", "PYTHONPATH": str(APART)}
        try:
            self._process = subprocess.Popen(
                [*line, "--config", str(self._folder / "config.json"), *arguments],
                cwd=self._folder,
                env={**inherited, **own},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            what = f"{line[0]} cannot be run where the tap is: {type(error).__name__}"
            raise DefinitionError(what, place=self._place, remedy="correct `run` in tap.yaml, or its image, and deploy") from None
        assert self._process.stdout is not None and self._process.stderr is not None
        self._logging = threading.Thread(target=self._keep, args=(self._process.stderr,), daemon=True)
        self._logging.start()
        return self._process.stdout

    def _keep(self, log: IO[bytes]) -> None:
        """Reads its log, so that it never waits for it, and keeps the end of it for `_failure`."""
        with contextlib.suppress(ValueError):  # closed meanwhile
            while line := log.readline(4096):
                self._log.append(line.decode(errors="replace").rstrip("\n"))

    def _file(self, name: str, value: Any) -> Path:
        file = self._folder / name
        file.touch(mode=0o600)
        file.write_text(json.dumps(value), encoding="utf-8")
        return file

    def _signal(self, number: int) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
