"""Somebody at the keyboard, who does what a page says: from an installed wheel, in an empty folder."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from pathlib import Path

from tests.shown import Step, edit, is_shown

# What only looks, and may be asked until it shows what the page says: batches take their time.
LOOKS = re.compile(r"^(atoll( (status|why|drift|lineage)\b.*)?|psql -c \"SELECT .*)$")
PATIENCE_SECONDS = 400


def _hears_interrupts() -> None:
    """Runs in a child: what a shell starts in the background, as this suite may be, ignores Ctrl-C, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Shell:
    """Somebody at the keyboard, who types what the page says."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.folder, self.variables, self._left = folder, variables, folder / "left"

    def follows(self, step: Step) -> None:
        if step.kind == "file":
            (self.folder / step.what).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / step.what).write_text(step.text)
        elif step.kind == "edit":
            edit(self.folder / step.what, step.text)
        elif "--watch" in step.what:
            self._watches(step)
        else:
            self._runs(step)

    def _runs(self, step: Step) -> None:
        deadline = time.monotonic() + (PATIENCE_SECONDS if LOOKS.match(step.what) else 0)
        while True:
            line = f"{step.what}\ncode=$?; (pwd; env -0) > {self._left}; exit $code"
            done = subprocess.run(
                ["bash", "-c", line],
                check=False,
                cwd=self.folder,
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            where, *variables = self._left.read_text().rstrip("\0").split("\0")
            where, _, first = where.partition("\n")
            self.folder, self.variables = Path(where), dict(one.split("=", 1) for one in (first, *variables))
            shown = is_shown(step.text, done.stdout) and (done.returncode != 0) == step.text.endswith("1 error\n")
            if shown or time.monotonic() > deadline:
                assert shown, f"$ {step.what}\n{done.stdout}\nended with {done.returncode}; the page shows:\n{step.text}"
                return
            time.sleep(2)

    def _watches(self, step: Step) -> None:
        """Until it shows what the page says; then Ctrl-C."""
        log = self._left.with_name("watched")
        with log.open("w") as output:
            watching = subprocess.Popen(
                step.what.split(),
                cwd=self.folder,
                env=self.variables,
                stdout=output,
                stderr=output,
                preexec_fn=_hears_interrupts,  # noqa: PLW1509 - there are no other threads
            )
        try:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not is_shown(step.text, log.read_text()) and time.monotonic() < deadline:
                time.sleep(1)
            assert is_shown(step.text, log.read_text()), f"$ {step.what}\n{log.read_text()}\nthe page shows:\n{step.text}"
        finally:
            watching.send_signal(signal.SIGINT)
        assert watching.wait(60) == 0 and "Traceback" not in log.read_text()
