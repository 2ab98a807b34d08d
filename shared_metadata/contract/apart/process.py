"""A program that is not Atoll's, beside a function's own: its folder, its environment, its end, and what of its log may be told."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Self

from shared_metadata.contract.apart.requirements import APART
from shared_metadata.errors import AtollError, DefinitionError, RetryLater

LINES_KEPT, GRACE_SECONDS, LOOK_SECONDS = 400, 10.0, 0.02
# Whatever else stands in a function's environment, its keys above all, is not the program's.
INHERITED = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "HTTPS_PROXY", "NO_PROXY")
# Of a program's own log the name of an error and a status of HTTP are told: its text may quote rows, and its configuration.
_ERROR = re.compile(
    r"^(?:[^\"']{0,60}?\b(?:CRITICAL|ERROR|FATAL)\b\W*)?((?:[A-Za-z_]\w*\.)*(?:[A-Z]\w*(?:Error|Exception|Timeout)|NoSuchTap))\b"
)
_STATUS = re.compile(r"(?:HTTP Error |status code |\b(?=\d{3} (?:Client|Server) Error))([45]\d\d)\b", re.IGNORECASE)


class TooLongError(DefinitionError):
    """A line is longer than any that is taken."""


class ProcessApart:
    """A run of a program, within a folder of its own, which goes with it.

    who: what errors call it, as in 'the tap'.  place: of the connection.
    ended_here: it was ended by `end`, and did not end by itself.
    """

    def __init__(self, who: str, place: str) -> None:
        self._who, self._place = who, place
        self._holder = tempfile.TemporaryDirectory(prefix="apart-")
        self._folder, self._log = Path(self._holder.name), deque[str](maxlen=LINES_KEPT)
        self._process: subprocess.Popen[bytes] | None = None
        self._logging: threading.Thread | None = None
        self.ended_here = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._holder.cleanup()

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
        """Raises what it failed of, once its output has ended; RetryLater where it was ended here."""
        code = self._code()
        if code and not self.ended_here:
            raise self._failure(code)
        if self.ended_here:
            raise RetryLater(f"{self._who} did not answer in time", place=self._place, remedy="nothing, it is tried again")

    def _failure(self, code: int) -> AtollError:
        """The error that its exit code and its log stand for."""
        raise NotImplementedError

    def _told(self) -> tuple[str, str]:
        """The status of HTTP and the name of an error that its log tells; '' for none."""
        if self._logging:
            self._logging.join(GRACE_SECONDS)
        lines = [line for line in self._log if not line.startswith((" ", "\t"))][::-1]
        name = next((found[1] for line in lines if (found := _ERROR.match(line))), "")
        status = next((found[1] for line in lines if (found := _STATUS.search(line))), "")
        return status, name

    def _ended(self, code: int) -> str:
        return f"{self._who} ended with exit code {code}" if code >= 0 else f"{self._who} was killed by signal {-code}"

    def _start(self, line: Sequence[str], remedy: str, *, talks: bool = False) -> IO[bytes]:
        """Its output. It finds the packages apart, and has no key.  remedy: where it cannot be started.  talks: it is said things."""
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        own = {"HOME": str(self._folder), "TMPDIR": str(self._folder), "TZ": "UTC", "PYTHONUTF8": "1", "PYTHONPATH": str(APART)}
        try:
            self._process = subprocess.Popen(
                line,
                cwd=self._folder,
                env={**inherited, **own},
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            what = f"{line[0]} cannot be run where {self._who} is: {type(error).__name__}"
            raise DefinitionError(what, place=self._place, remedy=remedy) from None
        assert self._process.stdout is not None and self._process.stderr is not None
        self._logging = threading.Thread(target=self._keep, args=(self._process.stderr,), daemon=True)
        self._logging.start()
        return self._process.stdout

    def _say(self, text: bytes) -> None:
        """Writes to its input; one that has ended already does not read it."""
        assert self._process is not None and self._process.stdin is not None
        left, file = memoryview(text), self._process.stdin.fileno()
        with contextlib.suppress(BrokenPipeError):
            while left:
                left = left[os.write(file, left) :]

    def _lines(self, output: IO[bytes], most_bytes: int, what: str) -> Iterator[bytes]:
        """The lines of its output, as they come. Raises TooLongError.  what: a line is."""
        while line := output.readline(most_bytes + 1):
            if len(line) > most_bytes:
                remedy = "collect fewer of the table's columns, or shorten the values at the source"
                raise TooLongError(f"{what} is longer than {most_bytes >> 20} MB", place=self._place, remedy=remedy)
            yield line

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

    def _keep(self, log: IO[bytes]) -> None:
        """Reads its log, so that it never waits for it, and keeps the end of it for `_failure`."""
        with contextlib.suppress(ValueError):  # closed meanwhile
            while line := log.readline(4096):
                self._log.append(line.decode(errors="replace").rstrip("\n"))

    def _signal(self, number: int) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
